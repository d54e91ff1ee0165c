"""Refuses a run's folder in which a file is no plain file of that folder, before anything in it is opened.

check_contents(run_dir)                          # before a run writes into it
check_contents(run_dir, written=False)           # before a run is read

A folder that somebody else made may hold `train.log` as a link to a file of yours: a resumed run would write there. The folder
itself, or a folder above it, may be a link.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from nnjax.config.errors import ConfigError
from nnjax.config.paths import shown_path, why
from nnjax.config.stored_files import kind_of

FILES = frozenset(
    {
        *(
            ".lock",
            "config.yaml",
            "metrics.jsonl",
            "summary.json",
            "evaluation.json",
            "multirun.yaml",
            "printed.txt",
            "sweep.json",
        ),
        *("train.log", "evaluate.log", "trace.log", "neuron.log", "prepare.log", "sweep.log"),
        *("autopsy.log", "autopsy.json", "reproduce.py", "verify.log", "verification.json"),
        *("forecast.log", "forecast.json"),
        *("netlab.log", "netlab.json", "netlab.csv"),
        *("predict.log", "predictions.jsonl", "export.log", "export.json", "serve.log"),
        *("traffic.log", "traffic.json", "traffic.csv", "traffic.png", "chrome_trace.json"),
        *("worksheet.log", "worksheet.html", "worksheet.pdf", "answers.html", "answers.pdf"),
        *("search.log", "search.csv", "journal.log", "journal.lock", "ask.lock"),
        *("test_predictions.safetensors", "compare.log", "comparison.json", "comparison.csv", "differences.csv"),
        *("comparison.md", "comparison.tex", "comparison.html"),
        *("forecast.csv", "trials.csv", "copies.csv", "losses.png"),
        *("report.log", "report.json", "report.html", "trackers.log"),
    }
)
"""The files that a verb writes into its folder, besides logs of further processes."""

FOLDERS = frozenset(
    {
        *(".hydra", "checkpoints", "figures", "profile", "diverged", "astra-sim", "found", "workers"),
        *("tensorboard", "mlflow", "trackio"),  # W&B makes links in its own
    }
)
"""The folders that a verb writes into its folder."""

BEGUN_FILES = frozenset({".lock", "config.yaml", "metrics.jsonl", "report.json"})
"""The files, besides logs, that a training may write before its first step."""

BEGUN_FOLDERS = frozenset({".hydra", "profile", "tensorboard", "wandb", "mlflow", "trackio"})
"""The folders that a training may write before its first step, besides an empty one for checkpoints."""

_MOST_ENTRIES = 100_000


def check_contents(folder: Path, *, written: bool = True) -> None:
    """Checks the files of a run's folder; other files in it, whose names no run uses, may be anything.

    Args:
        folder: a run's, or one that a run is about to be written into; it need not exist.
        written: whether a verb writes into it. Then a file may have no second name elsewhere (a hard link), either.

    Raises:
        ConfigError: for a link, a pipe, a socket, a device, a folder in the place of a file, or a file in that of a folder.
    """
    for number, (path, state, is_folder) in enumerate(_entries(folder)):
        shown, kind = shown_path(path), kind_of(state.st_mode)
        folder_here, file_here = stat.S_ISDIR(state.st_mode), stat.S_ISREG(state.st_mode)
        if is_folder is None and not (folder_here or file_here):
            raise ConfigError(f"{shown}: is {kind}, and a run's folder holds only files and folders of its own")
        if is_folder is not None and not (folder_here if is_folder else file_here):
            wanted = "a folder" if is_folder else "a file"
            raise ConfigError(f"{shown}: is {kind}, and must be {wanted} of the run's folder; copy the run, and take the copy")
        if written and file_here and state.st_nlink > 1:
            raise ConfigError(f"{shown}: has another name elsewhere (a hard link), where it would change, too; copy the run")
        if number > _MOST_ENTRIES:
            raise ConfigError(f"{shown_path(folder)}: holds more than {_MOST_ENTRIES:,} files of a run")


def _entries(folder: Path) -> Iterator[tuple[Path, os.stat_result, bool | None]]:
    """Yields the files of a run; with each whether it must be a folder, None for anything inside of one."""
    try:
        folders = []
        for entry in _scan(folder):
            is_folder = True if entry.name in FOLDERS else False if _is_file_of_a_run(entry.name) else None
            if is_folder is not None:
                yield Path(entry.path), entry.stat(follow_symlinks=False), is_folder
                if is_folder:
                    folders.append(Path(entry.path))
        while folders:
            for entry in _scan(folders.pop()):
                state = entry.stat(follow_symlinks=False)
                yield Path(entry.path), state, None
                if stat.S_ISDIR(state.st_mode):
                    folders.append(Path(entry.path))
    except OSError as error:
        raise ConfigError(f"{shown_path(Path(error.filename or folder))}: cannot be read: {why(error)}") from error


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


def _is_file_of_a_run(name: str) -> bool:
    return name in FILES or (name.startswith("rank-") and name.endswith(".log"))
