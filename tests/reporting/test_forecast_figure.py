"""The forecast's figure: for any length and labels, and for diverging forecasts."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from nnjax.reporting.figures.forecast_curve import draw_forecast


def forecast_of(count, holdout, season, labels=None, network=None):
    values = 100 + np.arange(count) + 10 * np.sin(2 * np.pi * np.arange(count) / max(season, 2))
    names = ("network", "last_season", "season_before")
    methods = {name: values[-holdout:] + shift for name, shift in zip(names, (1, -3, 5), strict=True)}
    methods |= {} if network is None else {"network": np.full(holdout, network)}
    months = [f"{1949 + month // 12}-{month % 12 + 1:02}" for month in range(count)]
    errors = {name: {"rmse": 1.0, "mae": 2.0} for name in names}
    return SimpleNamespace(
        name="sales", labels=tuple(labels or months), values=values, season=season, methods=methods, errors=errors
    )


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Draws a forecast and returns matplotlib's figure."""
    figures, save = [], Figure.savefig

    def savefig(figure, *arguments, **options):
        figures.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)

    def draw(forecast):
        draw_forecast(forecast, tmp_path / "forecast.png")
        with Image.open(tmp_path / "forecast.png") as image:
            assert image.width > image.height > 400
        return figures[-1]

    return draw


def labels_below(axes):
    return [label.get_text() for label in axes.get_xticklabels()]


def test_months_are_named_below_the_axes(drawn):
    above, below = drawn(forecast_of(144, 24, 12)).axes
    assert labels_below(above) == [f"{year}-01" for year in range(1949, 1961)]
    assert labels_below(below)[:4] == ["1958-01", "1958-04", "1958-07", "1958-10"]


def test_all_methods_and_their_errors_stand_in_the_legend(drawn):
    forecast = forecast_of(144, 24, 12)
    forecast.errors["network"] = {"rmse": 12.345, "mae": 6.789}
    (legend,) = drawn(forecast).legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts[:2] == ["known", "truth"]
    assert texts[2] == "forecast of the network   RMSE 12.35   MAE 6.789"
    assert len(texts) == 5


def test_lines_differ_without_colour(drawn):
    below = drawn(forecast_of(144, 24, 12)).axes[1]
    looks = [(line.get_linestyle(), line.get_marker()) for line in below.lines]
    assert len(set(looks)) == len(looks) == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "holdout", "season", "labels"),
    [
        (5, 1, 1, None),
        (40, 24, 12, None),
        (5000, 700, 365, [f"2024-01-01 {number:06}" for number in range(5000)]),
        (60, 10, 7, [str(number) for number in range(60)]),
    ],
)
def test_any_length_and_label(drawn, count, holdout, season, labels):
    above, below = drawn(forecast_of(count, holdout, season, labels)).axes
    for axes in (above, below):
        names = labels_below(axes)
        assert len(names) >= 1
        assert sum(len(name) + 2 for name in names) <= 120


@pytest.mark.slow
@pytest.mark.parametrize("network", [1e30, -1e30, np.nan, np.inf])
def test_a_forecast_that_runs_away_leaves_the_series_readable(drawn, network):
    forecast = forecast_of(144, 24, 12, network=network)
    low, high = drawn(forecast).axes[0].get_ylim()
    spread = np.ptp(forecast.values)
    assert forecast.values.min() - spread < low < forecast.values.min()
    assert forecast.values.max() < high < forecast.values.max() + spread
