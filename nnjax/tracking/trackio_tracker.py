"""Writes a run with Trackio into a folder of SQLite files: `TRACKIO_DIR=RUN/trackio trackio show --project nnjax`.

It runs in a process of its own: see `nnjax.tracking.tracker_process`. `TRACKIO_DIR` names another folder, and
`TRACKIO_SPACE_ID` or `TRACKIO_SERVER_URL` a place that the run is sent to.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.tracking.tracker import Scalar, TrackedRun, log_checkpoints


class Trackio:
    """One run of Trackio, which finds a run again by its name: that ends with the run's identity."""

    def __init__(self) -> None:
        self._run: Any = None
        self._step = 0

    def start(self, run: TrackedRun, config: Mapping[str, Scalar]) -> str:
        """Starts the run, without a dashboard, and without records of the machine's load."""
        store = os.environ.setdefault("TRACKIO_DIR", str(run.store))
        Path(store).mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        import trackio

        self._step = run.resume_step or 0
        self._run = trackio.init(
            project=run.project,
            name=f"{run.name}-{run.run_id[:8]}",
            group=run.group,
            config=dict(config),
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        return f"TRACKIO_DIR={shlex.quote(store)} trackio show --project {run.project}"

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Writes numbers."""
        self._step = step
        self._run.log(dict(metrics), step=step)

    def figure(self, path: Path) -> None:
        """Writes an image, of which Trackio takes a copy."""
        import trackio

        self._run.log({f"figures/{path.stem}": trackio.Image(str(path))}, step=self._step)

    def checkpoint(self, folder: Path, copy: bool) -> None:
        """Writes an artifact of type `model`."""
        import trackio

        log_checkpoints(trackio, self._run, folder, copy)

    def finish(self, status: str, summary: Mapping[str, Scalar]) -> None:
        """Writes status and summary as the last row: Trackio has no other place for them."""
        if self._run is None:
            return
        texts = {key: value for key, value in summary.items() if value is not None}
        self._run.log({"status": status, **{f"summary/{key}": value for key, value in texts.items()}}, step=self._step)
        self._run.finish()
