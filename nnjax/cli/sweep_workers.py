"""Launchers that run the jobs of a sweep at the same time on this machine: how many, with which GPUs, and their signals.

    with launched(job, composition, jobs, sweep_dir) as overrides:
        ...                         # the launcher's work; `nnjax.cli.worker` is the other end, in each worker process

joblib starts workers that take jobs from a queue, `submitit_local` one process for each job. With `submitit_slurm` the cluster
gives each job its share.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sized
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omegaconf import flag_override

from nnjax.cli.compose import Composition
from nnjax.cli.hydra_internals import OWN_PLUGINS
from nnjax.cli.job import Job
from nnjax.cli.process import complain
from nnjax.cli.worker import SWEEP, Share
from nnjax.config import leaving
from nnjax.config.errors import ConfigError

_LOCKS = ".workers"
_TRACKER = "nnjax.tracking.tracker_process"  # stands in the command of a tracker's process


@contextmanager
def launched(job: Job, composition: Composition, jobs: Sized | None, sweep_dir: Path) -> Iterator[list[str]]:
    """Gives each job that runs at the same time as others its share of the machine, and passes requests to stop on to it.

    SIGTERM and Ctrl-C reach the worker processes as SIGTERM: running jobs save and end, further ones are not started. After a
    second Ctrl-C nobody waits for them.

    Args:
        job: is told its share; `nnjax.cli.worker` takes it.
        composition: of the sweep, with the launcher's settings; changed by the number of jobs at a time.
        jobs: the jobs; None if only the sweeper has them.
        sweep_dir: the sweep's folder, which exists.

    Yields:
        Overrides with that change, for a sweeper that composes anew.

    Raises:
        ConfigError: for a number of jobs at a time that cannot be.
    """
    plugin, _, launcher = str(composition.hydra.launcher._target_).removeprefix("hydra_plugins.").partition(".")
    joblib = plugin == "hydra_joblib_launcher"
    local = plugin == "hydra_submitit_launcher" and launcher.endswith(".LocalLauncher")
    if not joblib and not local:
        if plugin == "hydra_submitit_launcher":
            job.share = Share(SWEEP, at_a_time=1, stops_with_parent=False)
        yield []
        return
    batch = [size for size in (composition.hydra.sweeper.get("max_batch_size"), jobs and len(jobs)) if size]
    gpus = usable_gpus(composition)
    at_a_time = _workers_of_joblib(composition, gpus, batch) if joblib else min(batch, default=1)
    overrides = [f"hydra.launcher.n_jobs={at_a_time}"] if joblib else []
    if joblib and at_a_time == 1:  # joblib runs the jobs in this process
        yield overrides
        return
    locks = sweep_dir / _LOCKS
    locks.mkdir(exist_ok=True)  # a sweep that was killed leaves it
    job.share = Share(SWEEP, at_a_time, str(locks), gpus, stops_with_parent=joblib)
    try:
        with _forwarded():
            yield overrides
    finally:
        shutil.rmtree(locks, ignore_errors=True)


def in_other_processes(job: Job, composition: Composition) -> bool:
    """Whether the launcher runs the jobs in other processes, within `launched`."""
    target = str(composition.hydra.launcher._target_)
    if target.startswith(OWN_PLUGINS):
        return False
    return job.share is not None or not target.startswith("hydra_plugins.hydra_joblib_launcher.")


def prints_here(composition: Composition) -> bool:
    """Whether the launcher's other processes print to this one's terminal; those of submitit print to files."""
    return not str(composition.hydra.launcher._target_).startswith("hydra_plugins.hydra_submitit_launcher.")


def explained(error: Exception) -> str | None:
    """A line about a launcher's error that comes from the machine's state; None for another error."""
    if type(error).__name__ == "TerminatedWorkerError":  # joblib's; joblib is not imported for other launchers
        return (
            "a worker process of the sweep was killed, and joblib ended the others; if the memory ran out, fewer jobs at a "
            "time need less, as with hydra.launcher.n_jobs=1"
        )
    return None


def _workers_of_joblib(composition: Composition, gpus: tuple[str, ...], batch: list[int]) -> int:
    from joblib import effective_n_jobs

    launcher = composition.hydra.launcher
    if launcher.n_jobs == 0:
        raise ConfigError("hydra.launcher.n_jobs=0: must be a number of jobs at a time, or -1 for one a core, or one a GPU")
    at_a_time: int = min([len(gpus) if launcher.n_jobs == -1 and gpus else effective_n_jobs(launcher.n_jobs), *batch])
    with flag_override(launcher, ["struct", "readonly"], False):
        launcher.n_jobs = at_a_time
    return at_a_time


def usable_gpus(composition: Composition) -> tuple[str, ...]:
    """The GPUs that the jobs can use, as CUDA_VISIBLE_DEVICES names them; empty if JAX has no plugin for them."""
    parallel: Any = composition.job.get("parallel") or {}
    platforms = os.environ.get("JAX_PLATFORMS", "")
    if parallel.get("platform") in ("cpu", "tpu") or (platforms and not {"cuda", "gpu"} & set(platforms.split(","))):
        return ()
    if not any(find_spec(f"jax_cuda{version}_plugin") for version in (12, 13)):
        return ()
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return tuple(name.strip() for name in visible.split(",") if name.strip() not in ("", "-1"))
    try:
        command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
        listed = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(listed.split())


@contextmanager
def _forwarded() -> Iterator[None]:
    """Within this block, SIGTERM and Ctrl-C are passed on to the worker processes, which decide when to end.

    Nothing is done in a program that is no command of ours.
    """
    asked: list[str] = []

    def forward(name: str) -> None:
        asked.append(name)
        if len(asked) == 1:
            complain(f"{leaving.shown_name(name)}: waiting for the running jobs to save; further ones are not started")
        for process in _workers():
            with suppress(Exception):  # it has ended
                process.send_signal(signal.SIGTERM)

    if leaving.has_begun():
        leaving.receive(forward)
    try:
        yield
    finally:
        if leaving.has_begun():
            leaving.receive(None)


def _workers() -> list[Any]:
    """The processes below this one; Python's trackers of resources among them ignore SIGTERM.

    Left out are a run's trackers (W&B, MLflow, …) and what they started: the run closes them after it has saved.
    """
    import psutil

    def below(process: Any) -> Iterator[Any]:
        with suppress(psutil.Error):  # it has ended
            for child in process.children():
                if not any(_TRACKER in word for word in child.cmdline()):
                    yield child
                    yield from below(child)

    return list(below(psutil.Process()))
