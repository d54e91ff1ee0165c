"""The weights of a small network by name, in the textbook's numbering, for records and figures.

named_weights(state.params)          # {"neuron_a.w0": 0.6, "neuron_a.w1": 0.1, …}
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nnjax.models.layer_summary import num_params
from nnjax.training.state import Pytree


def named_weights(params: Pytree) -> dict[str, float]:
    """Every weight: layer.wI of a layer with one neuron, layer.wN,I of the others (neuron N, input I; input 0 is the bias).

    Weights of other layers are named by their place: conv_1.kernel[0,0,0,3].

    Args:
        params: nested dict of arrays, layer by layer.
    """
    return dict(_named(params, ""))


def is_recorded(params: Pytree, most: int) -> bool:
    """Whether a network is small enough to have its weights recorded: at least 1 and at most `most` weights."""
    return 0 < num_params(params) <= most


def _named(params: Mapping[str, Any], layer: str) -> Iterator[tuple[str, float]]:
    for name, value in params.items():
        if isinstance(value, Mapping):
            yield from _named(value, f"{layer}.{name}" if layer else name)
            continue
        for place, weight in np.ndenumerate(np.asarray(value)):
            yield f"{layer}.{_weight_name(name, place, value.shape, is_dense=_is_dense(params))}", float(weight)


def _is_dense(params: Mapping[str, Any]) -> bool:
    return set(params) <= {"kernel", "bias"} and params["kernel"].ndim == 2


def _weight_name(name: str, place: tuple[int, ...], shape: tuple[int, ...], *, is_dense: bool) -> str:
    if not is_dense:
        return f"{name}[{','.join(map(str, place))}]"
    number = place[0] + 1 if name == "kernel" else 0
    return f"w{number}" if shape[-1] == 1 else f"w{place[-1] + 1},{number}"
