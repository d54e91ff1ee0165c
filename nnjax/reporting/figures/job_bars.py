"""The training losses of a sweep's jobs in one figure.

draw_sweep({"relu": read_metrics(first), "tanh": read_metrics(second)}, sweep_dir / "losses.png")
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nnjax.reporting.figures.canvas import canvas, line_styles, log_scale_if_wide
from nnjax.reporting.text import metric_text


def draw_sweep(jobs: Mapping[str, Sequence[Mapping[str, Any]]], path: Path, losses: Mapping[str, str] | None = None) -> None:
    """Draws each job's training loss over the epochs, or over the steps if every epoch is one step.

    Args:
        jobs: records by job name, from `read_metrics`; up to 20 lines have different styles.
        path: the PNG file.
        losses: loss functions by job name; losses of different functions are not comparable and get separate axes. None if all
            jobs have the same.
    """
    curves = {
        name: [(record["step"], record["epoch"], record["loss"]) for record in records if record["split"] == "train"]
        for name, records in jobs.items()
    }
    by_step = all(step == epoch for curve in curves.values() for step, epoch, _ in curve)
    styles = dict(zip(curves, line_styles(len(curves)), strict=True))
    functions: list[str | None] = list(dict.fromkeys(losses.values())) if losses else [None]
    longest = max(map(len, curves), default=0)  # the legend narrows the axes
    with canvas(
        path, width=6.4 + 0.075 * max(0, longest - 12), height=4.2 if len(functions) == 1 else 3.2 * len(functions)
    ) as figure:
        panels = figure.subplots(len(functions), sharex=True, squeeze=False)[:, 0]
        for axes, function in zip(panels, functions, strict=True):
            shown = {name: curve for name, curve in curves.items() if losses is None or losses[name] == function}
            for name, curve in shown.items():
                places = [step if by_step else epoch for step, epoch, _ in curve]
                values = [float("nan") if loss is None else loss for _, _, loss in curve]
                label = f"{name}  {metric_text('loss', values[-1])}" if values else name
                axes.plot(places, values, label=label, marker="o" if len(places) <= 30 else "", markersize=3.5, **styles[name])
            # A decade is enough: lines are compared at the end, where they lie close.
            log_scale_if_wide(axes, [loss for curve in shown.values() for _, _, loss in curve if loss is not None], times=10)
            axes.locator_params(axis="x", integer=True)
            axes.set_title("training loss" if function is None else f"training loss: {function}")
            axes.legend(title="at the end", alignment="left", title_fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
        panels[-1].set_xlabel("step" if by_step else "epoch")
