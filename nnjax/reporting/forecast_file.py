"""A forecast as a CSV file for other programs: `forecast.csv`.

write_forecast(forecast, run_dir / "forecast.csv")
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nnjax.reporting.files import replacing

if TYPE_CHECKING:
    from nnjax.reporting.figures.forecast_curve import ForecastLike


def write_forecast(forecast: "ForecastLike", path: Path, others: Mapping[str, NDArray[np.float64]] | None = None) -> None:
    """Writes a row for each held-out value: its label, the true value, and each method's forecast, then those of `others`."""
    count = len(forecast.methods["network"])
    methods = {**forecast.methods, **(others or {})}
    columns = [forecast.values[-count:], *methods.values()]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["label", "truth", *methods])
        writer.writerows(zip(forecast.labels[-count:], *(column.tolist() for column in columns), strict=True))
