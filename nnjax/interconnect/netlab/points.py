"""The points of the grid, and the networks that are trained at them. Pure.

    points = grid_points(config)
    points[0].label                                  # "4 tensors, 20 Mb/s, 1 ms, no loss"
    hidden_width(60_000, layers=6, inputs=64, outputs=10)          # 102

The calibration point has a delay and no limit of bandwidth: it measures what the links do not hide, computing and gloo's own
work. No judged point is like it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from nnjax.config.netlab_options import NetlabConfig
from nnjax.interconnect.netlab.shaping import LinkConditions

INPUTS, OUTPUTS = 64, 10
BATCH = 48  # 2, 3 and 4 processes share it
STEPS_PER_RECORD = 20
_LOSS_FACTOR = 4  # a point with losses needs more steps: losses are few


@dataclass(frozen=True)
class Point:
    """One point of the grid.

    Attributes:
        hidden_layers: of the network.
        conditions: of every rank's link.
        seconds: how long it is measured.
    """

    hidden_layers: int
    conditions: LinkConditions
    seconds: float

    @property
    def tensors(self) -> int:
        """Kernels and biases."""
        return 2 * (self.hidden_layers + 1)

    @property
    def label(self) -> str:
        """In words."""
        return f"{self.tensors} tensors, {conditions_text(self.conditions)}"


def grid_points(config: NetlabConfig) -> list[Point]:
    """Every combination; network by network, those without loss first, since a lost packet leaves TCP's window small."""
    axes = product(config.hidden_layers, sorted(config.losses), config.bandwidths, config.delays)
    return [
        Point(
            layers,
            LinkConditions(bandwidth=bandwidth, delay=delay, jitter=config.jitter if delay else 0.0, loss=loss),
            config.seconds * (_LOSS_FACTOR if loss else 1),
        )
        for layers, loss, bandwidth, delay in axes
    ]


def hidden_width(parameters: int, layers: int, inputs: int = INPUTS, outputs: int = OUTPUTS) -> int:
    """The width of equal hidden layers of a network that has about so many parameters.

    (inputs + outputs + layers) · w + (layers − 1) · w² + outputs = parameters, solved for w.
    """
    linear, square = inputs + outputs + layers, layers - 1
    left = max(1, parameters - outputs)
    if square == 0:
        return max(1, round(left / linear))
    return max(1, round((math.sqrt(linear**2 + 4 * square * left) - linear) / (2 * square)))


def train_overrides(config: NetlabConfig, hidden_layers: int, ranks: int, more: Sequence[str] = ()) -> list[str]:
    """Overrides of `experiments.train` for one of the trainings: it lasts until it is ended."""
    width = hidden_width(config.parameters, hidden_layers)
    return [
        "model=fnn",
        f"model.hidden=[{','.join([str(width)] * hidden_layers)}]",
        "data=synthetic",
        "data.validation=0",
        f"training.global_batch_size={BATCH}",
        f"training.eval_batch_size={BATCH}",
        "training.duration=1000000steps",
        f"training.evaluate_every={STEPS_PER_RECORD}steps",
        "training.checkpoint_every=null",
        "schedule=constant",
        "optimizer=sgd",
        "optimizer.learning_rate=0.01",
        "report.figures=false",
        "report.tensorboard=off",
        "debug.watchdog=off",
        f"parallel.devices={ranks}",
        *more,
        *config.train,
    ]


def conditions_text(conditions: LinkConditions) -> str:
    """In words: bandwidth, delay, loss."""
    if conditions == LinkConditions():
        return "no limit"
    bandwidth = "no limit" if conditions.bandwidth is None else f"{conditions.bandwidth / 1e6:g} Mb/s"
    jitter = f" ± {conditions.jitter * 1e3:g}" if conditions.jitter else ""
    loss = f"loss {conditions.loss * 100:g} %" if conditions.loss else "no loss"
    return f"{bandwidth}, {conditions.delay * 1e3:g}{jitter} ms, {loss}"
