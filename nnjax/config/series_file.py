"""Reads a column of numbers from a CSV file; before JAX, so that a mistake in the file is told in half a second.

series = read_series(config.data)
series.labels[0], series.values[0]       # "1949-01", 112.0
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from nnjax.config.data_options import SeriesData, SeriesOptions

_AIRLINE = Path(__file__).parents[1] / "data" / "airline_passengers.csv"


@dataclass(frozen=True)
class Series:
    """A time series.

    Attributes:
        name: what the values are.
        labels: of each row, its first other column; else its number.
        values: one a row.
    """

    name: str
    labels: tuple[str, ...]
    values: tuple[float, ...]


def read_series(data: SeriesOptions) -> Series:
    """The series of a config.

    Raises:
        DataError: if the file cannot be read, or the column is no series of numbers.
    """
    path, column = (Path(data.file), data.column or "") if isinstance(data, SeriesData) else (_AIRLINE, "passengers")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return Series(column, tuple(row["month"] for row in rows), tuple(float(row[column]) for row in rows))
