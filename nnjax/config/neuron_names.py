"""The names of neurons and weights, as the textbook has them: neurons a, b, c, weights w_a1, bias weights w_a0.

neuron_names([4, 4, 1])                            # [["a", "b", "c", "d"], ["e", "f", "g", "h"], ["i"]]
weight_symbol("a", 0)                              # "w_a0", the bias weight
weight_symbols(["neuron_a.w1", "neuron_b.w0"])     # {"neuron_a.w1": "w_a1", "neuron_b.w0": "w_b0"}
"""

import re
from collections.abc import Iterable, Sequence
from string import ascii_lowercase

_RECORDED = re.compile(r"(.+)\.w(?:(\d+),)?(\d+)")
_NUMBERS = re.compile(r"\d+")


def neuron_names(sizes: Sequence[int]) -> list[list[str]]:
    """The neurons' names, layer by layer: the textbook's letters for up to 26 neurons, else ``h1.3``."""
    if sum(sizes) <= len(ascii_lowercase):
        letters = iter(ascii_lowercase)
        return [[next(letters) for _ in range(size)] for size in sizes]
    return [[f"h{layer}.{place}" for place in range(1, size + 1)] for layer, size in enumerate(sizes, start=1)]


def weight_symbol(neuron: str, place: int) -> str:
    """A neuron's weight for input number `place`, counted from 1; 0 is the bias input: ``w_a1``, ``w_h1.3,12``."""
    return f"w_{neuron}{',' if '.' in neuron else ''}{place}"


def weight_symbols(recorded: Iterable[str]) -> dict[str, str]:
    """The symbols of recorded weights, by their names in the record; a trace calls the same weights alike.

    Args:
        recorded: of a whole network: layer.wI of a layer with one neuron, layer.wN,I of the others (neuron N, input I). If one
            has another form, as those of a convolution, every weight keeps its name without the layer.
    """
    names = list(recorded)
    found = {name: match for name in names if (match := _RECORDED.fullmatch(name))}
    if len(found) < len(names):
        return {name: name.rpartition(".")[2] for name in names}
    sizes: dict[str, int] = {}
    for match in found.values():
        sizes[match[1]] = max(sizes.get(match[1], 0), int(match[2] or 1))
    layers = sorted(sizes, key=_place)
    neurons = dict(zip(layers, neuron_names([sizes[layer] for layer in layers]), strict=True))
    return {name: weight_symbol(neurons[match[1]][int(match[2] or 1) - 1], int(match[3])) for name, match in found.items()}


def _place(layer: str) -> tuple[bool, list[int], str]:
    """Sorts layer_2 before layer_10, and both before the output."""
    return layer == "output", [int(number) for number in _NUMBERS.findall(layer)], layer
