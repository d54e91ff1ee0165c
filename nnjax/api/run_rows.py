"""A file of rows for a run's network, read by the rules of the run's data.

    rows = rows_of_run(run_config.data, Path("new.csv"))
    answers = answer_rows(model, rows.read)
    rows.following                                     # "1961-01", the row that a series' answer is for

A series' file has to be in order and without gaps, as for `experiments.forecast`: the network is given its last rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nnjax.config.data_options import AirlineData, Data, SeriesData
from nnjax.config.errors import DataError
from nnjax.config.paths import shown_path
from nnjax.data.future_labels import step_of
from nnjax.data.newer_series import known_rows
from nnjax.serving.facts import ModelFacts
from nnjax.serving.input_rows import rows_from_csv, rows_from_lists

NEXT_ROW = "the next row"


@dataclass(frozen=True)
class RunRows:
    """Rows to answer.

    Attributes:
        read: makes inputs of them, for `nnjax.serving.series_values.answer_rows`.
        following: of a series, the label of the row after them.
        notes: what a person should know about the file.
    """

    read: Callable[[ModelFacts], NDArray[Any]]
    following: str = NEXT_ROW
    notes: tuple[str, ...] = ()


def rows_of_run(data: Data, path: Path) -> RunRows:
    """Returns the rows of a CSV file for a run.

    Args:
        data: the run's options.
        path: of the file. A series' may be a list of numbers, from old to new: one column without dates.

    Raises:
        DataError: if a series' file is a pipe, cannot be read, is out of order or has gaps, or its rows are another time apart
            than the run's. Other files are read when `read` is called.
    """
    path = path.expanduser()
    plain = partial(rows_from_csv, path)
    if not isinstance(data, AirlineData | SeriesData):
        return RunRows(plain)
    if path.is_fifo():
        raise DataError(f"rows={shown_path(path)}: is a pipe; must be a file, since a series is read more than once")
    if _is_list(path):
        return RunRows(plain)
    try:
        known = known_rows(data, str(path))
    except DataError as error:
        raise DataError(str(error).replace(f"data.file={shown_path(path)}", f"rows={shown_path(path)}")) from error
    following = known.labels(1)[0] if step_of(known.series.labels) else NEXT_ROW
    return RunRows(partial(rows_from_lists, known.series.values.tolist(), name=shown_path(path)), following, known.notes)


def _is_list(path: Path) -> bool:
    """Whether a file has one column; one that cannot be read is none."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            first = next((line for line in file if line.strip()), "")
    except (OSError, UnicodeDecodeError):
        return False
    return not any(separator in first for separator in ",;\t")
