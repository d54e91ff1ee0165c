"""A forecast beyond the data as a fan: the end of the history, the forecast, and its intervals.

draw_fan(future, labels, values, held_out=24, path=run_dir / "figures/forecast.png")
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nnjax.reporting.figures.canvas import BLACK, BLUE, GREY, canvas
from nnjax.reporting.figures.forecast_curve import tick_step
from nnjax.reporting.future_report import FutureLike, percent

_MAX_HISTORY = 4  # known values, as a multiple of the forecast's length
_MAX_MARKED = 150  # values, for a dot on each


def draw_fan(
    future: FutureLike, labels: Sequence[str], values: NDArray[np.float64], *, held_out: int, season: int, path: Path
) -> None:
    """Draws the forecast after the last known values.

    Args:
        future: the forecast.
        labels: of all known values.
        values: [n] all known values.
        held_out: number of values at the end that training did not use; they are shaded.
        season: values until the pattern repeats.
        path: the PNG file.
    """
    count, horizon = len(values), len(future.labels)
    first = max(0, count - max(_MAX_HISTORY * horizon, 3 * season, held_out))
    rows, ahead = np.arange(first, count), np.arange(count, count + horizon)
    few = count - first + horizon <= _MAX_MARKED
    everything = [*labels, *future.labels]
    with canvas(path, width=9.0, height=4.2) as figure:
        axes = figure.add_subplot()
        axes.set_title(f"{future.name}: known up to {labels[-1]}, then {horizon} values forecast")
        if held_out:
            axes.axvspan(
                count - held_out - 0.5, count - 0.5, color="#F1F1F1", linewidth=0, zorder=0, label="not used in training"
            )
        levels = sorted(future.lower, reverse=True)
        for place, level in enumerate(levels):
            shade = 0.16 + 0.2 * place / max(1, len(levels) - 1)
            ends = future.lower[level], future.upper[level]
            axes.fill_between(ahead, *ends, color=BLUE, alpha=shade, linewidth=0, label=f"{percent(level)} interval")
        axes.plot(rows, values[rows], color=BLACK, linewidth=1, marker="o" if few else "", markersize=2.5, label="known")
        axes.plot([count - 1, count], [values[-1], future.values[0]], color=GREY, linewidth=0.8, linestyle=":")
        if len(future.trials) > 1:
            axes.plot(ahead, future.trials[list(future.used)].T, color=BLUE, linewidth=0.5, alpha=0.5, label="_trials")
        axes.plot(ahead, future.values, color=BLUE, linewidth=2, linestyle="--", label="forecast")
        low, high = _limits(values[rows], future.values)
        axes.set_ylim(max(axes.get_ylim()[0], low), min(axes.get_ylim()[1], high))
        axes.set_xlim(first - 0.5, count + horizon - 0.5)
        axes.set_ylabel(future.name)
        step = tick_step(count + horizon - first, season, max(map(len, everything[first:])))
        ticks = [row for row in range(first, count + horizon) if (row - count) % step == 0]
        axes.set_xticks(ticks, [everything[row] for row in ticks])
        figure.legend(loc="outside lower center", ncols=6)


def _limits(known: NDArray[np.float64], forecast: NDArray[np.float64]) -> tuple[float, float]:
    """Ends of the axis that intervals must not leave: once the spread of everything else, above and below."""
    together = np.concatenate([known, forecast])
    low, high = float(together.min()), float(together.max())
    margin = (high - low) or 1.0
    return low - margin, high + margin
