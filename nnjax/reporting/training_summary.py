"""The summary of a training: begun before it, filled while it runs, and written however it ends.

with summarized(config, run_dir, console) as summary:
    summary["num_params"] = 26122
# summary.json is there, with a status and the time that it took, and the table of results was printed
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nnjax.cli.plugins import plugins_summary
from nnjax.cli.resume_notice import other_past
from nnjax.cli.run_folder import begin_records
from nnjax.config.errors import DivergedError, StorageError
from nnjax.config.parsing import config_hash
from nnjax.config.paths import shown_path
from nnjax.config.schema import TrainConfig
from nnjax.reporting.accounting import goodput
from nnjax.reporting.console import RunConsole
from nnjax.reporting.run_summary import environment, peak_rss_mb, write_json
from nnjax.reporting.tables import closing_table


@contextmanager
def summarized(config: TrainConfig, run_dir: Path | None, console: RunConsole) -> Iterator[dict[str, Any]]:
    """Yields a summary to fill; on leaving it holds the time, and the error where there was one.

    Args:
        config: the experiment.
        run_dir: where `summary.json` is written; None writes nothing.
        console: shows the table of results at the end, if a step was taken.

    The summary of a run whose resume was refused, before `begin_resumed`, is not written: the earlier one stays.
    """
    started = time.perf_counter()
    summary: dict[str, Any] = {
        "name": None if run_dir is None else run_dir.name,
        "status": "failed",
        "model": config.model.name,
        "data": config.data.name,
        "activation": config.activation.name,
        "parallel": config.parallel.name,
        "seed": config.seed,
        "config_hash": config_hash(config) if config.resume is None else None,
        "run_dir": None if run_dir is None else str(run_dir),
        **plugins_summary(),
        **environment(),
    }
    try:
        yield summary
    except BaseException as error:
        summary["error"] = str(error) or type(error).__name__
        summary["status"] = "diverged" if isinstance(error, DivergedError) else "failed"
        raise
    finally:
        total = time.perf_counter() - started + summary.pop("earlier_seconds", 0.0)
        summary.setdefault("seconds", {})["total"] = total
        summary["goodput"] = goodput(summary["seconds"], summary.pop("communication", None))
        summary["peak_rss_mb"] = peak_rss_mb()
        refused = summary["config_hash"] is None  # a resume that was not accepted leaves the folder as it is
        fault = None if run_dir is None or refused else _write(summary, run_dir, console)
        if "steps" in summary:
            console.print(closing_table(summary))
        if fault is not None and "error" not in summary:
            raise fault


def begin_resumed(config: TrainConfig, run_dir: Path | None, console: RunConsole, summary: dict[str, Any]) -> None:
    """Begins to write into the folder of a resumed run, whose data and checkpoint were accepted: records, log and summary."""
    if run_dir is not None and config.resume is not None:
        begin_records(config, run_dir)
        console.begin_log()
        summary["config_hash"] = config_hash(config, other_past(config, run_dir))


def _write(summary: dict[str, Any], run_dir: Path, console: RunConsole) -> StorageError | None:
    """Writes `summary.json`; a failure leaves the old file as it is, and does not hide the error that ended the training."""
    try:
        if not run_dir.is_dir():  # it must not come into being again, with a summary alone
            raise StorageError(f"{shown_path(run_dir)}: is gone; summary.json is not written")
        write_json(run_dir / "summary.json", summary)
    except StorageError as fault:
        if "error" in summary:
            console.warn(str(fault))
        return fault
    return None
