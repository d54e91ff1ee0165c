"""Writes a run with Weights & Biases, offline: `wandb sync RUN/wandb/offline-run-*` uploads it, if ever.

It runs in a process of its own: see `nnjax.tracking.tracker_process`. `WANDB_MODE=online` in the environment uploads at once.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.tracking.tracker import SUCCEEDED, Scalar, TrackedRun, log_checkpoints


class Wandb:
    """One run of Weights & Biases.

    The identity of the nnjax run is that of the W&B run. Offline, each session leaves a folder of its own with that identity,
    and `wandb sync` puts them together, in order. The axis of all charts is the metric `step`: W&B's own counter only grows,
    and a test of the best checkpoint belongs to an earlier step.
    """

    def __init__(self) -> None:
        self._run: Any = None
        self._step = 0

    def start(self, run: TrackedRun, config: Mapping[str, Scalar]) -> str:
        """Starts the run. Of the machine it records the installed packages; no console, host name, git state, code or load."""
        store = Path(os.environ.setdefault("WANDB_DIR", str(run.store.parent)))  # W&B makes a folder `wandb` in it
        own = store / "wandb"
        if own.is_symlink():
            raise OSError(f"{own} is a link, and must be a folder")
        own.mkdir(parents=True, exist_ok=True)
        for name in ("data", "cache", "artifact"):
            os.environ.setdefault(f"WANDB_{name.upper()}_DIR", str(own / name))
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        mode: Any = os.environ.get("WANDB_MODE", "offline")
        settings = wandb.Settings(
            console="off",
            silent=True,
            symlink=False,
            host="",
            disable_git=True,
            disable_code=True,
            save_code=False,
            disable_job_creation=True,
            x_disable_stats=True,
            x_disable_meta=True,
            init_timeout=60,
        )
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", run.project),
            id=run.run_id,
            name=os.environ.get("WANDB_NAME", run.name),
            group=os.environ.get("WANDB_RUN_GROUP", run.group),
            dir=str(store),
            config=dict(config),
            resume="allow",
            mode=mode,
            settings=settings,
        )
        self._step = run.resume_step or 0
        self._run.define_metric("*", step_metric="step")
        if mode != "offline":
            return str(self._run.url or own)
        return f"wandb sync {shlex.quote(str(Path(self._run.dir).parent))}, should it ever be uploaded"

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Writes a row."""
        self._step = step
        self._run.log({"step": step, **metrics})

    def figure(self, path: Path) -> None:
        """Writes an image, of which W&B takes a copy."""
        import wandb

        self._run.log({"step": self._step, f"figures/{path.stem}": wandb.Image(str(path))})

    def checkpoint(self, folder: Path, copy: bool) -> None:
        """Writes an artifact of type `model`."""
        import wandb

        log_checkpoints(wandb, self._run, folder, copy)

    def finish(self, status: str, summary: Mapping[str, Scalar]) -> None:
        """Writes the summary, and ends the run as finished, failed or preempted."""
        import wandb

        if self._run is None:
            return
        self._run.summary.update({"status": status, **summary})
        if status == "preempted":
            self._run.mark_preempting()
        self._run.finish(exit_code=0 if status in SUCCEEDED else 1)
        wandb.teardown()
