"""The losses of a sweep's jobs side by side.

draw_sweep({"relu": read_metrics(first), "tanh": read_metrics(second)}, sweep_dir / "losses.png")
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nnjax.reporting.figures.canvas import canvas, line_looks, log_scale_if_wide
from nnjax.reporting.text import metric_text


def draw_sweep(jobs: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """A line for the training loss of each job, over the epochs, or over the steps where each epoch is one.

    Args:
        jobs: from what is said of a job to its records, as `read_metrics` returns them; up to 20 look different.
        path: the PNG file.
    """
    curves = {
        name: [(record["step"], record["epoch"], record["loss"]) for record in records if record["split"] == "train"]
        for name, records in jobs.items()
    }
    by_step = all(step == epoch for curve in curves.values() for step, epoch, _ in curve)
    with canvas(path, width=6.4, height=4.2) as figure:
        axes = figure.add_subplot()
        for (name, curve), look in zip(curves.items(), line_looks(len(curves)), strict=True):
            places = [step if by_step else epoch for step, epoch, _ in curve]
            losses = [float("nan") if loss is None else loss for _, _, loss in curve]
            label = f"{name}  {metric_text('loss', losses[-1])}" if losses else name
            axes.plot(places, losses, label=label, marker="o" if len(places) <= 30 else "", markersize=3.5, **look)
        log_scale_if_wide(axes, [loss for curve in curves.values() for _, _, loss in curve if loss is not None])
        axes.locator_params(axis="x", integer=True)
        axes.set_title("training loss")
        axes.set_xlabel("step" if by_step else "epoch")
        axes.legend(title="at the end", alignment="left", title_fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
