"""A forecast beyond the data: its tables, its files and its figure."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console

from nnjax.reporting.figures.fan_chart import draw_fan
from nnjax.reporting.files import to_json
from nnjax.reporting.future_report import coverage_remarks, coverage_table, future_json, future_table, write_future


def coverage_of(rows="held_out", source="unseen", **changes):
    found = {
        "first": "2024-12",
        "origins": 1,
        "horizon": 24,
        "residuals": 31,
        "count": 24,
        "inside": {0.8: 18, 0.95: 24},
        "width": {0.8: 12.5, 0.95: 20.0},
    }
    return SimpleNamespace(rows=rows, source=source, **found | changes)


def future_of(horizon=3, trials=2, source="unseen", values=None):
    ahead = np.linspace(100, 130, horizon) if values is None else np.full(horizon, values)
    return SimpleNamespace(
        name="sales",
        labels=tuple(f"2025-{row + 1:02}" for row in range(horizon)),
        values=ahead,
        lower={0.8: ahead - 5, 0.95: ahead - 1 / 3},
        upper={0.8: ahead + 5, 0.95: ahead + 9},
        trials=np.stack([ahead] * trials),
        spread=np.full(horizon, 0.25),
        source=source,
        residuals=np.zeros((trials, 31)),
        coverage=(coverage_of(), coverage_of("trained", "trained", origins=30, count=360)),
    )


def shown(table, width=100):
    console = Console(width=width, record=True, file=SimpleNamespace(write=lambda text: None, flush=lambda: None))
    console.print(table)
    return [" ".join(line.split()) for line in console.export_text().splitlines()]


def test_each_row_has_its_intervals_and_the_trials_spread():
    lines = shown(future_table(future_of()))
    assert "sales 80% 95% ± trials" in lines
    assert "2025-01 100 95 to 105 99.67 to 109 0.25" in lines
    assert "± trials" not in " ".join(shown(future_table(future_of(trials=1))))


def test_of_many_rows_the_first_and_the_last_are_shown():
    lines = shown(future_table(future_of(horizon=40)))
    rows = [line.split()[0] for line in lines if line.startswith(("2025-", "…"))]
    assert rows == [*(f"2025-{row:02}" for row in range(1, 13)), "…", *(f"2025-{row:02}" for row in range(29, 41))]


def test_shares_are_shown_with_their_counts_and_what_they_prove():
    future = future_of()
    lines = shown(coverage_table(future.coverage))
    assert "held out, at once 1 24 31 unseen 75% 12.5 100% 20" in lines
    assert "trained on, rolling 30 360 31 trained 5% 12.5 7% 20" in lines
    remarks = coverage_remarks(future)
    assert remarks[0].startswith("Intervals: one-step errors of 31 rows that the training did not use")
    assert "The 24 held-out rows are one course, whose errors go together: a share of them is no proof" in remarks
    assert any("too small where it overfits" in line for line in coverage_remarks(future_of(source="trained")))
    assert not any("too small" in line for line in remarks)


def test_the_file_holds_every_number(tmp_path):
    future = future_of()
    write_future(future, tmp_path / "forecast.csv")
    with (tmp_path / "forecast.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["label", "forecast", "lower_80", "upper_80", "lower_95", "upper_95", "trial_spread"]
    assert [row["label"] for row in rows] == list(future.labels)
    assert [float(row["lower_95"]) for row in rows] == future.lower[0.95].tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["forecast.csv"]


def test_the_same_as_plain_values():
    found = json.loads(to_json(future_json(future_of())))
    assert found["intervals"][1] == {"level": 0.95, "lower": [100 - 1 / 3, 115 - 1 / 3, 130 - 1 / 3], "upper": [109, 124, 139]}
    assert found["residuals"] == {"of": "unseen", "count": 31}
    assert found["coverage"][0]["levels"][0] == {"level": 0.8, "inside": 18, "share": 0.75, "mean_width": 12.5}


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Draws a fan and returns matplotlib's figure."""
    figures, save = [], Figure.savefig

    def savefig(figure, *arguments, **options):
        figures.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)

    def draw(future, count=60, held_out=0, season=12):
        values = 100 + 10 * np.sin(np.arange(count))
        labels = [f"{2020 + month // 12}-{month % 12 + 1:02}" for month in range(count)]
        draw_fan(future, labels, values, held_out=held_out, season=season, path=tmp_path / "forecast.png")
        with Image.open(tmp_path / "forecast.png") as image:
            assert image.width > image.height > 300
        return figures[-1]

    return draw


def test_the_fan_follows_the_known_values(drawn):
    figure = drawn(future_of(horizon=12), held_out=24)
    (axes,) = figure.axes
    assert axes.get_title(loc="left") == "sales: known up to 2024-12, then 12 values forecast"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        *("held out in training", "95% interval", "80% interval", "known", "forecast")
    ]
    assert axes.get_xlim()[1] == 71.5
    assert "2025-01" in [label.get_text() for label in axes.get_xticklabels()]


@pytest.mark.parametrize(("horizon", "count"), [(1, 5), (700, 40), (3, 5000)])
def test_any_length(drawn, horizon, count):
    drawn(future_of(horizon=horizon, trials=1), count=count)


def test_intervals_that_run_away_leave_the_series_readable(drawn):
    future = future_of(horizon=6)
    future.upper[0.95] = np.full(6, 1e9)
    future.lower[0.95] = np.full(6, np.nan)
    low, high = drawn(future).axes[0].get_ylim()
    assert 0 < low < high < 200
