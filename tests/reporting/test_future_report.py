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
from nnjax.reporting.future_report import (
    coverage_remarks,
    coverage_table,
    future_json,
    future_table,
    future_warnings,
    write_future,
)


def coverage_of(rows="held_out", source="unseen", **changes):
    found = {
        "first": "2024-12",
        "origins": 1,
        "horizon": 24,
        "residuals": 31,
        "count": 24,
        "distinct": 24,
        "inside": {0.8: 18, 0.95: 24},
        "width": {0.8: 12.5, 0.95: 20.0},
    }
    return SimpleNamespace(rows=rows, source=source, **found | changes)


def future_of(horizon=3, trials=2, source="unseen", values=None, **changes):
    ahead = np.linspace(100, 130, horizon) if values is None else np.full(horizon, values)
    future = SimpleNamespace(
        name="sales",
        labels=tuple(f"2025-{row + 1:02}" for row in range(horizon)),
        values=ahead,
        lower={0.8: ahead - 5, 0.95: ahead - 1 / 3},
        upper={0.8: ahead + 5, 0.95: ahead + 9},
        trials=np.stack([ahead] * trials),
        spread=np.full(horizon, 0.25),
        source=source,
        residuals=np.zeros((trials, 31)),
        used=tuple(range(trials)),
        learning_rate=None,
        courses=1000,
        lost=0,
        largest=100.0,
        unseen=31,
        bias=(0.1, 0.2),
        coverage=(coverage_of(), coverage_of("trained", "trained", origins=30, count=360)),
    )
    vars(future).update(changes)
    return future


def shown(table, width=100):
    console = Console(width=width, record=True, file=SimpleNamespace(write=lambda text: None, flush=lambda: None))
    console.print(table)
    return [" ".join(line.split()) for line in console.export_text().splitlines()]


def test_each_row_has_its_intervals_and_the_trials_spread():
    lines = shown(future_table(future_of()))
    assert "sales 80% 95% ± trials" in lines
    assert "2025-01 100 95 to 105 99.67 to 109 0.25" in lines
    assert "± trials" not in " ".join(shown(future_table(future_of(trials=1))))


@pytest.mark.parametrize(
    ("level", "texts"),
    [
        (1_000_000_400, "1000000400 1000000395 to 1000000405 1000000397 to 1000000409"),
        (112_345, "112345 112340 to 112350 112342 to 112354"),  # no 1.123e+05
        (1e-3, "0.001 -4.999 to 5.001 -2.999 to 9.001"),
    ],
)
def test_digits_tell_the_ends_of_an_interval_apart(level, texts):
    future = future_of(values=level, lower={}, upper={})
    future.lower, future.upper = (
        {0.8: future.values - 5, 0.95: future.values - 3},
        {0.8: future.values + 5, 0.95: future.values + 9},
    )
    assert f"2025-01 {texts} 0.25" in shown(future_table(future))
    nothing = {0.8: future.values}  # of one residual, or of a network that repeats a value
    assert "2025-01 " in shown(future_table(future_of(values=level, lower=nothing, upper=nothing)))[3]


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


def test_intervals_that_no_measurement_is_of_are_named():
    """Made of all unseen errors, they can only be measured with fewer, or with the training's."""
    assert not any("No share is of these very intervals" in line for line in coverage_remarks(future_of()))
    for other in (coverage_of(source="trained"), coverage_of(residuals=12)):
        future = future_of(coverage=(other,))
        assert any("No share is of these very intervals" in line for line in coverage_remarks(future))
        assert future_json(future)["intervals_measured"] is False


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"lost": 3}, "3 of 1,000 simulated courses run away to infinity and are left out: the intervals are too narrow"),
        ({"values": 1e21}, "reach 1e+21, and the known values 100: the network may run away"),
        ({"residuals": np.zeros((2, 5))}, "made of 5 errors; fewer than 20 are too few"),
        (
            {"bias": (-0.4, 0.08)},
            "The mean of the 31 errors is -0.4 ± 0.08, scaled as the network's outputs are: it forecasts too high",
        ),
        ({"bias": (0.4, 0.08)}, "too low"),
    ],
)
def test_doubtful_forecasts_are_warned_of(changes, warning):
    assert future_warnings(future_of()) == []
    (line,) = future_warnings(future_of(**changes))
    assert warning in line


@pytest.mark.parametrize(
    ("unseen", "advice"),
    [
        (0, "overfits; data.validation=0.2 sets rows aside"),
        (11, "the 11 rows that it did not use are fewer than 20: a larger data.validation sets more aside"),
        (1, "the 1 row that it did not use"),
        (24, "residuals=unseen takes those of the 24 rows that it did not use"),
    ],
)
def test_advice_is_not_what_was_done(unseen, advice):
    assert any(advice in line for line in coverage_remarks(future_of(source="trained", unseen=unseen)))


def test_rows_that_several_origins_forecast_are_counted_once():
    future = future_of(coverage=(coverage_of("held_out_rolling", origins=13, count=156, distinct=24),))
    assert "Several origins forecast the same rows: 156 values held out, rolling, are 24 rows" in coverage_remarks(future)
    assert future_json(future)["coverage"][0]["distinct_rows"] == 24
    assert not any("Several origins" in line for line in coverage_remarks(future_of(coverage=(coverage_of(),))))


def test_the_learning_rate_that_answers_is_named():
    first = coverage_remarks(future_of(trials=4, used=(0, 1), learning_rate=0.03))[0]
    assert first.startswith("2 of 4 trials answer, with learning_rate=0.03, the one with the smallest loss in validation")


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
    assert found["intervals_measured"] is True
    assert found["courses"] == {"count": 1000, "not_finite": 0}
    assert found["answering"] == {"trials": [0, 1], "learning_rate": None}
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
        *("not used in training", "95% interval", "80% interval", "known", "forecast")
    ]
    assert axes.get_xlim()[1] == 71.5
    assert "2025-01" in [label.get_text() for label in axes.get_xticklabels()]


def test_trials_that_do_not_answer_are_not_drawn(drawn):
    """Those of a worse learning rate are no part of the forecast."""
    future = future_of(horizon=4, trials=3, used=(0, 1))
    future.trials[2] = -1000
    (axes,) = drawn(future).axes
    assert len([line for line in axes.lines if len(line.get_xdata()) == 4]) == 2 + 1  # each trial that answers, and the mean
    assert min(line.get_ydata().min() for line in axes.lines) > 0


@pytest.mark.parametrize(("horizon", "count"), [(1, 5), (700, 40), (3, 5000)])
def test_any_length(drawn, horizon, count):
    drawn(future_of(horizon=horizon, trials=1), count=count)


def test_intervals_that_run_away_leave_the_series_readable(drawn):
    future = future_of(horizon=6)
    future.upper[0.95] = np.full(6, 1e9)
    future.lower[0.95] = np.full(6, np.nan)
    low, high = drawn(future).axes[0].get_ylim()
    assert 0 < low < high < 200
