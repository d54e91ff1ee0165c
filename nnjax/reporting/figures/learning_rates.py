"""The results of trials with different learning rates.

draw_learning_rates(summary["trials"], run_dir / "figures/learning_rates.png")
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.reporting.figures.canvas import BLUE, GREY, RED, canvas, log_scale_if_wide
from nnjax.reporting.trial_results import spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_learning_rates(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draws the test loss and, if there is one, the test accuracy over the learning rate, each in a panel.

    Trials are dots; a line connects the means, with bars of one standard deviation if a learning rate has several trials. A
    mark at the bottom shows a learning rate at which every trial diverged.

    Args:
        rows: from `nnjax.reporting.trial_results.rows_of`, with at least two learning rates.
        path: the PNG file.
    """
    names = [name for name in ("test_loss", "test_accuracy") if name in rows[0]]
    with canvas(path, width=5.2 * len(names), height=3.8) as figure:
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            _draw(axes, rows, name)


def _draw(axes: "Axes", rows: Sequence[Mapping[str, Any]], name: str) -> None:
    factor = 100 if name == "test_accuracy" else 1
    rates = sorted({row["learning_rate"] for row in rows})
    rows = [row for row in rows if np.isfinite(row[name])]
    axes.plot(
        [row["learning_rate"] for row in rows],
        [factor * row[name] for row in rows],
        color=GREY,
        linestyle="",
        marker="o",
        markersize=3.5,
        alpha=0.5,
        label="a trial",
    )
    found = {rate: spread([factor * row[name] for row in rows if row["learning_rate"] == rate]) for rate in rates}
    axes.errorbar(
        rates,
        [found[rate].mean for rate in rates],
        yerr=[0 if np.isnan(found[rate].std) else found[rate].std for rate in rates],
        color=BLUE,
        marker="o",
        markersize=5,
        capsize=3,
        label="mean ± standard deviation" if any(found[rate].n > 1 for rate in rates) else "mean",
    )
    lost = [rate for rate in rates if found[rate].n == 0]
    if lost:
        across = axes.get_xaxis_transform()  # heights are shares of the panel's
        axes.plot(lost, [0.03] * len(lost), "x", color=RED, transform=across, label="every trial diverged")
    if min(rates) > 0:
        axes.set_xscale("log")
    elif max(rates) < 0:  # optimizer=textbook adds, so its learning rates are negative
        axes.set_xscale("symlog", linthresh=-max(rates))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.set_title(name.replace("_", " "))
    axes.set_xlabel("learning rate")
    if factor == 100:
        axes.yaxis.set_major_formatter("{x:.4g}%")
    else:
        log_scale_if_wide(axes, [row[name] for row in rows])
    axes.legend()
