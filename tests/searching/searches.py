"""Configs of searches, and a process that asks for a trial and is killed."""

import subprocess
import sys

from nnjax.cli.compose import compose_config
from nnjax.config.search_options import SearchConfig

RATE = "optimizer.learning_rate"
RANGE = f"{{key: {RATE}, low: 1e-4, high: 0.1, log: true, points: 4}}"
DROPOUT = "{key: model.dropout, low: 0.0, high: 0.5, points: 3}"

ASKS_AND_DIES = """
import fcntl, os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[4:]
from searches import search
from nnjax.searching.study import SearchStudy
folder, worker = Path(sys.argv[1]), sys.argv[2]
(folder / worker).mkdir(parents=True, exist_ok=True)
lock = os.open(folder / worker / ".lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
study = SearchStudy(folder, worker, search(*sys.argv[3].split(";")), 5)
print([trial.number for trial in study.ask()], flush=True)
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""


def search(*overrides, space=(RANGE, DROPOUT)):
    """A search's config; the experiment is a network for the digits."""
    return compose_config(
        "search", ["model=fnn", f"search.space=[{','.join(space)}]", "search.startup=3", *overrides], SearchConfig
    )


def asking_process(folder, worker, *overrides):
    """A process that has asked for a generation of trials, and is killed by a line on its standard input."""
    command = [sys.executable, "-c", ASKS_AND_DIES, str(folder), worker, ";".join(overrides) or "seed=0", *sys.path]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    numbers = process.stdout.readline()
    return process, numbers


def kill(process):
    process.communicate("\n")
    assert process.returncode == -9
