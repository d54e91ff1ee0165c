"""Finds runs by the words of a command line: folders of runs or sweeps, patterns, `outputs` itself.

    find_records(["outputs/train/2026-11-23/14-05-09_cnn_digits", "outputs/sweeps/2026-11-23/15-00-00"])
    find_folders("outputs/train/*/*_cnn_*", "runs")          # the runs' folders alone

A word may start at the current folder or at the project's root. Folders named `trash` and hidden ones are left out.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from nnjax.records.record import RunRecord


def find_records(words: Sequence[str], key: str = "runs") -> tuple[RunRecord, ...]:
    """Reads the runs that the words name, each once, in the words' order and within a word in that of the paths.

    Args:
        words: see `find_folders`.
        key: of the command's config, for the error.

    Raises:
        ConfigError: for a word that names no run, with the nearest run.
    """
    raise NotImplementedError


def find_folders(word: str, key: str = "runs") -> tuple[Path, ...]:
    """The folders of the trainings that a word names, absolute and sorted.

    Args:
        word: a run's folder, a folder with runs at any depth below it (of a sweep, a day, `outputs`), or a pattern of such
            (`*`, `?`, `[…]`).
        key: of the command's config, for the error.

    Raises:
        ConfigError: if it names no run, with the nearest run.
    """
    raise NotImplementedError


def run_folders(folder: Path) -> Iterator[Path]:
    """Yields the folders of trainings at or below a folder, sorted; those of other verbs are left out.

    A run's own folder is not searched for further runs.
    """
    raise NotImplementedError
