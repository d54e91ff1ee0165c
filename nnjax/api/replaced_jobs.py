"""Jobs that a resumed sweep trained anew, in a folder beside the old one: the old runs are not compared with the new ones.

    records, left_out = without_replaced(find_records(words), words)
    left_out            # ("2 runs left out, since a resume of the sweep trained the same jobs anew: …",)

`sweep.json` names the folders that count.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from nnjax.cli.sweep_file import read_sweep
from nnjax.comparing.network_pairs import some_of
from nnjax.config.diagnostics import count
from nnjax.config.errors import ConfigError
from nnjax.config.paths import shown_path
from nnjax.records.find import named_folders
from nnjax.records.record import RunRecord


def without_replaced(records: Sequence[RunRecord], words: Sequence[str]) -> tuple[tuple[RunRecord, ...], tuple[str, ...]]:
    """Leaves out the runs whose job was trained anew, but for those that a word names by the run's own folder.

    Returns:
        The other records, and a line on those left out, if there are any.
    """
    named = {folder for word in words for folder in named_folders(word) if folder.name == Path(word).resolve().name}
    left_out = replaced_runs([record.folder for record in records]) - named
    if not left_out:
        return tuple(records), ()
    names = some_of([shown_path(record.folder) for record in records if record.folder in left_out])
    line = f"{count(len(left_out), 'run')} left out, since a resume of the sweep trained the same jobs anew: {names}"
    return tuple(record for record in records if record.folder not in left_out), (
        f"{line}; a run that is named by its own folder counts",
    )


def replaced_runs(folders: Sequence[Path]) -> set[Path]:
    """Returns the runs whose job in a sweep was trained anew in another folder.

    A folder that the sweep never named, such as a run copied into it, is not replaced, nor one whose job the resume has not
    begun.

    Args:
        folders: of runs, absolute.
    """

    @cache
    def jobs(folder: Path) -> frozenset[Path]:
        """The newest folders of a sweep's jobs; none of a folder that is no sweep's, or whose list is damaged."""
        with suppress(ConfigError):
            return frozenset(_newest(folder / job.folder) for job in read_sweep(folder).jobs)
        return frozenset()

    @cache
    def is_replaced(folder: Path) -> bool:
        sweep = next((parent for parent in folder.parents if jobs(parent)), None)
        if sweep is None or folder in jobs(sweep):
            return False
        renamed = re.compile(re.escape(str(folder)) + r"(_\d+)+")  # as `nnjax.cli.sweep_again` names a new folder
        return any(renamed.fullmatch(str(job)) for job in jobs(sweep)) or is_replaced(folder.parent)

    return {folder for folder in folders if is_replaced(folder)}


def _newest(job: Path) -> Path:
    """Returns the newest folder of a job: `job`, or the one before it while the resume has not begun the job."""
    before = re.fullmatch(r"(.+)_\d+", job.name)
    return job if before is None or job.is_dir() else _newest(job.with_name(before[1]))
