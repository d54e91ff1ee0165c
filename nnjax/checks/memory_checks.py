"""Refuses an experiment that cannot fit in memory before anything is allocated, and lists what takes the memory.

    problems = list(memory_problems(config, spec))
    # model.hidden=[2000000000]: needs at least 5.4 TB to train, and this machine has 24.3 GB …
    #     600.0 GB  parameters: 150,000,000,010 × 4 bytes
    #     …

The sums are lower bounds, so that nothing is refused that might fit. `parallel.memory_limit=off` refuses nothing.
"""

import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any

from nnjax.checks.available_memory import Room, host_room
from nnjax.checks.file_checks import LIMIT_KEY, file_problems
from nnjax.checks.memory_needs import RUNTIME, Machine, Need, Purpose, memory_needs
from nnjax.config.data_options import SeriesOptions, SyntheticData
from nnjax.config.diagnostics import NO_ORIGINS, Problem, raise_problems
from nnjax.config.errors import IncompatibleError, OutOfMemoryError
from nnjax.config.options import CNN, FNN, RNN, Airbench, Neurons
from nnjax.config.parallel_options import MemoryLimit
from nnjax.config.schema import Config, TraceConfig
from nnjax.config.storage import size_text
from nnjax.config.traffic_options import TrafficConfig
from nnjax.config.types import MemorySize
from nnjax.data.dataset_spec import DatasetSpec, dataset_spec

_SMALLEST_PART = 0.001  # share of the sum from which a part gets a line

_HELPFUL = 0.25  # a key is worth naming if its smallest value reduces the sum to this share
_FARTHEST = Room(2**63, "no machine has more than 9.2 EB")


@dataclass(frozen=True)
class MemoryLimits:
    """The memory that an experiment may take.

    Attributes:
        limit: the value of `parallel.memory_limit`, or of the key below.
        key: the key that set the limit.
        device_room: free memory of each accelerator; None if unknown.
    """

    limit: MemoryLimit
    key: str = LIMIT_KEY
    device_room: Room | None = None

    def host(self) -> Room:
        """The memory that may be taken on the host."""
        return self._given() or host_room()

    def device(self) -> Room | None:
        """The memory that may be taken on each accelerator; None if unknown."""
        return self._given() or self.device_room

    def _given(self) -> Room | None:
        if self.limit == "off":
            return _FARTHEST
        return Room(self.limit.bytes, f"{self.key} allows {self.limit}") if isinstance(self.limit, MemorySize) else None


def memory_problems(config: Config, spec: DatasetSpec) -> Iterator[Problem]:
    """Yields a problem if the experiment cannot fit in memory, from the facts known before JAX is loaded.

    A report of an experiment's traffic compiles its program, which needs no memory for data and activations.
    """
    if isinstance(config, TrafficConfig):
        return
    purpose: Purpose = "trace" if isinstance(config, TraceConfig) else "train"
    yield from _problems(config, spec, known_machine(config), purpose, MemoryLimits(config.parallel.memory_limit))


def check_memory(
    config: Config,
    *,
    spec: DatasetSpec | None = None,
    machine: Machine | None = None,
    purpose: Purpose = "train",
    limits: MemoryLimits | None = None,
) -> None:
    """Checks again that an experiment fits in memory, once more is known than its config states.

    Args:
        config: the experiment.
        spec: the facts of its dataset, if they are known already.
        machine: the hardware; None before JAX is loaded.
        purpose: what the experiment is used for.
        limits: the memory that it may take; None takes the limit of the config.

    Raises:
        IncompatibleError: if it does not fit; it names the value that takes most and lists the parts.
    """
    limits = limits or MemoryLimits(config.parallel.memory_limit)
    found = list(file_problems(config.data, limits.limit))
    if not found:
        found = list(_problems(config, spec or dataset_spec(config.data), machine or known_machine(config), purpose, limits))
    raise_problems(found, NO_ORIGINS, IncompatibleError)


def check_program(config: Config, spec: DatasetSpec, size: int, room: Room, what: str) -> None:
    """Checks that the memory of a compiled program fits.

    Args:
        config: the experiment.
        spec: the facts of its dataset.
        size: bytes that the program allocates.
        room: the memory that it may take.
        what: the purpose of the program, such as "to draw the weights".

    Raises:
        IncompatibleError: if the program does not fit.
    """
    if size > room.bytes:
        machine = known_machine(config)
        need = max(memory_needs(config, spec, machine), key=lambda need: need.total)
        key, value = _dominant(config, spec, machine, "train", need)
        reason = (
            f"the compiled program needs {size_text(size)} more {what}, and {room.text}; make it smaller, or try all the same"
        )
        problem = Problem(key, value, f"{reason} with {LIMIT_KEY}=off", tuple(_table(need)))
        raise_problems([problem], NO_ORIGINS, IncompatibleError)


@contextmanager
def out_of_memory_explained(config: object, purpose: Purpose = "train") -> Iterator[None]:
    """Turns an error about exhausted memory into one line and the table of what the experiment holds.

    Args:
        config: the experiment; the error of any other config has no table.
        purpose: what the experiment is used for.

    Raises:
        OutOfMemoryError: in place of `MemoryError` and of XLA's RESOURCE_EXHAUSTED.
    """
    try:
        yield
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        advice, *table = "make the model, the batch or the data smaller", ""
        if isinstance(config, Config):
            with suppress(Exception):  # such as a file that was too large to read
                advice, *table = _explanation(config, purpose)
        said = (str(error).splitlines() or [""])[0][:300]
        raise OutOfMemoryError("\n".join(filter(None, [f"out of memory: {advice}", *table, said and f"  {said}"]))) from error


def _explanation(config: Config, purpose: Purpose) -> list[str]:
    """Returns the key that takes the most memory, and a line for each part of the largest sum."""
    spec, machine = dataset_spec(config.data), replace(known_machine(config), platform="cpu")
    need = max(memory_needs(config, spec, machine, purpose), key=lambda need: need.total)
    key, value = _dominant(config, spec, machine, purpose, need)
    reason = f"takes the most of at least {size_text(need.total)} {need.when}; make it smaller"
    return [Problem(key, value, reason).line(NO_ORIGINS), *_table(need)]


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out; JAX's errors are recognised by their names, as this package loads no JAX."""
    if isinstance(error, MemoryError):
        return True
    xla = type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError")
    return xla and any(sign in str(error) for sign in ("RESOURCE_EXHAUSTED", "Out of memory", "out of memory"))


def known_machine(config: Config) -> Machine:
    """Returns the facts of this machine that are known before JAX is loaded."""
    devices = config.parallel.devices if isinstance(config.parallel.devices, int) else 1
    runtime = 0 if "jax" in sys.modules else RUNTIME
    return Machine("cpu" if _on_cpu(config) else None, devices, runtime)


def _on_cpu(config: Config) -> bool:
    """Whether JAX certainly runs on the CPU: a setting demands it, or no plugin for other hardware is installed."""
    if config.parallel.platform != "auto":
        return config.parallel.platform == "cpu"
    if platforms := os.environ.get("JAX_PLATFORMS"):
        return platforms.split(",")[0] == "cpu"
    return not _has_plugin(find_spec, entry_points)


@cache
def _has_plugin(find: Callable[[str], object], entries: Callable[..., object]) -> bool:
    """Whether a plugin for an accelerator is installed; a sweep asks for each of its jobs, and an answer takes 5 ms."""
    return any((find("jax_plugins"), find("libtpu"), entries(group="jax_plugins")))


def _problems(config: Config, spec: DatasetSpec, machine: Machine, purpose: Purpose, limits: MemoryLimits) -> Iterator[Problem]:
    """Yields a problem for the first need that exceeds the memory."""
    host = limits.host()
    if machine.runtime > host.bytes:
        reason = f"Python, JAX and XLA alone need at least {size_text(machine.runtime)}, and {host.text}"
        yield Problem(limits.key, str(limits.limit), reason)
        return
    for need in memory_needs(config, spec, machine, purpose):
        room = limits.device() if need.where == "device" else host
        if room is not None and need.total > room.bytes:
            key, value = _dominant(config, spec, machine, purpose, need)
            where = " on each device" if need.where == "device" else ""
            reason = f"needs at least {size_text(need.total)} {need.when}{where}, and {room.text}; make it smaller"
            reason += "" if limits.limit == "off" else f", or try all the same with {limits.key}=off"
            yield Problem(key, value, reason, tuple(_table(need)))
            return


def _table(need: Need) -> list[str]:
    """Returns a line for each part, the largest first, and one for the sum."""
    parts = sorted(need.parts, key=lambda part: -part.bytes)
    rows = [
        (size_text(part.bytes), part.name + (f": {part.how}" if part.how else ""))
        for part in parts
        if part.bytes >= _SMALLEST_PART * need.total
    ]
    rows.append((size_text(need.total), f"together, at least, {need.when}"))
    width = max(len(size) for size, _ in rows)
    return [f"  {size:>{width}}  {text}" for size, text in rows]


def _dominant(config: Config, spec: DatasetSpec, machine: Machine, purpose: Purpose, need: Need) -> tuple[str, object]:
    """Returns the key, with its value, whose smallest value would reduce the need the most."""

    def left(smaller: Config) -> int:
        data = smaller.data
        # The rows of a file do not change, and are not counted again.
        shrunk = spec if isinstance(data, SeriesOptions) and data.window == config.data.window else dataset_spec(data)  # type: ignore[union-attr]
        own = machine if smaller.parallel == config.parallel else replace(machine, num_devices=1, all_devices=0)
        needs = memory_needs(smaller, shrunk, own, purpose)
        return next((other.total for other in needs if (other.when, other.where) == (need.when, need.where)), 0)

    candidates = [(key, value, left(smaller)) for key, value, smaller in _smaller(config)]
    least = min(total for _, _, total in candidates)
    # Of several such keys, the one with the largest value was probably raised on purpose.
    helpful = [(key, value) for key, value, total in candidates if total <= max(least, need.total * _HELPFUL)]
    return max(helpful, key=lambda candidate: _magnitude(*candidate))


def _magnitude(key: str, value: object) -> int:
    if isinstance(value, tuple):  # several rates, a shape, or the widths of layers
        several = not all(isinstance(item, int) for item in value)
        return len(value) if several else math.prod(value) if key == "data.input_shape" else max(value, default=0)
    return value if isinstance(value, int) else 0


def _smaller(config: Config) -> Iterator[tuple[str, object, Config]]:
    """Yields each key that the memory depends on, its value, and the config with its smallest value."""

    def with_(group: str, **values: Any) -> Config:
        return replace(config, **{group: replace(getattr(config, group), **values)})

    yield from _smaller_models(config, with_)
    data, training = config.data, config.training
    if isinstance(data, SyntheticData):
        for name, least in (("num_train", 1), ("num_test", 1), ("outputs", 1)):
            yield f"data.{name}", getattr(data, name), with_("data", **{name: least})
        yield "data.input_shape", data.input_shape, with_("data", input_shape=(1,) * len(data.input_shape))
    if isinstance(data, SeriesOptions):
        yield "data.window", data.window, with_("data", window=1)
    for name in ("global_batch_size", "eval_batch_size", "seeds"):
        yield f"training.{name}", getattr(training, name), with_("training", **{name: 1})
    if rates := training.vary.learning_rate:
        vary = replace(training.vary, learning_rate=rates[:1])
        yield "training.vary.learning_rate", rates, with_("training", vary=vary)
    if isinstance(config.parallel.devices, int):
        yield "parallel.devices", config.parallel.devices, with_("parallel", devices=1)


def _smaller_models(config: Config, with_: Callable[..., Config]) -> Iterator[tuple[str, object, Config]]:
    match config.model:
        case FNN(hidden=hidden) | RNN(hidden=hidden):
            yield "model.hidden", hidden, with_("model", hidden=(1,) * len(hidden))
        case CNN(blocks=blocks, dense=dense):
            for name, least in (("features", 1), ("kernel", 1), ("convolutions", 1)):
                changes: dict[str, Any] = {name: least}
                smaller = tuple(replace(block, **changes) for block in blocks)
                sizes = [getattr(block, name) for block in blocks]
                if sizes:
                    largest = max(range(len(blocks)), key=sizes.__getitem__)
                    yield f"model.blocks.{largest}.{name}", sizes[largest], with_("model", blocks=smaller)
            if dense:
                yield "model.dense", dense, with_("model", dense=(1,) * len(dense))
        case Airbench(widths=widths):
            yield "model.widths", widths, with_("model", widths=(1,) * len(widths))
        case Neurons(layers=layers):
            sizes = [layer.size for layer in layers]
            largest = max(range(len(layers)), key=sizes.__getitem__)
            smaller_layers = tuple(replace(layer, size=1) for layer in layers)
            yield f"model.layers.{largest}.size", sizes[largest], with_("model", layers=smaller_layers)
    whitening = getattr(config.model, "whitening", None)
    if whitening is not None:
        yield "model.whitening.size", whitening.size, with_("model", whitening=replace(whitening, size=1))
