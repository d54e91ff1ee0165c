"""A small network's weights over the training steps.

weight_curves(read_metrics(run_dir), run_dir / "figures/weights.png")
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nnjax.config.neuron_names import weight_symbols
from nnjax.reporting.figures.canvas import canvas, line_styles

_ABOUT = ("step", "epoch", "split", "seconds")


def weight_curves(records: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draws a panel for each layer with a line for each weight, called as in a trace: w_a1, and w_a0 for the bias.

    Args:
        records: from `read_metrics`; records of the split `weights` map layer.weight to its value.
        path: the PNG file.
    """
    records = [record for record in records if record["split"] == "weights"]
    names = [name for name in records[0] if name not in _ABOUT]
    layers = dict.fromkeys(name.rpartition(".")[0] for name in names)
    symbols = weight_symbols(names)
    steps = [record["step"] for record in records]
    with canvas(path, width=4.6 * len(layers), height=3.6) as figure:
        for axes, layer in zip(figure.subplots(1, len(layers), squeeze=False)[0], layers, strict=True):
            mine = [name for name in names if name.rpartition(".")[0] == layer]
            for name, style in zip(mine, line_styles(len(mine)), strict=True):
                values = [float("nan") if record[name] is None else record[name] for record in records]
                label = f"{symbols[name]}  {values[0]:.4g} → {values[-1]:.4g}"
                axes.plot(steps, values, label=label, marker="o" if len(steps) <= 30 else "", markersize=3.5, **style)
            axes.set_title(layer)
            axes.set_xlabel("step")
            axes.set_xlim(left=0)
            axes.locator_params(axis="x", integer=True)
            axes.legend(
                title="weight, first → last",
                alignment="left",
                fontsize="small",
                title_fontsize="small",
                loc="upper left",
                bbox_to_anchor=(1, 1),
            )
