"""A tracker's own process: reads calls from its standard input, one JSON array a line, and passes them to the tracker.

    echo '["finish", "completed", {}]' | python -c "from nnjax.tracking.tracker_process import main; main('a:B', '/tmp/x')"

Why a process: the libraries take seconds to import, start threads and servers, register functions to run at exit, write to the
console, read their settings from the environment once in a process, and may crash or wait for a server. Here none of it touches
the training. If the training's process ends, however it ends, this one reads the end of its input, and closes the tracker's
run with the status `killed`. It is in a session of its own, so that Ctrl-C in the terminal does not reach it, and it ignores
SIGTERM, which Slurm, systemd and a sweep send to every process of a job: the training saves first, and then closes the run.

It answers with one JSON object a line: `{"place": …}` when the run is open, `{"failed": …}` once, `{"done": true}` at the end.
"""

import importlib
import json
import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from nnjax.tracking.tracker import TrackedRun, Tracker, reason_of, without_password

TRACKERS = {
    "wandb": "nnjax.tracking.wandb_tracker:Wandb",
    "mlflow": "nnjax.tracking.mlflow_tracker:MLflow",
    "trackio": "nnjax.tracking.trackio_tracker:Trackio",
}
"""Where the class of each tracker is."""

_NICENESS = 10  # the training goes first


def main(target: str, scratch: str) -> None:
    """Runs a tracker until `finish` or the end of the input.

    Args:
        target: its class, as MODULE:CLASS.
        scratch: a folder for temporary files, which is removed at the end; `TMPDIR` names it, too.
    """
    calls, answers = os.fdopen(os.dup(0), "r", encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    silence = os.open(os.devnull, os.O_RDONLY)
    os.dup2(silence, 0)  # a library that asks for a password must not read the calls
    os.dup2(2, 1)  # what a library prints goes to the log
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # processes that a library starts ignore them, too
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(_NICENESS)
    failed = _serve(target, calls, answers)
    shutil.rmtree(scratch, ignore_errors=True)
    with suppress(OSError):
        answers.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1 if failed else 0)  # what libraries do at exit is of no use here


def _serve(target: str, calls: IO[str], answers: IO[str]) -> bool:
    """Passes the calls on until the last one; returns whether one failed."""
    tracker: Tracker | None = None
    try:
        module, _, name = target.partition(":")
        tracker = getattr(importlib.import_module(module), name)()
        for line in calls:
            what, *values = json.loads(line)
            if what == "start":
                _answer(answers, place=without_password(tracker.start(_run_of(values[0]), values[1])))
            elif what == "log":
                tracker.log(*values)
            elif what == "figure":
                tracker.figure(Path(values[0]))
            elif what == "checkpoint":
                tracker.checkpoint(Path(values[0]), values[1])
            else:
                tracker.finish(*values)
                _answer(answers, done=True)
                return False
        tracker.finish("killed", {})
    except BaseException as error:  # a library may call sys.exit
        print(without_password(f"{target}: {type(error).__name__}: {error}"), file=sys.stderr, flush=True)
        _answer(answers, failed=reason_of(error))
        with suppress(BaseException):
            if tracker is not None:
                tracker.finish("killed", {})
        return True
    return False


def _run_of(values: dict[str, Any]) -> TrackedRun:
    paths = {key: Path(values[key]) for key in ("folder", "store")}
    return TrackedRun(**{**values, **paths})


def _answer(answers: IO[str], **values: Any) -> None:
    with suppress(OSError):  # the training has ended
        answers.write(json.dumps(values) + "\n")
        answers.flush()
