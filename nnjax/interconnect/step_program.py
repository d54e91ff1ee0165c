"""Compiles an experiment's training step without its data, and reads what it sends, computes and stores.

    facts = compiled_step(config, num_devices=8)
    facts.reading.collectives, facts.flops, facts.memory["total"]

The program is the one that `experiments.train` runs, made from shapes alone on simulated CPU devices. For more devices than are
simulated, each simulated device gets the share of one of the many: the shapes on a device are right, and only the numbers that
depend on the size of the group (an all-gather's whole buffer, padding) are scaled.
"""

import math
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from nnjax.config.errors import ConfigError
from nnjax.config.schema import Config
from nnjax.data.abstract_dataset import abstract_dataset
from nnjax.interconnect.collective import Part, scaled
from nnjax.interconnect.compiled import Leaf, read_collectives
from nnjax.interconnect.products import product_flops
from nnjax.interconnect.program_text import ProgramTextError, parse_program
from nnjax.interconnect.step_facts import StepFacts
from nnjax.models.layer_summary import summarize
from nnjax.parallel.buckets import scope_name
from nnjax.parallel.devices import select_devices
from nnjax.parallel.environment import jax_started
from nnjax.training.experiment import Experiment, set_up
from nnjax.training.initial_state import abstract_network
from nnjax.training.recording import spans_evaluations
from nnjax.training.runner import compiled_chunk, loader_of
from nnjax.training.state import state_bytes

MOST_SIMULATED = 64
"""The most CPU devices to simulate: their threads cost memory, and the program for more of them is the same."""


def compiled_step(config: Config, num_devices: int) -> StepFacts:
    """Compiles the training step of an experiment, for so many devices.

    Args:
        config: the experiment; its number of devices is not read.
        num_devices: devices that share the work; they divide the batch.

    Raises:
        ConfigError: if the devices cannot be simulated, or several trials need more of them than can be.
        DataError: if the dataset's facts stand in a CSV file that cannot be read.
        ProgramTextError: if the compiled program cannot be read.
    """
    devices = simulated_devices(config, num_devices)
    dataset = abstract_dataset(config.data)
    spec = dataset.spec
    experiment, state = set_up(config, dataset, devices, standing_for=num_devices)
    loader = loader_of(experiment)
    stop_below = config.training.stop.loss_below if spans_evaluations(experiment) else None
    placed = experiment.layout.put(state)
    compiled, _ = compiled_chunk(experiment, placed, loader, stop_below=stop_below)
    text = compiled.as_text()
    if not text:
        raise ProgramTextError(f"parallel.platform={experiment.placement.platform}: XLA shows no text of its programs there")
    program = parse_program(text)
    reading = read_collectives(
        program,
        leaves_of(state.params, experiment.plan.num_trials),
        experiment.recipe.network.layer_names,
        buckets_of(experiment, state.params, len(devices)),
    )
    counted, products = xla_flops(compiled), product_flops(program)
    optimizer = state_bytes(placed.opt_state) // len(devices)
    # With more devices than are simulated, the share of the optimizer's memory that each holds is smaller.
    not_held = optimizer - optimizer * len(devices) // num_devices if experiment.layout.is_sharded else 0
    return StepFacts(
        plan=experiment.plan,
        reading=replace(reading, collectives=scaled(reading.collectives, len(devices), num_devices)),
        num_devices=num_devices,
        simulated=len(devices),
        platform=experiment.placement.platform,
        steps_per_call=loader.max_steps,
        layer_flops={layer.name: layer.flops for layer in summarize(abstract_network(config, spec), spec)},
        flops=None if counted is None else counted + products.repeated,
        product_flops=products.total,
        memory=_less(memory_of(compiled), not_held),
        parameters=state_bytes(placed.params) // len(devices),
        optimizer=optimizer - not_held,
        state=state_bytes(placed) // len(devices) - not_held,
    )


def simulated_devices(config: Config, num_devices: int) -> list[jax.Device]:
    """The devices to compile for: as many as wanted, or a divisor of their number where that is too many to simulate.

    Raises:
        ConfigError: if there are too few, or several trials, which are shared out among the devices, need all of them.
    """
    parallel = config.parallel
    platform = "cpu" if parallel.platform == "auto" else parallel.platform
    most = min(num_devices, MOST_SIMULATED) if platform == "cpu" else num_devices
    if platform == "cpu":
        if jax_started():
            most = min(most, len(jax.devices("cpu")))
        else:  # their number stays, and a later job of a sweep may want more
            jax.config.update("jax_num_cpu_devices", MOST_SIMULATED)
    count = next(count for count in range(most, 0, -1) if num_devices % count == 0)
    if count < num_devices and (config.training.seeds > 1 or config.training.vary.learning_rate):
        raise ConfigError(
            f"parallel.devices={num_devices}: several trials are shared out among the devices, and only {most} can be "
            f"simulated; choose at most {most}"
        )
    if count == 1 < num_devices:
        raise ConfigError(
            f"parallel.devices={num_devices}: no number of devices from 2 to {most}, the most that are simulated, divides it"
        )
    return select_devices(replace(config, parallel=replace(parallel, devices=count, platform=platform)))


def leaves_of(params: Any, num_trials: int) -> list[Leaf]:
    """The trained tensors of one network, in the order of the gradient tree.

    Args:
        params: nested dicts, layer by layer; of several trials, with a leading axis.
        num_trials: their number.
    """
    leaves = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        layer, _, tensor = scope_name(path).partition("/")
        shape = tuple(leaf.shape[1:] if num_trials > 1 else leaf.shape)
        leaves.append(Leaf(layer, tensor, shape, np.dtype(leaf.dtype).name))
    return leaves


def xla_flops(compiled: Any) -> float | None:
    """XLA's own count for one device, in which every loop runs once; None where it has none."""
    counted = compiled.cost_analysis()
    counted = counted[0] if isinstance(counted, list) else counted
    flops = (counted or {}).get("flops")
    return None if flops is None or not math.isfinite(flops) or flops < 0 else float(flops)


def memory_of(compiled: Any) -> dict[str, int]:
    """Bytes that a program needs on one device, by part; empty where XLA does not say."""
    sizes = compiled.memory_analysis()
    if sizes is None:
        return {}
    parts = {
        "arguments": sizes.argument_size_in_bytes,
        "outputs": sizes.output_size_in_bytes,
        "aliased": sizes.alias_size_in_bytes,
        "temporary": sizes.temp_size_in_bytes,
    }
    return {**parts, "total": parts["arguments"] + parts["outputs"] - parts["aliased"] + parts["temporary"]}


def buckets_of(experiment: Experiment, params: Any, num_devices: int) -> dict[str, tuple[Part, ...]]:
    """The content of each buffer in which gradients or parameters travel, by its scope; empty where XLA chooses them."""
    averaging = experiment.recipe.averaging
    if averaging.gradients in ("automatic", "per_tensor"):
        return {}
    axis = 1 if experiment.placement.many else 0
    one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[axis:], leaf.dtype), params)
    found = {}
    for bucket in averaging.buckets(one, num_devices):
        parts = [Part(tensor.layer, tensor.name.partition("/")[2], tensor.size) for tensor in bucket.tensors]
        padding = [Part("", "padding", bucket.padding)] if bucket.padding else []
        found[bucket.name] = (*parts, *padding)
    return found


def _less(memory: dict[str, int], size: int) -> dict[str, int]:
    """Memory without a part of the state, which is an argument, an output, and the memory that both share."""
    return {part: held - (0 if part == "temporary" else size) for part, held in memory.items()}
