"""A training's part in a job of several processes: its config, folder and start come from process 0, and all end together.

with take_part(config, run_dir, console, summary) as config:
    ...                                            # in each process; in one process alone nothing is done
    start = shared_start(start, data_hash)

Process 0 alone has the run's folder. The others are sent the config, the state to start from and the best state, so that they
need no common file system; each writes at most its log.
"""

import atexit
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.api.resuming import Start
from nnjax.config import leaving
from nnjax.config.errors import (
    ConfigError,
    DataError,
    DivergedError,
    PreemptedError,
    RunFinishedError,
    StorageError,
    UserError,
)
from nnjax.config.invocation import verb_command
from nnjax.config.parsing import parse, to_mapping
from nnjax.config.processes import Processes, detect
from nnjax.config.schema import TrainConfig
from nnjax.config.shell import shell_word
from nnjax.reporting.console import RunConsole
from nnjax.reporting.run_summary import write_json
from nnjax.training.training_progress import TrainingProgress

if TYPE_CHECKING:
    from nnjax.parallel.peers import Peers
    from nnjax.training.state import TrainState

_AGREED = (PreemptedError, DivergedError)
"""Ends that all processes come to by themselves, at the same step."""


@contextmanager
def take_part(config: TrainConfig, run_dir: Path | None, console: RunConsole, summary: dict[str, Any]) -> Iterator[TrainConfig]:
    """Joins the other processes; yields the config of process 0.

    Args:
        config: of this process.
        run_dir: the run's folder in process 0; None in the others.
        console: gets a log in the run's folder, where that is there.
        summary: written as failed if another process ends this one.

    Raises:
        ConfigError: if `parallel.processes` is not the number of processes that there are.
        PeerError: if a process does not come.
    """
    processes = _processes(config)
    if processes is None:
        yield config
        return
    from nnjax.parallel.cluster import join
    from nnjax.parallel.peers import Timeouts

    peers = join(processes, Timeouts(config.parallel.peer_timeout, config.parallel.start_timeout))
    in_command = leaving.has_begun()
    if in_command:
        leaving.at_end(lambda code, message, name: peers.leave(code, message, name))
    peers.log = lambda line: console.log_only(line)
    peers.on_loss.append(lambda line: _note_loss(line, run_dir, summary))
    try:
        config = _shared_config(peers, config)
        peers.folder = _shared_folder(peers, run_dir)
        yield config
    except BaseException as error:
        code = getattr(error, "exit_code", 1)
        if isinstance(error, RunFinishedError):  # only process 0 reads the folder
            peers.dismiss(code)
            raise
        if not in_command:
            if isinstance(error, _AGREED):
                peers.exchange({})
            else:
                peers.fail(code, str(error))
            raise
        if isinstance(error, _AGREED):
            peers.end_with(code)
            if peers.rank:
                raise SystemExit(peers.finish(code)) from None
            atexit.register(peers.finish, code)
            raise
        peers.explain(error)
        text = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        if peers.fail(code, text):
            raise SystemExit(code) from None
        raise
    if not in_command:
        peers.exchange({})  # nobody is ahead of the others, whatever the program does next
    elif peers.rank:
        if code := peers.finish(0):
            raise SystemExit(code)
    else:
        atexit.register(peers.finish, PreemptedError.exit_code if summary.get("status") == "preempted" else 0)


def shared_start(start: Start, template: "TrainState", data_hash: Callable[[], str], console: RunConsole) -> Start:
    """The state and progress of process 0, and the data of all compared.

    Args:
        start: of this process; only that of process 0 counts.
        template: a state of the same shapes.
        data_hash: returns the hash of this process's dataset.
        console: begins its log.

    Raises:
        DataError: if a process has other data.
    """
    from nnjax.parallel.peers import peers

    joined = peers()
    if joined.count == 1:
        return start
    hashes = [str(answer["data"]) for answer in joined.exchange({"data": data_hash()})]
    if strangers := [rank for rank, found in enumerate(hashes) if found != hashes[0]]:
        own = ", ".join(f"process {rank} on {joined.names[rank]}: {hashes[rank][:12]}" for rank in (0, *strangers))
        raise DataError(f"data: the processes have other data ({own}); it must be the same on each machine")
    state, progress = shared_state(start.state, start.progress, template)
    joined.note(step=progress.step, saved=progress.step or None)
    if joined.rank and joined.folder is not None and joined.folder.is_dir():
        with suppress(OSError):
            console.log_to(joined.folder / f"rank-{joined.rank}.log")
    return replace(start, state=state, progress=progress)


def shared_state(
    state: "TrainState", progress: TrainingProgress, template: "TrainState"
) -> "tuple[TrainState, TrainingProgress]":
    """Process 0's state and progress, in all processes.

    Args:
        state: used in process 0.
        progress: used in process 0.
        template: a state of the same shapes.
    """
    import jax

    from nnjax.parallel.peers import peers

    joined = peers()
    if joined.count == 1:
        return state, progress
    if joined.rank == 0:
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
        joined.broadcast(json.dumps(progress.to_json()).encode())
        joined.broadcast(b"".join(leaf.tobytes() for leaf in leaves))
        return state, progress
    progress = TrainingProgress.from_json(json.loads(joined.broadcast()))
    content, leaves, start = joined.broadcast(), [], 0
    for wanted in jax.tree.leaves(template):
        size = int(wanted.size) * np.dtype(wanted.dtype).itemsize
        leaves.append(np.frombuffer(content, wanted.dtype, wanted.size, start).reshape(wanted.shape).copy())
        start += size
    shared: TrainState = jax.tree.unflatten(jax.tree.structure(template), leaves)
    return shared, progress


class NoCheckpoints:
    """What the other processes save to: nothing; the best state comes from process 0."""

    def save(self, state: "TrainState", progress: TrainingProgress) -> None:
        """Does nothing."""

    def restore(self, template: "TrainState", which: Any) -> "tuple[TrainState, TrainingProgress]":
        """Returns what `shared_state` replaces."""
        return template, TrainingProgress()

    @property
    def steps(self) -> list[int]:
        """None are known here."""
        return []

    def wait(self) -> None:
        """Returns at once."""


def tell_others(code: int, message: str) -> None:
    """Ends the other processes where process 0 ends before it has joined them, such as at a finished run."""
    from nnjax.parallel.cluster import has_tried, join
    from nnjax.parallel.peers import Timeouts

    if has_tried():
        return
    with suppress(UserError):
        joined = join(detect(), Timeouts(start=60))
        if message:
            joined.fail(code, message)
        else:
            joined.dismiss(code)


def _processes(config: TrainConfig) -> Processes | None:
    """The processes to join; None for one."""
    from nnjax.parallel.jax_runtime import started

    found, wanted = detect(), config.parallel.processes
    if found.count == 1:
        found = started() or found  # a trainer may have started JAX's runtime
    if wanted != "auto" and wanted != found.count:
        if found.count == 1:
            reason = "this is one process; the command starts so many in a single run, not in a sweep or from Python"
        else:
            reason = f"{found.engine} started {found.count}; leave it at auto"
        raise ConfigError(f"parallel.processes={wanted}: {reason}")
    return None if found.count == 1 else found


def _shared_config(peers: "Peers", config: TrainConfig) -> TrainConfig:
    values = json.loads(peers.broadcast(json.dumps(to_mapping(config)).encode() if peers.rank == 0 else b""))
    return config if peers.rank == 0 else parse(TrainConfig, values)


def _shared_folder(peers: "Peers", run_dir: Path | None) -> Path | None:
    own = "" if run_dir is None or peers.rank else str(run_dir)
    found = peers.broadcast(own.encode(errors="surrogateescape")).decode(errors="surrogateescape")
    return Path(found) if found else None


def _note_loss(line: str, run_dir: Path | None, summary: dict[str, Any]) -> str:
    """Writes the summary of a run that a peer's end ends; returns how to go on."""
    if run_dir is None:
        return ""
    with suppress(StorageError):
        write_json(run_dir / "summary.json", {**summary, "status": "failed", "error": line})
    return f"; resume with: {verb_command('train')} {shell_word(f'resume={run_dir}')}"
