"""What a training starts from: a freshly initialised network and its state.

network, state = create_state(config, spec, optimizer)
outputs, _ = network.apply(state.params, state.model_state, inputs, train=False)
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import lax

from nnjax.checks.trials import trials
from nnjax.config.schema import Config
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.models.build import build
from nnjax.models.network import Network
from nnjax.parallel.device_memory import check_compiled
from nnjax.training.kept_program import kept_program
from nnjax.training.program_use import ProgramUse
from nnjax.training.state import SplitNetwork, TrainState, split_network


def build_network(config: Config, spec: DatasetSpec, precision: Literal["float64"] | None = None) -> Network:
    """The network of a config, freshly initialised; the same for the same `config.seed`.

    Args:
        config: which network.
        spec: shapes of inputs and outputs.
        precision: what it computes in, where that is not `config.training.precision`.
    """
    rngs = nnx.Rngs(params=jax.random.key(config.seed))
    return build(config.model, config.activation, spec, rngs=rngs, precision=precision or config.training.precision)


def abstract_network(config: Config, spec: DatasetSpec) -> Network:
    """The same network with shapes in the place of weights: nothing is computed."""
    network: Network = nnx.eval_shape(lambda: build_network(config, spec))
    return network


def create_state(config: Config, spec: DatasetSpec, optimizer: optax.GradientTransformation) -> tuple[SplitNetwork, TrainState]:
    """The static half of a config's network, and the state that its training starts from; [trials, ...] of several trials."""
    network, of_all, arguments = _drawing(config, spec, optimizer)
    devices, drawn = jax.local_devices()[:1], jax.jit(of_all)

    # One program, where eager initialisers would compile one each. It runs once, so it is compiled in a hurry: to the same
    # bits, in a third of the time.
    def compiled() -> Any:
        return drawn.lower(arguments).compile(compiler_options={"xla_backend_optimization_level": "1"})

    use = ProgramUse(config, spec, network, devices, "draw")
    draw = kept_program(use, (arguments,), lambda: drawn.eval_shape(arguments), compiled)
    check_compiled(config, spec, draw, devices, "to draw the weights")
    state: TrainState = draw(arguments)
    return network, state


def abstract_state(
    config: Config, spec: DatasetSpec, optimizer: optax.GradientTransformation
) -> tuple[SplitNetwork, TrainState]:
    """As `create_state`, with shapes in the place of arrays: nothing is computed."""
    network, of_all, arguments = _drawing(config, spec, optimizer)
    state: TrainState = jax.eval_shape(of_all, arguments)
    return network, state


def _drawing(
    config: Config, spec: DatasetSpec, optimizer: optax.GradientTransformation
) -> tuple[SplitNetwork, Callable[[Any], TrainState], Any]:
    """The static half of the network, the function that draws the state of all trials, and its argument."""

    def initial(seed: Any) -> TrainState:
        _, params, model_state = split_network(build_network(replace(config, seed=seed), spec))
        return TrainState(jnp.zeros((), jnp.int32), params, model_state, optimizer.init(params))

    network, _, _ = split_network(abstract_network(config, spec))
    seeds = np.array([trial.seed for trial in trials(config)], np.uint32)
    if len(seeds) == 1:
        return network, initial, seeds[0]
    return network, lambda seeds: lax.map(initial, seeds), seeds
