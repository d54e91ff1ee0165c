"""What a step changes: parameters, BatchNorm statistics, the optimizer's memory and the step number.

    network, params, model_state = split_network(built)
    outputs, _ = network.apply(params, model_state, inputs, train=False)

A `TrainState` is a plain pytree of arrays in nested dicts. Flax NNX modules are split once: the static half stays in
`SplitNetwork`, and `apply` puts the halves together inside the compiled step.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from nnjax.config.errors import DataError

if TYPE_CHECKING:
    from nnjax.models.network import Network

Pytree = Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TrainState:
    """All that training changes, and all that a checkpoint holds; of several trials, each leaf [trials, ...].

    Attributes:
        step: int32 scalar, optimizer steps done.
        params: nested dict of float32 arrays, layer by layer.
        model_state: nested dict of what the model keeps besides: BatchNorm's running statistics.
        opt_state: the optimizer's memory.
        slow: lookahead's slow copies of `params` and `model_state`; None without lookahead.
    """

    step: jax.Array
    params: Pytree
    model_state: Pytree
    opt_state: Pytree
    slow: Pytree = None


@dataclass(frozen=True)
class SplitNetwork:
    """The static half of a network, for training (dropout, batch statistics) and for evaluation (running statistics).

    Attributes:
        train_graph: NNX's graph in training mode.
        eval_graph: the same in evaluation mode.
        layer_names: in order.
        kept: by dropout layer, the share of values that it keeps in training.
    """

    train_graph: Any = field(repr=False)
    eval_graph: Any = field(repr=False)
    layer_names: tuple[str, ...]
    kept: Mapping[str, float] = field(hash=False)  # a trace passes the network as a static argument, which is hashed

    def apply(
        self,
        params: Pytree,
        model_state: Pytree,
        inputs: jax.Array,
        *,
        train: bool,
        dropout_key: jax.Array | None = None,
        kept: Mapping[str, Any] = MappingProxyType({}),
    ) -> tuple[jax.Array, Pytree]:
        """The network's outputs.

        Args:
            params: as in `TrainState`.
            model_state: as in `TrainState`.
            inputs: [b, ...] float32, normalised.
            train: whether dropout acts and BatchNorm uses, and keeps, the statistics of this batch over all devices.
            dropout_key: draws the dropout masks; needed in training.
            kept: by dropout layer, the share of values that it keeps, as a traced scalar; by default the layer's own.

        Returns:
            Outputs [b, k] float32, and the new model state.
        """
        graph = self.train_graph if train else self.eval_graph
        # copy=True: without it, BatchNorm's update inside value_and_grad writes to variables of an outer trace.
        network = nnx.merge(graph, params, model_state, copy=True)
        rngs = None if dropout_key is None else nnx.Rngs(dropout=dropout_key)
        outputs = network(inputs, rngs=rngs, kept=kept)
        return outputs, nnx.to_pure_dict(nnx.state(network, nnx.Not(nnx.Param)))


def split_network(network: "Network") -> tuple[SplitNetwork, Pytree, Pytree]:
    """Splits a network into its static half, its parameters and its other state, both as nested dicts of arrays."""
    network.eval()  # type: ignore[no-untyped-call]
    eval_graph = nnx.graphdef(network)
    network.train()  # type: ignore[no-untyped-call]
    parts: Any = nnx.split(network, nnx.Param, ...)
    train_graph, params, model_state = parts
    return (
        SplitNetwork(train_graph, eval_graph, network.names, network.kept()),
        nnx.to_pure_dict(params),
        nnx.to_pure_dict(model_state),
    )


def arrays_by_path(state: TrainState) -> dict[str, NDArray[Any]]:
    """A state's arrays, as NumPy's, by the path of each, such as ``.params['dense']['kernel']``."""
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(state)}


def with_arrays(template: TrainState, arrays: Mapping[str, NDArray[Any]], path: Path, what: str) -> TrainState:
    """A state of the template's structure and types, with other arrays.

    Args:
        template: of the same shapes; its leaves may be shapes.
        arrays: as from `arrays_by_path`.
        path: of the file that they come from, for the error.
        what: that file, in words: "the checkpoint".

    Raises:
        DataError: if the arrays have other paths or shapes.
    """
    wanted = {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(template)}
    differing = sorted(wanted.keys() ^ arrays.keys()) + [
        key for key in wanted.keys() & arrays.keys() if np.shape(wanted[key]) != np.shape(arrays[key])
    ]
    if differing:
        raise DataError(
            f"{path}: {what} is of another network or optimizer than the config describes; differs in"
            f" {differing[0]} and {len(differing) - 1} more"
        )
    leaves = [np.asarray(arrays[key], leaf.dtype) for key, leaf in wanted.items()]
    state: TrainState = jax.tree.unflatten(jax.tree.structure(template), leaves)
    return state


def state_bytes(state: TrainState) -> int:
    """The size of a state's arrays: about that of a checkpoint of it."""
    return sum(int(leaf.size) * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
