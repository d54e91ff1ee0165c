"""Refuses what cannot fit in memory, before anything is allocated, and says what takes it.

    check_memory(config, origins)
    # IncompatibleError: model.hidden=[2000000000]: needs at least 2.4 TB to save a checkpoint, and this machine has 24.3 GB …
    #     600.0 GB  parameters: 150,000,000,010 × 4 bytes
    #     …

Only what surely cannot fit is refused: the sums are lower bounds. `parallel.memory_limit=off` refuses nothing.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nnjax.config.available_memory import Room, host_room, size_text
from nnjax.config.data_options import SeriesData, SeriesOptions, SyntheticData
from nnjax.config.dataset_spec import DatasetSpec, dataset_spec
from nnjax.config.errors import IncompatibleError, OutOfMemoryError
from nnjax.config.memory import RUNTIME, Machine, Need, Purpose, memory_needs
from nnjax.config.options import CNN, FNN, RNN, Airbench, Neurons
from nnjax.config.problems import NO_ORIGINS, Origins, Problem, raise_problems
from nnjax.config.schema import Config, MemoryLimit, TraceConfig
from nnjax.config.types import MemorySize

_LIMIT_KEY = "parallel.memory_limit"
_SMALLEST_PART = 0.001  # of the sum; what is less is not worth a line


def check_memory(
    config: Config,
    origins: Origins = NO_ORIGINS,
    *,
    machine: Machine | None = None,
    device_room: Room | None = None,
    purpose: Purpose | None = None,
    limit: MemoryLimit | None = None,
    limit_key: str = _LIMIT_KEY,
) -> None:
    """Checks that an experiment may fit in this machine's memory.

    Args:
        config: as `check_config` found it right.
        origins: knows where the values were set.
        machine: what it runs on; None where JAX has not been asked yet.
        device_room: what is free on each accelerator; None where that is not known.
        purpose: what is done with it; None for what the config is of.
        limit: in the place of the config's `parallel.memory_limit`.
        limit_key: what sets it.

    Raises:
        IncompatibleError: naming the value that takes most, and what is held.
    """
    limit = config.parallel.memory_limit if limit is None else limit
    if limit == "off":
        return
    purpose = purpose or ("trace" if isinstance(config, TraceConfig) else "train")
    given = Room(limit.bytes, f"{limit_key} allows {limit}") if isinstance(limit, MemorySize) else None
    spec = dataset_spec(config.data)
    machine = machine or _machine(config)
    exceeded = []
    for need in memory_needs(config, spec, machine, purpose):
        room = given or (device_room if need.where == "device" else host_room())
        if room is not None and need.total > room.bytes:
            exceeded.append((need, room))
    if exceeded:
        need, room = max(exceeded, key=lambda pair: pair[0].total / max(1, pair[1].bytes))
        problem = _problem(config, spec, machine, purpose, need, room, limit_key)
        raise_problems([problem], origins, IncompatibleError)


def file_problems(config: Config) -> Iterator[Problem]:
    """A person's own file that is larger than all memory, found before it is read."""
    data, limit = config.data, config.parallel.memory_limit
    if not isinstance(data, SeriesData) or limit == "off":
        return
    try:
        size = Path(data.file).expanduser().stat().st_size
    except OSError:  # what reads it says so
        return
    room = Room(limit.bytes, f"{_LIMIT_KEY} allows {limit}") if isinstance(limit, MemorySize) else host_room()
    if size > room.bytes:
        reason = f"has {size_text(size)}, and {room.text}; keep the rows and columns that are needed"
        yield Problem("data.file", data.file, f"{reason}, or try all the same with {_LIMIT_KEY}=off")


@contextmanager
def out_of_memory_explained(config: object) -> Iterator[None]:
    """Lets memory that runs out all the same end a command with one line and the sum of what was to be held.

    Args:
        config: the experiment; another config is explained without a sum.

    Raises:
        OutOfMemoryError: in the place of `MemoryError`, and of XLA's error of that kind.
    """
    try:
        yield
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        said = (str(error).splitlines() or [""])[0][:300]
        lines = [f"  the system says: {said}"] if said else []
        advice = "make the model, the batch or the data smaller"
        if isinstance(config, Config):
            spec = dataset_spec(config.data)
            machine = Machine("cpu", runtime=RUNTIME)
            need = max(memory_needs(config, spec, machine), key=lambda need: need.total)
            key, value = _dominant(config, spec, machine, "train", need)
            shown = Problem(key, value, f"takes the most of at least {size_text(need.total)} {need.when}; make it smaller")
            advice = shown.line(NO_ORIGINS)
            lines = [*_table(need), *lines]
        raise OutOfMemoryError("\n".join([f"out of memory: {advice}", *lines])) from error


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out; JAX's errors are told by their names, as this package loads no JAX."""
    if isinstance(error, MemoryError):
        return True
    xla = type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError")
    return xla and any(sign in str(error) for sign in ("RESOURCE_EXHAUSTED", "Out of memory", "out of memory"))


def _machine(config: Config) -> Machine:
    """What is known of the machine before JAX is asked."""
    devices = config.parallel.devices if isinstance(config.parallel.devices, int) else 1
    runtime = 0 if "jax" in sys.modules else RUNTIME
    return Machine("cpu" if _on_cpu(config) else None, devices, runtime)


def _on_cpu(config: Config) -> bool:
    """Whether JAX surely takes the CPU: as it is told, or as there is no plugin for anything else."""
    if config.parallel.platform != "auto":
        return config.parallel.platform == "cpu"
    if told := os.environ.get("JAX_PLATFORMS"):
        return told.split(",")[0] == "cpu"
    return not any((find_spec("jax_plugins"), find_spec("libtpu"), entry_points(group="jax_plugins")))


def _problem(
    config: Config, spec: DatasetSpec, machine: Machine, purpose: Purpose, need: Need, room: Room, limit_key: str
) -> Problem:
    key, value = _dominant(config, spec, machine, purpose, need)
    where = " on each device" if need.where == "device" else ""
    reason = f"needs at least {size_text(need.total)} {need.when}{where}, and {room.text}"
    return Problem(key, value, f"{reason}; make it smaller, or try all the same with {limit_key}=off", tuple(_table(need)))


def _table(need: Need) -> list[str]:
    """A line for each part, largest first, and the sum."""
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
    """The key, and its value, that would leave the least of a need if it were as small as can be."""

    def left(smaller: Config) -> int:
        data = smaller.data
        # The rows of a file do not change, and are not counted again.
        shrunk = spec if isinstance(data, SeriesOptions) and data.window == config.data.window else dataset_spec(data)  # type: ignore[union-attr]
        needs = memory_needs(smaller, shrunk, machine, purpose)
        return next((other.total for other in needs if (other.when, other.where) == (need.when, need.where)), 0)

    candidates = list(_smaller(config))
    key, value, _ = min(candidates, key=lambda candidate: left(candidate[2]))
    return key, value


def _smaller(config: Config) -> Iterator[tuple[str, object, Config]]:
    """Each key that memory hangs on, its value, and the config with the smallest one in its place."""

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
                smaller = tuple(replace(block, **{name: least}) for block in blocks)
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
