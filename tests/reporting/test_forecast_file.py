"""A forecast as a CSV file."""

import csv
from types import SimpleNamespace

import numpy as np

from nnjax.reporting.forecast_file import write_forecast


def test_what_is_written_is_read_back(tmp_path):
    methods = {"network": [0.1, np.inf], "last_season": [1.0, 2.0], "season_before": [3.0, 4.0]}
    forecast = SimpleNamespace(
        labels=("first", "2024-01", 'a "b", c'),
        values=np.array([9.0, 1 / 3, 7.0]),
        methods={name: np.array(ahead) for name, ahead in methods.items()},
    )
    write_forecast(forecast, tmp_path / "forecast.csv")
    with (tmp_path / "forecast.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["2024-01", 'a "b", c']
    assert [float(row["truth"]) for row in rows] == [1 / 3, 7]
    assert {name: [float(row[name]) for row in rows] for name in methods} == methods
    assert [path.name for path in tmp_path.iterdir()] == ["forecast.csv"]
