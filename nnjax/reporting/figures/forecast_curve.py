"""A series with the network's forecast of its end, and the naive forecasts.

draw_forecast(forecast, run_dir / "figures/forecast.png")
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nnjax.reporting.figures.canvas import BLACK, BLUE, GREY, ORANGE, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_HISTORY = 5  # known values, as a multiple of the forecast's length
_MAX_MARKED = 150  # values, for a dot on each
_LETTERS = 115  # fit below an axis

_STYLES: dict[str, tuple[str, dict[str, Any]]] = {
    "network": ("forecast of the network", {"color": BLUE, "linestyle": "--", "linewidth": 2.2, "zorder": 3}),
    "last_season": ("last known season, repeated", {"color": GREY, "linestyle": ":", "linewidth": 1.6}),
    "season_before": ("truth of one season before", {"color": ORANGE, "linestyle": "-.", "linewidth": 1.4}),
}


class ForecastLike(Protocol):
    """A forecast to draw; `nnjax.training.forecast.Forecast`, without importing JAX.

    Attributes:
        name: the series' name.
        labels: each value's.
        values: [n] all true values.
        season: number of values until the pattern repeats.
        methods: forecasts [holdout] of the last values, by method: `network`, `last_season` and `season_before`.
        errors: `rmse` and `mae` by method.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def labels(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def values(self) -> NDArray[np.float64]: ...  # noqa: D102

    @property
    def season(self) -> int: ...  # noqa: D102

    @property
    def methods(self) -> Mapping[str, NDArray[np.float64]]: ...  # noqa: D102

    @property
    def errors(self) -> Mapping[str, Mapping[str, float]]: ...  # noqa: D102


def draw_forecast(forecast: ForecastLike, path: Path) -> None:
    """Draws history, truth and forecasts: the upper panel with a long history, the lower one from the last known season on.

    Args:
        forecast: the series and its forecasts.
        path: the PNG file.
    """
    count, holdout = len(forecast.values), len(forecast.methods["network"])
    start = count - holdout
    with canvas(path, width=9.0, height=6.6) as figure:
        above, below = figure.subplots(2, 1, height_ratios=[2, 3])
        above.set_title(f"{forecast.name}: known up to {forecast.labels[start - 1]}, then {holdout} values forecast")
        _draw(above, forecast, max(0, start - _MAX_HISTORY * holdout), ("network",))
        _draw(below, forecast, max(0, start - forecast.season), tuple(_STYLES))
        figure.legend(*below.get_legend_handles_labels(), loc="outside lower center", ncols=2)


def _draw(axes: "Axes", forecast: ForecastLike, first: int, methods: Sequence[str]) -> None:
    """Draws the series from row `first` on, and forecasts of its end."""
    count, start = len(forecast.values), len(forecast.values) - len(forecast.methods["network"])
    known, ahead = np.arange(first, start), np.arange(start, count)
    few = count - first <= _MAX_MARKED
    axes.axvspan(start - 0.5, count - 0.5, color="#F1F1F1", linewidth=0, zorder=0)
    axes.plot(known, forecast.values[known], color=BLACK, linewidth=1, label="known")
    rows = np.arange(start - 1, count)  # the true values' line starts at the last known value
    dots: dict[str, Any] = {"marker": "o" if few else "", "markersize": 3.5, "markevery": range(1, len(rows))}
    axes.plot(rows, forecast.values[rows], color=BLACK, linewidth=1, label="truth", **dots)
    for method in methods:
        text, style = _STYLES[method]
        errors = "   ".join(f"{name.upper()} {value:.4g}" for name, value in forecast.errors[method].items())
        axes.plot(ahead, forecast.methods[method], label=f"{text}   {errors}", **style)
    low, high = forecast.values[first:].min(), forecast.values[first:].max()
    margin = 0.5 * (high - low)  # a diverging forecast leaves the picture
    axes.set_ylim(max(axes.get_ylim()[0], low - margin), min(axes.get_ylim()[1], high + margin))
    axes.set_xlim(first - 0.5, count - 0.5)
    axes.set_ylabel(forecast.name)
    step = tick_step(count - first, forecast.season, max(map(len, forecast.labels[first:])))
    ticks = [row for row in range(first, count) if (row - start) % step == 0]
    axes.set_xticks(ticks, [forecast.labels[row] for row in ticks])


def tick_step(count: int, season: int, label_length: int) -> int:
    """Rows between labels: the smallest divisor or multiple of the season for which the labels fit."""
    room = max(1, _LETTERS // (label_length + 2))
    steps = [step for step in range(1, season) if season % step == 0] + list(range(season, count + season, season))
    return next(step for step in steps if count / step <= room)
