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
from nnjax.serving.input_rows import columns_note, read_text, rows_from_csv, rows_from_lists

NEXT_ROW = "the next row"


@dataclass(frozen=True)
class RunRows:
    """Rows to answer.

    Attributes:
        read: makes inputs of them, for `nnjax.serving.series_values.answer_rows`.
        following: of a series, the label of the row after them.
        notes: what a person should know about the file.
        note: more of that, for a model with the given facts.
    """

    read: Callable[[ModelFacts], NDArray[Any]]
    following: str = NEXT_ROW
    notes: tuple[str, ...] = ()
    note: Callable[[ModelFacts], str | None] = lambda facts: None


def rows_of_run(data: Data, path: Path) -> RunRows:
    """Returns the rows of a CSV file for a run.

    Args:
        data: the run's options.
        path: of the file. A series' may be a list of numbers, from old to new: one column without dates.

    Raises:
        DataError: if the file cannot be read; if a series' one is a pipe, is out of order or has gaps, or its rows are another
            time apart than the run's.
    """
    path = path.expanduser()
    name = shown_path(path)
    if not isinstance(data, AirlineData | SeriesData):
        text = read_text(path, name)
        return RunRows(partial(rows_from_csv, text, name=name), note=partial(columns_note, text, name=name))
    if path.is_fifo():
        raise DataError(f"rows={name}: is a pipe; must be a file, since a series is read more than once")
    if _is_list(path):
        return RunRows(partial(rows_from_csv, path))
    try:
        known = known_rows(data, str(path))
    except DataError as error:
        raise DataError(str(error).replace(f"data.file={name}", f"rows={name}")) from error
    following = known.labels(1)[0] if step_of(known.series.labels) else NEXT_ROW
    return RunRows(partial(rows_from_lists, known.series.values.tolist(), name=name), following, known.notes)


def _is_list(path: Path) -> bool:
    """Whether a file has one column; one that cannot be read is none."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            first = next((line for line in file if line.strip()), "")
    except (OSError, UnicodeDecodeError):
        return False
    return not any(separator in first for separator in ",;\t")
