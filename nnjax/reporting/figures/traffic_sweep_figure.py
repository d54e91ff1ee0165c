"""The predicted steps of a sweep's jobs side by side: computing, and waiting for the network.

draw_traffic_sweep({"link.loss=0": summary, "link.loss=1e-3": summary}, sweep_dir / "traffic.png")
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.reporting.figures.canvas import BLUE, ORANGE, canvas
from nnjax.reporting.text import time_unit

_FAR = 100  # a wait of more times the shortest step makes the axis logarithmic


def draw_traffic_sweep(jobs: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draws a bar for each job; a step that never ends is an arrow of the full length.

    Args:
        jobs: summaries by job name, with computing, exposed and step_time in seconds.
        path: the PNG file.
    """
    steps = {name: summary["step_time"] for name, summary in jobs.items()}
    finite = [step for step in steps.values() if step is not None and math.isfinite(step)]
    longest = max(finite, default=1.0)
    factor, unit = time_unit(longest)
    with canvas(path, width=7.2, height=1.2 + 0.28 * len(jobs)) as figure:
        axes = figure.add_subplot()
        for place, (name, summary) in enumerate(jobs.items()):
            step, computing = steps[name], summary["computing"] * factor
            axes.barh(place, computing, color=BLUE, height=0.7, label="computing" if place == 0 else None)
            ends = step is not None and math.isfinite(step)
            waiting = summary["exposed"] * factor if ends else 1.3 * longest * factor
            label = "waiting for the network" if place == 0 else None
            axes.barh(place, waiting, left=computing, color=ORANGE, height=0.7, hatch=None if ends else "//", label=label)
            if not ends:
                axes.text(computing + waiting, place, " never ends", va="center", fontsize=8)
        if finite and longest > _FAR * min(finite):
            axes.set_xscale("log")
            axes.set_xlim(left=min(finite) * factor / 10)
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter("")
        axes.set_yticks(range(len(jobs)), list(jobs))
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(f"one step, predicted, {unit}")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
