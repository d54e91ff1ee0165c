"""The solution of an exercise in plain Python, without JAX and NumPy: each operation of a trace, by its key.

values = solve(exercise)                             # the exact values
values[1, "z", 1, "a", None].value                   # iteration, quantity, example, neuron, input
solve(exercise, rounded(4))                          # as a person computes who rounds each answer
solve(exercise, within(4))                           # the exact values, with a bound on that person's error

It checks JAX's numbers, and gives the tolerances of the answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nnjax.config.neuron_names import neuron_names
from nnjax.config.options import Activation
from nnjax.worksheets.rounding import Bounded, Keep, exactly, product, scaled, slope_of, total, value_of

Key = tuple[int, str, int | None, str | None, int | None]
Values = dict[Key, Bounded]

KINKED = ("relu", "leaky_relu", "elu")
"""Activations whose derivative jumps at z = 0, or that of their derivative."""


@dataclass(frozen=True)
class DrawnLayer:
    """A layer's numbers.

    Attributes:
        activation: of its neurons.
        weights: a row for each neuron, a number for each of its inputs.
        biases: one for each neuron; None without bias weights.
        learns_biases: whether training changes them.
    """

    activation: Activation
    weights: tuple[tuple[float, ...], ...]
    biases: tuple[float, ...] | None
    learns_biases: bool


@dataclass(frozen=True)
class Exercise:
    """An exercise's numbers.

    Attributes:
        layers: from the first layer to the output layer.
        inputs: of all examples.
        targets: of all examples, a number for each output neuron.
        batch: examples of an iteration, in the order of `inputs`, from the first again after the last.
        rates: for each iteration, the number that is multiplied by the gradient and added to a weight.
        loss: the squared error's form.
    """

    layers: tuple[DrawnLayer, ...]
    inputs: tuple[tuple[float, ...], ...]
    targets: tuple[tuple[float, ...], ...]
    batch: int
    rates: tuple[float, ...]
    loss: Literal["half_mse", "mse"]

    @property
    def names(self) -> list[list[str]]:
        """The neurons' names, layer by layer."""
        return neuron_names([len(layer.weights) for layer in self.layers])

    def examples(self, iteration: int) -> list[int]:
        """The places in `inputs` of an iteration's examples; iterations count from 1."""
        return [((iteration - 1) * self.batch + place) % len(self.inputs) for place in range(self.batch)]


@dataclass
class _Solution:
    """What has been worked out so far.

    Attributes:
        weights: [layer][neuron][input]; input 0 is the bias weight, which a layer may lack.
    """

    exercise: Exercise
    keep: Keep
    values: Values
    weights: list[list[dict[int, Bounded]]]

    def put(self, key: Key, found: Bounded) -> Bounded:
        self.values[key] = kept = self.keep(found)
        return kept


def solve(exercise: Exercise, keep: Keep = exactly) -> Values:
    """Works out an exercise.

    Args:
        exercise: its numbers.
        keep: what happens to each answer before it is used.
    """
    weights = [
        [
            {0: Bounded(layer.biases[place])} if layer.biases is not None else {}
            for place in range(len(layer.weights))
        ]
        for layer in exercise.layers
    ]  # fmt: skip
    for layer, rows in zip(exercise.layers, weights, strict=True):
        for row, numbers in zip(rows, layer.weights, strict=True):
            row.update({place: Bounded(number) for place, number in enumerate(numbers, start=1)})
    solution = _Solution(exercise, keep, {}, weights)
    for iteration in range(1, len(exercise.rates) + 1):
        _iterate(solution, iteration)
    return solution.values


def _iterate(solution: _Solution, iteration: int) -> None:
    exercise, places = solution.exercise, solution.exercise.examples(iteration)
    inputs, losses = [], []
    for example, place in enumerate(places, start=1):
        inputs.append(_forward(solution, iteration, example, [Bounded(x) for x in exercise.inputs[place]]))
        losses.append(_loss(solution, iteration, example, exercise.targets[place]))
    if len(places) > 1:
        solution.put((iteration, "loss", None, None, None), scaled(1 / len(places), total(losses)))
    for example, place in enumerate(places, start=1):
        _backward(solution, iteration, example, exercise.targets[place])
    _update(solution, iteration, inputs)


def _forward(solution: _Solution, iteration: int, example: int, values: list[Bounded]) -> list[list[Bounded]]:
    """Works out an example's forward pass; returns the inputs of each layer."""
    found = []
    for layer, names, rows in zip(solution.exercise.layers, solution.exercise.names, solution.weights, strict=True):
        found.append(values)
        outputs = []
        for name, weights in zip(names, rows, strict=True):
            terms = []
            for place, value in enumerate(values, start=1):
                key = (iteration, "product", example, name, place)
                terms.append(solution.put(key, product(weights[place], value)))
            if 0 in weights:
                terms.append(weights[0])
            z = solution.put((iteration, "z", example, name, None), total(terms))
            outputs.append(solution.put((iteration, "y", example, name, None), value_of(layer.activation, z)))
        values = outputs
    return found


def _loss(solution: _Solution, iteration: int, example: int, targets: tuple[float, ...]) -> Bounded:
    terms = []
    for name, target in zip(solution.exercise.names[-1], targets, strict=True):
        error = total([Bounded(target), scaled(-1, solution.values[iteration, "y", example, name, None])])
        terms.append(product(error, error))
    factor = 0.5 if solution.exercise.loss == "half_mse" else 1 / len(terms)
    return solution.put((iteration, "loss", example, None, None), scaled(factor, total(terms)))


def _backward(solution: _Solution, iteration: int, example: int, targets: tuple[float, ...]) -> None:
    exercise, values = solution.exercise, solution.values
    factor = -1.0 if exercise.loss == "half_mse" else -2 / len(targets)
    for index in reversed(range(len(exercise.layers))):
        for place, name in enumerate(exercise.names[index]):
            z, y = (values[iteration, quantity, example, name, None] for quantity in ("z", "y"))
            if index == len(exercise.layers) - 1:
                quantity, slope = "d_loss", scaled(factor, total([Bounded(targets[place]), scaled(-1, y)]))
            else:
                quantity, after = "weighted_delta", exercise.names[index + 1]
                deltas = [values[iteration, "delta", example, later, None] for later in after]
                weights = [row[place + 1] for row in solution.weights[index + 1]]
                slope = total([product(w, d) for w, d in zip(weights, deltas, strict=True)])
            d_y = solution.put((iteration, quantity, example, name, None), slope)
            f = slope_of(exercise.layers[index].activation, z, y)
            d_z = solution.put((iteration, "d_activation", example, name, None), f)
            solution.put((iteration, "delta", example, name, None), product(d_y, d_z))


def _update(solution: _Solution, iteration: int, inputs: list[list[list[Bounded]]]) -> None:
    exercise, rate = solution.exercise, solution.exercise.rates[iteration - 1]
    for index, (layer, names) in enumerate(zip(exercise.layers, exercise.names, strict=True)):
        for row, name in zip(solution.weights[index], names, strict=True):
            for place in row:
                if place == 0 and not layer.learns_biases:
                    continue
                terms = []
                for example, given in enumerate(inputs, start=1):
                    value = given[index][place - 1] if place else Bounded(1.0)
                    terms.append(product(solution.values[iteration, "delta", example, name, None], value))
                mean = scaled(1 / len(terms), total(terms))
                gradient = solution.put((iteration, "gradient", None, name, place), mean)
                change = solution.put((iteration, "adjustment", None, name, place), scaled(rate, gradient))
                row[place] = solution.put((iteration, "weight", None, name, place), total([row[place], change]))


def disagreements(values: Values, rows: list[Mapping[str, Any]], tolerance: float = 1e-9) -> list[str]:
    """Compares a solution with the rows of a trace.

    Returns:
        A line for each row that differs by more than the tolerance, relative to the larger of 1 and the value, or that only one
        of the two has. Rows of the bias input, whose product with 1 is the weight, have no counterpart here.
    """
    found = {key_of(row): row for row in rows if (row["quantity"], row["input"]) != ("product", 0)}
    lines = [f"{key}: only in one of them" for key in values.keys() ^ found.keys()]
    for key in values.keys() & found.keys():
        hand, jax = values[key].value, found[key]["value"]
        if not abs(hand - jax) <= tolerance * max(1.0, abs(hand)):
            lines.append(f"{found[key]['symbol']} of iteration {key[0]}: {jax!r}, by hand {hand!r}")
    return sorted(lines)


def key_of(row: Mapping[str, Any]) -> Key:
    """A row's key in a solution."""
    return row["iteration"], row["quantity"], row["example"], row["neuron"], row["input"]
