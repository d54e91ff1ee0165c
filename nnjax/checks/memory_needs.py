"""Estimates the memory of an experiment from its config alone, as sums of parts.

    needs = memory_needs(config, dataset_spec(config.data), Machine(platform="cpu"))
    max(needs, key=lambda need: need.total).parts        # (Part("parameters", 600000000040, "150,000,000,010 × 4 bytes"), …)

Each part is certainly held at that time, so the sums are lower bounds: an experiment that exceeds one cannot run. XLA's own
buffers are left out; real runs of large networks take 1.2 to 2 times as much. All numbers are Python integers.
"""

import math
from dataclasses import dataclass
from typing import Literal

from nnjax.checks.device_shares import device_shares
from nnjax.checks.network_sizes import backward_values, forward_values, layer_sizes, optimizer_values
from nnjax.checks.step_counts import step_counts, steps_per_epoch
from nnjax.checks.trials import num_trials
from nnjax.config.data_options import SyntheticData, TfdsData
from nnjax.config.options import CNN, Airbench
from nnjax.config.schema import Config
from nnjax.config.training_options import Textbook
from nnjax.data.dataset_spec import DatasetSpec

LARGEST_ON_DEVICE = 2**30
"""Bytes of inputs up to which `data.placement=auto` keeps a training split on the devices: CIFAR-10 has 154 MB."""

RUNTIME = 200 * 10**6
"""Bytes that Python, JAX and XLA with one small program take at least, if they are not loaded yet; 350 MB were measured."""

_TRIAL = 100  # bytes of a trial's own objects

Purpose = Literal["train", "evaluate", "trace"]


@dataclass(frozen=True)
class Machine:
    """The hardware of an experiment.

    Attributes:
        platform: "cpu", whose devices share the host's memory; "accelerator", each with memory of its own; None if unknown:
            then only the parts that lie on the host in any case are counted.
        num_devices: the number of devices of this host, or a lower bound of it.
        runtime: bytes of the libraries that are not loaded yet.
        all_devices: those of all processes; 0 if they are those of `num_devices`.
    """

    platform: Literal["cpu", "accelerator"] | None
    num_devices: int = 1
    runtime: int = 0
    all_devices: int = 0


@dataclass(frozen=True)
class Part:
    """One part of the memory.

    Attributes:
        name: what it holds.
        bytes: its size.
        how: how the size is computed, such as "1,000 × 8 bytes".
    """

    name: str
    bytes: int
    how: str


@dataclass(frozen=True)
class Need:
    """The parts that one memory holds at one time.

    Attributes:
        where: the host's memory, or that of each device.
        when: the purpose at that time: "to make the data", "to train".
        parts: all parts that are not empty.
    """

    where: Literal["host", "device"]
    when: str
    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        """Bytes of all parts."""
        return sum(part.bytes for part in self.parts)


def memory_needs(config: Config, spec: DatasetSpec, machine: Machine, purpose: Purpose = "train") -> tuple[Need, ...]:
    """Returns lower bounds of an experiment's memory, one for each phase that may set the peak, in order of time.

    Args:
        config: the experiment.
        spec: the facts of its dataset.
        machine: the hardware.
        purpose: "evaluate" counts only what an evaluation holds; "trace" only the data, since its network is small.
    """
    sizes = _Sizes(config, spec, machine)
    runtime = Part("Python, JAX and XLA", machine.runtime, "")
    data, held = sizes.data(), sizes.held
    needs: list[tuple[str, list[Part], list[Part]]] = [("to make the data", [runtime, *sizes.making_data()], [])]
    if purpose == "train":
        training = [*sizes.state(), *sizes.training(), *sizes.data_on_device(), sizes.drawn]
        host = [runtime, *data, *sizes.shuffles(), *([held] if sizes.holds_best else [])]
        needs.append(("to train", host, training))
    if purpose != "trace":
        evaluation = [*sizes.state(), *sizes.evaluation(), sizes.drawn]
        needs.append(("to evaluate", [runtime, *data, sizes.outputs()], evaluation))
    if purpose == "train":
        saving = [*sizes.state(), *sizes.data_on_device(), sizes.drawn]
        written = Part("the part of it being written", held.bytes, "as much again")
        needs.append(("to save a checkpoint", [runtime, *data, held, written], saving))
        needs.append(("to draw the figures", [runtime, *data, sizes.confusions()], [*sizes.state(), sizes.drawn]))
    found = []
    for when, host, device in needs:
        if machine.platform == "cpu":
            host += [Part(part.name, part.bytes * sizes.shares(part), part.how) for part in device]
        elif machine.platform == "accelerator":
            found.append(Need("device", when, tuple(part for part in device if part.bytes)))
        found.append(Need("host", when, tuple(part for part in host if part.bytes)))
    return tuple(found)


class _Sizes:
    """The sizes of an experiment's parts; a part on the devices has the size of one device's share.

    Attributes:
        drawn: the initial state, which stays on the first device.
        held: a copy of the state on the host, to be saved.
        holds_best: whether a copy of the best state is held during training.
    """

    def __init__(self, config: Config, spec: DatasetSpec, machine: Machine) -> None:
        self._config, self._spec, self._machine = config, spec, machine
        self._layers = layer_sizes(config.model, spec)
        self._params = sum(layer.num_params for layer in self._layers)
        self._model_state = sum(layer.times * layer.state for layer in self._layers)
        num_devices = machine.all_devices or machine.num_devices
        self._trials, shares = num_trials(config), device_shares(config, spec, num_devices)
        self._whole, self._own_trials = shares.whole_trials, shares.num_trials
        self._batch, self._eval_batch = shares.batch_size, shares.eval_batch_size
        self._value = 2 if config.training.precision == "bfloat16" else 4
        self._memory_shares = 1 if shares.whole_trials or config.parallel.gradients != "sharded" else num_devices
        self.drawn = self._whole_state("the initial state", self._memory_shares)
        self.held = self._whole_state("a copy of the state to save", 1)
        self.holds_best = spec.num_validation > 0 and _evaluates_in_between(config, spec)

    def shares(self, part: Part) -> int:
        """The number of per-device parts in memory that all devices share: `num_devices`, but 1 for the initial state."""
        return 1 if part is self.drawn else self._machine.num_devices

    def state(self) -> list[Part]:
        """The training state of one device's trials."""
        return self._state(self._own_trials, self._memory_shares)

    def _state(self, trials: int, shares: int) -> list[Part]:
        optimizer = self._config.optimizer
        remembered = optimizer_values(optimizer, self._layers) // shares
        lookahead = not isinstance(optimizer, Textbook) and optimizer.lookahead is not None
        slow = self._params + self._model_state if lookahead else 0
        return [
            self._part("parameters", self._params, trials),
            self._part(f"memory of the optimizer, {optimizer.name}", remembered, trials),
            self._part("statistics of the model", self._model_state, trials),
            self._part("slow weights of lookahead", slow, trials),
        ]

    def _whole_state(self, name: str, shares: int) -> Part:
        size = sum(part.bytes for part in self._state(1, shares))
        return Part(name, self._trials * size, self._times(f"{size:,} bytes", self._trials))

    def training(self) -> list[Part]:
        """The gradients and the values that the backward pass needs."""
        config = self._config
        clips = not isinstance(config.optimizer, Textbook) and config.optimizer.clip_norm is not None
        # Where nothing needs all gradients at once, each is used and freed before the next one is computed.
        together = clips or (self._machine.num_devices > 1 and not self._whole)
        gradients = max((layer.kernels for layer in self._layers), default=0)
        if together:  # of shared gradients, a device needs all of its share
            gradients = max(gradients, self._params // self._memory_shares)
        values, batch = backward_values(self._layers), self._batch
        how = self._times(f"{batch:,} examples × {values:,} values × {self._value} bytes", self._at_once)
        indices = self._own_trials * batch * 4
        return [
            self._part("gradients", gradients, self._at_once),
            Part("activations of a batch", self._at_once * batch * values * self._value, how),
            Part("the examples of a step", indices, f"{self._own_trials * batch:,} × 4 bytes"),
        ]

    @property
    def _at_once(self) -> int:
        """How many trials a device certainly computes at the same time, as `nnjax.training.experiment` decides."""
        convolutional = isinstance(self._config.model, CNN | Airbench)
        return self._own_trials if self._machine.platform == "accelerator" and not convolutional else 1

    def evaluation(self) -> list[Part]:
        """The values of a forward pass over an evaluation batch."""
        values = forward_values(self._layers)
        views = self._config.training.test_views if self._config.training.test_views > 1 else 0
        seen, batch = views * math.prod(self._spec.input_shape), self._eval_batch
        how = f"{batch:,} examples × {values:,} values × {self._value} bytes"
        return [
            Part("activations of a batch", batch * values * self._value, how),
            Part(f"{views} views of a batch", batch * seen * 4, f"{batch:,} × {seen:,} × 4 bytes"),
        ]

    def outputs(self) -> Part:
        """The network's outputs for a whole split, joined from its batches' outputs."""
        largest, values = max(self._spec.num_validation, self._spec.num_test), self._spec.num_outputs
        size = 2 * self._trials * largest * values * 4
        return Part("outputs of a split", size, self._times(f"2 × {largest:,} × {values:,} × 4 bytes", self._trials))

    def confusions(self) -> Part:
        """The confusion matrix, if it is drawn."""
        drawn, classes = self._config.report.figures and self._spec.task == "classification", self._spec.num_outputs
        return Part("confusion matrix", drawn * classes**2 * 8, f"{classes:,} × {classes:,} × 8 bytes")

    def data(self) -> list[Part]:
        """The splits that stay on the host."""
        data, spec = self._config.data, self._spec
        count = spec.num_train + spec.num_validation
        if isinstance(data, SyntheticData):
            if not spec.num_validation:
                count = data.num_train  # a limit leaves a slice of the whole array
            return [*self._split("training data", count), *self._split("test data", data.num_test)]
        if isinstance(data, TfdsData):  # its files are memory-mapped; only the validation split is copied
            return self._split("training data", count if spec.num_validation else 0)
        return [*self._split("training data", count), *self._split("test data", spec.num_test)]

    def making_data(self) -> list[Part]:
        """The splits, and the intermediate arrays that make them."""
        data, spec = self._config.data, self._spec
        if not isinstance(data, SyntheticData):
            return self.data()
        inputs, targets = self._split("training data", data.num_train)
        copies = 2 if data.task == "classification" else 0  # the centres and the noise of each example
        making = Part("noise and centres of the training data", copies * inputs.bytes, f"{copies} × as much")
        if spec.num_validation and not copies:
            kept = (spec.num_train + spec.num_validation) * self._input_bytes
            making = Part("examples set aside from it", kept, f"{kept // self._input_bytes:,} × {self._input_bytes:,} bytes")
        values = math.prod(spec.input_shape) * spec.num_outputs
        signal = Part("the centres" if copies else "the map to the targets", 4 * values, f"{values:,} × 4 bytes")
        return [inputs, targets, making, signal]

    @property
    def _input_bytes(self) -> int:
        return math.prod(self._spec.input_shape) * (1 if self._spec.input_dtype == "uint8" else 4)

    def _split(self, name: str, count: int) -> list[Part]:
        target = 4 * (self._spec.num_outputs if self._spec.task == "regression" else 1)
        return [
            Part(name, count * self._input_bytes, f"{count:,} × {self._input_bytes:,} bytes"),
            Part(f"targets of the {name}", count * target, f"{count:,} × {target:,} bytes"),
        ]

    def data_on_device(self) -> list[Part]:
        """The training split, or the examples of one step."""
        placement, count = self._config.data.placement, self._spec.num_train
        if placement == "host" or (placement == "auto" and count * self._input_bytes > LARGEST_ON_DEVICE):
            count = self._batch * self._own_trials
            return self._split("batch", count)
        return self._split("data on the device", count)

    def shuffles(self) -> list[Part]:
        """A shuffled order of the examples per seed, and the objects of each trial."""
        seeds, count = self._config.training.seeds, self._spec.num_train
        return [
            Part("orders of the examples", seeds * count * 4, f"{seeds:,} × {count:,} × 4 bytes"),
            Part("seeds and rates of the trials", self._trials * _TRIAL * (self._trials > 1), f"{self._trials:,} trials"),
        ]

    def _part(self, name: str, values: int, trials: int) -> Part:
        return Part(name, trials * values * 4, self._times(f"{values:,} × 4 bytes", trials))

    @staticmethod
    def _times(how: str, trials: int) -> str:
        return f"{trials:,} trials × {how}" if trials > 1 else how


def _evaluates_in_between(config: Config, spec: DatasetSpec) -> bool:
    """Whether an evaluation comes before the last step; False for lengths that the checks refuse."""
    training = config.training
    if not steps_per_epoch(config, spec) or "%" in {(training.planned or training.duration).unit, training.duration.unit}:
        return False
    steps = step_counts(config, spec)
    return steps.evaluate_every < steps.total
