"""Learning curves over the epochs, and a regression's predictions against the true values.

learning_curves(read_metrics(run_dir), run_dir / "figures/learning_curves.png")
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnjax.reporting.figures.canvas import BLACK, BLUE, GREY, ORANGE, canvas, grid_shape, log_scale_if_wide, sheet
from nnjax.reporting.text import metric_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_MARKERS = 30
_MAX_OUTPUTS = 9


def learning_curves(records: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draws the loss, and the accuracy if there is one, over the epochs: lines for train and validation, a diamond for test.

    For several trials the lines are means, with a band of one standard deviation on either side.

    The loss axis is logarithmic if the loss spans more than two decades.

    Args:
        records: from `read_metrics`, with epoch, split, loss and perhaps accuracy; null breaks a line.
        path: the PNG file.
    """
    names = [name for name in ("loss", "accuracy") if any(name in record for record in records)] or ["loss"]
    columns, gap = len(names), 0.75
    with sheet(path, width=4.5 * columns + gap * (columns - 1), height=3.1, columns=columns, gap=gap) as figure:
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            _draw_metric(axes, records, name)
            if name == "accuracy":
                axes.yaxis.set_major_formatter("{x:.4g}%")
            else:
                log_scale_if_wide(axes, [record[name] for record in records if record.get(name) is not None])


def _draw_metric(axes: "Axes", records: Sequence[Mapping[str, Any]], name: str) -> None:
    factor = 100 if name == "accuracy" else 1
    styles: dict[str, dict[str, Any]] = {
        "train": {"color": BLUE, "linestyle": "-", "marker": "o"},
        "validation": {"color": ORANGE, "linestyle": (0, (5, 1.2)), "marker": "s"},
    }
    for split, style in styles.items():
        points = [(record["epoch"], record[name]) for record in records if record["split"] == split and name in record]
        if not points:
            continue
        epochs, values = np.array(points, dtype=float).T
        few = len(points) <= _MAX_MARKERS
        style["marker"] = style["marker"] if few else ""
        style["linewidth"] = 1.6 if few else 1.1
        label = f"{split}  {metric_text(name, values[-1])}"
        axes.plot(epochs, values * factor, label=label, markersize=4, **style)
        _draw_band(axes, records, split, name, factor, style["color"])
    tests = [record for record in records if record["split"] == "test" and record.get(name) is not None]
    if tests:
        epoch, value = tests[-1]["epoch"], tests[-1][name]
        axes.axhline(value * factor, color=BLACK, linestyle=":", linewidth=0.9)
        label = f"test  {metric_text(name, value)}"
        axes.plot([epoch], [value * factor], color=BLACK, marker="D", markersize=6, linestyle="", label=label)
    axes.set_title(name)
    axes.yaxis.set_offset_position("right")  # the title is on the left
    axes.set_xlabel("epoch")
    if axes.has_data():
        axes.set_xlim(left=0)
        axes.locator_params(axis="x", nbins=6)
        axes.legend(title="at the end", alignment="left", title_fontsize="small")
    else:
        axes.text(0.5, 0.5, "nothing was recorded", ha="center", transform=axes.transAxes, color=GREY)


def _draw_band(axes: "Axes", records: Sequence[Mapping[str, Any]], split: str, name: str, factor: float, color: str) -> None:
    """Draws mean ± standard deviation, if the records have one."""
    points = [
        (record["epoch"], record[name], record[f"{name}_std"], record["trials"])
        for record in records
        if record["split"] == split and record.get(f"{name}_std") is not None
    ]
    if not points:
        return
    epochs, mean, std, trials = np.array(points, dtype=float).T
    label = f"± standard deviation of {trials[-1]:.0f} trials"
    low, high = (mean - std) * factor, (mean + std) * factor
    axes.fill_between(epochs, low, high, color=color, alpha=0.2, linewidth=0, label=label)


def regression_fit(targets: NDArray[Any], outputs: NDArray[Any], path: Path, *, scaled: bool = False) -> None:
    """Draws predicted against true values, a panel for each of the first nine outputs, with the line of equality.

    The values of a series are scaled changes, one step ahead. R² compares with their mean: that is no forecast of the series
    and says nothing of one, so it is left out.

    Args:
        targets: [n, k] true values.
        outputs: [n, k] predictions.
        path: the PNG file.
        scaled: whether the values are those of a series.
    """
    num_outputs = min(targets.shape[1], _MAX_OUTPUTS)
    rows, columns = grid_shape(num_outputs)
    side = 4.0 if num_outputs == 1 else 2.8
    with canvas(path, width=side * columns, height=side * rows) as figure:
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for index, axes in enumerate(panels):
            if index >= num_outputs:
                axes.set_axis_off()
                continue
            true, predicted = np.asarray(targets[:, index], float), np.asarray(outputs[:, index], float)
            few = len(true) <= 200
            axes.scatter(true, predicted, s=24 if few else 6, alpha=0.8 if few else 0.3, color=BLUE, linewidths=0)
            axes.axline((true[0], true[0]), slope=1, color=GREY, linewidth=1, linestyle="--", zorder=0)
            both = np.concatenate([true, predicted])
            low, high = both[np.isfinite(both)].min(), both[np.isfinite(both)].max()
            # Nearly equal values get ticks of few digits.
            margin = max(0.06 * (high - low), 0.01 * max(abs(low), abs(high))) or 1.0
            axes.set(aspect="equal", xlim=(low - margin, high + margin), ylim=(low - margin, high + margin))
            rmse = float(np.sqrt(np.mean((predicted - true) ** 2)))
            output = f"output {index + 1}   " if targets.shape[1] > 1 else ""
            axes.ticklabel_format(useOffset=False)
            axes.set_title(f"{output}RMSE {rmse:.3g}{'' if scaled else _r_squared_text(true, predicted)}")
        unit = ", scaled, one step ahead" if scaled else ""
        figure.supxlabel(f"true{unit}", fontsize=9)
        figure.supylabel(f"predicted{unit}", fontsize=9)


def _r_squared_text(true: NDArray[np.float64], predicted: NDArray[np.float64]) -> str:
    spread = np.sum((true - true.mean()) ** 2)
    return f"   R² {1 - np.sum((predicted - true) ** 2) / spread:.4f}" if spread > 0 else ""
