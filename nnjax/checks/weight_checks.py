"""Checks the weights that a config gives to a layer of `model.layers`, and names the usual slips of their form.

problems = list(weight_problems(layer, "model.layers.0", num_inputs=3))
# model.layers.0.weights=[[1,4],[2,5],[3,6]]: has a row for each input; must have 2 rows, one for each neuron: transpose it
#   write weights: [[1,2,3],[4,5,6]]
"""

from collections.abc import Iterable, Iterator

from nnjax.config.diagnostics import Problem, count
from nnjax.config.options import NeuronLayer

Problems = Iterator[Problem]


def weight_problems(layer: NeuronLayer, key: str, num_inputs: int) -> Problems:
    """Yields the problems of a layer's weights.

    Args:
        layer: the layer.
        key: its dotted key.
        num_inputs: of each of its neurons.
    """
    weights = layer.weights
    if weights is None:
        return
    lengths = {len(row) for row in weights}
    if len(weights) == num_inputs != layer.size and lengths == {layer.size}:
        reason = f"has a row for each input; must have {count(layer.size, 'row')}, one for each neuron: transpose it"
        yield Problem(f"{key}.weights", weights, reason, (f"write weights: {_written(zip(*weights, strict=True))}",))
        return
    if len(weights) != layer.size:
        reason = f"must have {count(layer.size, 'row')}, one for each neuron; has {len(weights)}"
        yield Problem(f"{key}.weights", weights, reason)
    with_bias = lengths == {num_inputs + 1} and layer.biases is None and layer.bias
    for place, row in enumerate(weights):
        if len(row) != num_inputs:
            reason = f"must be {count(num_inputs, 'number')}, one for each input of the neuron"
            meant = "; bias weights stand apart, in biases, one for each neuron" if with_bias else ""
            yield Problem(f"{key}.weights.{place}", row, f"{reason}{meant}")


def _written(rows: Iterable[Iterable[float]]) -> str:
    """Writes all numbers, since the line is there to be copied: ``[[1,2.5],[3,4]]``."""
    lines = (",".join(str(int(number)) if number.is_integer() else repr(number) for number in row) for row in rows)
    return f"[{','.join(f'[{line}]' for line in lines)}]"
