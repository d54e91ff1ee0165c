"""Trains an experiment on one device and on several, with both wrappers, and compares everything that training changed.

    variants = check_parity(config, 10, console)
    max(variant.difference for variant in variants)           # 2.1e-07

A missing average over devices lets their parameters drift apart, a doubled one makes gradients too large; neither is visible in
the loss at once. Adam hides a gradient's scale from the parameters, so the optimizer's moments are compared, too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nnjax.checks.device_shares import has_whole_trials
from nnjax.checks.experiment_checks import check_config
from nnjax.checks.trials import num_trials
from nnjax.config.errors import ConfigError, DivergedError
from nnjax.config.schema import TrainConfig
from nnjax.config.types import Duration
from nnjax.reporting.console import RunConsole

if TYPE_CHECKING:
    from nnjax.data.dataset import Dataset

_MOST_SIMULATED = 8
"""The most CPU devices to simulate where the config leaves their number open."""


@dataclass(frozen=True)
class Variant:
    """One way to train the experiment, compared with the first: `pmap` on one device.

    Attributes:
        wrapper: `pmap` or `shard_map`.
        devices: their number.
        loss: the mean training loss of all steps.
        difference: the largest relative difference of an array of the state: max |a − b| / max(|a|, |b|), with b from the first
            variant, over the finite numbers; infinity where only one of the two is finite.
        where: that array's path.
    """

    wrapper: Literal["pmap", "shard_map"]
    devices: int
    loss: float
    difference: float
    where: str


def check_parity(config: TrainConfig, steps: int, console: RunConsole) -> list[Variant]:
    """Trains a few steps in each way.

    Args:
        config: the experiment; with `parallel.devices=auto` the smallest number of devices above one that divides its batches
            on the CPU, and all that divide them elsewhere.
        steps: how many to train.
        console: shows each variant as it begins.

    Returns:
        The variants; the first is `pmap` on one device, and its difference is 0.

    Raises:
        ConfigError: if no number of devices above one divides the batches, or the machine lacks them.
        DataError: if the data is missing or damaged.
        DivergedError: if the loss stopped being finite within these steps.
    """
    from nnjax.data.load import load
    from nnjax.parallel.devices import select_devices

    short = shortened(config, steps)
    many = _num_devices(short)
    select_devices(replace(short, parallel=replace(short.parallel, devices=many)))  # the first call makes the CPU's devices
    dataset = load(short.data, echo=console.print)
    variants: list[Variant] = []
    reference: dict[str, NDArray[Any]] = {}
    for wrapper, devices in _ways(many):
        console.print(f"Training {steps} steps with {wrapper} on {devices} device{'s' if devices > 1 else ''}")
        one = replace(short, parallel=replace(short.parallel, name=wrapper, devices=devices))
        check_config(one)
        loss, state = _trained(one, dataset)
        if not variants:
            reference = state
        difference, where = largest_difference(state, reference)
        variants.append(Variant(wrapper, devices, loss, difference, where))
    return variants


def shortened(config: TrainConfig, steps: int) -> TrainConfig:
    """The experiment's first steps: its schedule stays that of the whole training, and only the end is tested."""
    training, length = config.training, Duration(float(steps), "steps")
    training = replace(training, duration=length, planned=training.planned or training.duration, checkpoint_every=None)
    training = replace(training, evaluate_every=length, test="last")
    report = replace(config.report, figures=False, tensorboard="off", trackers=())
    debug = replace(config.debug, max_steps=None)
    return replace(config, training=training, report=report, debug=debug, resume=None, rerun=None)


def largest_difference(state: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> tuple[float, str]:
    """The largest relative difference between two states, and the path of its array.

    Args:
        state: arrays by path.
        other: arrays of the same shapes and paths; each difference is relative to the largest absolute value of both.
    """
    found = {path: _relative(values, other[path]) for path, values in state.items()}
    where = max(found, key=lambda path: found[path])
    return found[where], where


def _relative(values: NDArray[Any], other: NDArray[Any]) -> float:
    if values.size == 0 or np.array_equal(values, other):
        return 0.0
    ours, theirs = np.asarray(values, np.float64), np.asarray(other, np.float64)
    finite = np.isfinite(theirs)
    if not np.array_equal(np.isfinite(ours), finite):
        return float("inf")
    ours, theirs = ours[finite], theirs[finite]  # of a trial that diverged, neither is
    scale = max(np.abs(theirs).max(initial=0.0), np.abs(ours).max(initial=0.0))
    return float(np.abs(ours - theirs).max(initial=0.0) / scale) if scale else 0.0


def _trained(config: TrainConfig, dataset: "Dataset") -> tuple[float, dict[str, NDArray[Any]]]:
    """Trains without a folder; returns the training loss, and the state's arrays by path."""
    from nnjax.api.training_run import run_training
    from nnjax.training.state import arrays_by_path

    with RunConsole(None, quiet=True) as quiet:
        trained = run_training(config, None, quiet, dataset)
    state = trained.experiment.layout.get(trained.state)
    arrays = arrays_by_path(state)
    losses = [record["loss"] for record in trained.records if record["split"] == "train"]
    if losses[-1] is None:
        raise DivergedError("the training loss is not finite within these steps: there is nothing to compare")
    return losses[-1], arrays


def _ways(many: int) -> Iterator[tuple[Literal["pmap", "shard_map"], int]]:
    yield "pmap", 1
    yield "shard_map", 1
    yield "pmap", many
    yield "shard_map", many


def _num_devices(config: TrainConfig) -> int:
    """The number of devices to compare with one."""
    wanted, platform = config.parallel.devices, config.parallel.platform
    if isinstance(wanted, int):
        if wanted == 1:
            raise ConfigError("parallel.devices=1: parity compares one device with several; choose 2 or more, or auto")
        return wanted
    if config.debug.strict:
        raise ConfigError("debug.strict=true: runs on one device, and parity compares it with several; leave it out")
    sizes = config.training.global_batch_size, config.training.eval_batch_size
    fitting = [
        count
        for count in range(2, _MOST_SIMULATED + 1)
        if has_whole_trials(num_trials(config), count) or all(size % count == 0 for size in sizes)
    ]
    if not fitting:
        raise ConfigError(
            f"training.global_batch_size={sizes[0]}: no number of devices from 2 to {_MOST_SIMULATED} divides it and "
            f"training.eval_batch_size={sizes[1]}; choose multiples of 2"
        )
    return fitting[0] if platform in ("auto", "cpu") else fitting[-1]
