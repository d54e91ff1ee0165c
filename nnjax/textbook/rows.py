"""A training step as rows: each operation's symbol, formula, formula with numbers, and value.

    rows = list(step_rows(layers, config.loss, step))
    rows[0]      # {"phase": "forward", "quantity": "product", "symbol": "w_a1 x1", "numbers": "0.1 × 0.2", "value": 0.02, …}

Symbols: E an example's loss, t a target, x an input, z a weighted sum, y = f(z) an activation, p a probability, δ an error term
∂E/∂z, Δw a weight's adjustment.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from nnjax.config.neuron_names import weight_symbol
from nnjax.config.options import Activation
from nnjax.config.training_options import Loss
from nnjax.textbook.error_rows import error_rows, output_error
from nnjax.textbook.formulas import formula, with_numbers
from nnjax.textbook.notation import Row, number, operand, row, sum_text, terms_text
from nnjax.textbook.passes import Numbers, Passes, Weights


@dataclass(frozen=True)
class TracedLayer:
    """A dense layer with its activation.

    Attributes:
        name: the layer's name in the network and among its parameters.
        activation: the neurons' activation.
        neurons: the neurons' names.
        inputs: symbols of the layer's inputs: x1, x2 … or y_a, y_b …
        has_bias: whether the neurons have a bias weight.
    """

    name: str
    activation: Activation
    neurons: tuple[str, ...]
    inputs: tuple[str, ...]
    has_bias: bool


@dataclass(frozen=True)
class Step:
    """One iteration's numbers; weights and gradients are tuples with an entry for each layer.

    Attributes:
        number: the iteration's number, from 1.
        learning_rate: the config's, times the schedule's factor.
        adds: whether learning_rate × gradient is added to the weights (the textbook's sign) or subtracted.
        inputs: [b, d] normalised.
        targets: [b, k]; for classes one-hot, after label smoothing.
        weights: before the step.
        passes: forward and backward.
        gradients: the mean loss's, for each weight that is learnt.
        new_weights: after the step.
        probabilities: [b, k] softmax of the outputs; None if the loss does not apply it.
    """

    number: int
    learning_rate: float
    adds: bool
    inputs: Numbers
    targets: Numbers
    weights: tuple[Weights, ...]
    passes: Passes
    gradients: tuple[Weights, ...]
    new_weights: tuple[Weights, ...]
    probabilities: Numbers | None

    @property
    def rate(self) -> float:
        """The signed learning rate: rate × gradient is added to the weight."""
        return self.learning_rate if self.adds else -self.learning_rate

    def layer_inputs(self, index: int) -> Numbers:
        """The inputs [b, inputs] of layer number `index`."""
        return self.passes.layers[index - 1].y if index else self.inputs


def step_rows(layers: Sequence[TracedLayer], loss: Loss, step: Step) -> Iterator[Row]:
    """Yields an iteration's rows: forward, error, backward, adjust, update."""
    examples = range(len(step.inputs))
    phases = (
        *(_forward(layers, step, example) for example in examples),
        error_rows(loss, layers[-1].neurons, step.targets, step.passes.layers[-1].y, step.probabilities, step.passes.losses),
        *(_backward(layers, loss, step, example) for example in examples),
        _adjust(layers, step),
        _update(layers, step),
    )
    return ({"iteration": step.number, **found} for found in chain.from_iterable(phases))


def _forward(layers: Sequence[TracedLayer], step: Step, example: int) -> Iterator[Row]:
    for index, layer in enumerate(layers):
        inputs, values, weights = step.layer_inputs(index)[example], step.passes.layers[index], step.weights[index]
        for place, neuron in enumerate(layer.neurons):
            at = {"example": example + 1, "phase": "forward", "layer": index + 1, "neuron": neuron}
            products, terms = [], []
            for i, (symbol, value) in enumerate(zip(layer.inputs, inputs, strict=True)):
                weight, name = weights.kernel[i, place], weight_symbol(neuron, i + 1)
                products.append(weight * value)
                terms.append(f"{name} {symbol}")
                numbers = f"{operand(weight)} × {operand(value)}"
                yield row(at, i + 1, "product", terms[-1], f"{name} × {symbol}", numbers, products[-1])
            if weights.bias is not None:
                bias, name = weights.bias[place], weight_symbol(neuron, 0)
                products.append(bias)
                terms.append(name)
                yield row(at, 0, "product", name, f"{name} × 1", f"{operand(bias)} × 1", bias)
            z, y, z_name, y_name = values.z[example, place], values.y[example, place], f"z_{neuron}", f"y_{neuron}"
            yield row(at, None, "z", z_name, terms_text(terms), sum_text(products), z)
            f = formula(layer.activation, z_name, y_name)
            yield row(at, None, "y", y_name, f, with_numbers(layer.activation, float(z), float(y)), y)


def _backward(layers: Sequence[TracedLayer], loss: Loss, step: Step, example: int) -> Iterator[Row]:
    for index in reversed(range(len(layers))):
        layer, values = layers[index], step.passes.layers[index]
        for place, neuron in enumerate(layer.neurons):
            at = {"example": example + 1, "phase": "backward", "layer": index + 1, "neuron": neuron}
            z, y, slope, d_y, delta = (
                float(part[example, place]) for part in (values.z, values.y, values.d_activation, values.d_y, values.delta)
            )
            if index == len(layers) - 1:
                quantity = "d_loss"
                p = None if step.probabilities is None else float(step.probabilities[example, place])
                written = output_error(loss, neuron, len(layer.neurons), float(step.targets[example, place]), y, p)
            else:
                quantity = "weighted_delta"
                deltas, weights = step.passes.layers[index + 1].delta[example], step.weights[index + 1].kernel[place]
                names = layers[index + 1].neurons
                written = (
                    terms_text([f"{weight_symbol(name, place + 1)} δ_{name}" for name in names]),
                    terms_text([f"{operand(w)} × {operand(d)}" for w, d in zip(weights, deltas, strict=True)]),
                )
            yield row(at, None, quantity, f"∂E/∂y_{neuron}", *written, d_y)
            f = formula(layer.activation, f"z_{neuron}", f"y_{neuron}", derivative=True)
            numbers = with_numbers(layer.activation, z, y, derivative=True)
            yield row(at, None, "d_activation", f"f′(z_{neuron})", f, numbers, slope)
            product = f"{operand(d_y)} × {operand(slope)}"
            yield row(at, None, "delta", f"δ_{neuron}", f"∂E/∂y_{neuron} × f′(z_{neuron})", product, delta)


def _adjust(layers: Sequence[TracedLayer], step: Step) -> Iterator[Row]:
    batch, sign = len(step.inputs), "" if step.adds else "−"
    for index, at, place, i, name, symbol in _learnt(layers, step, "adjust"):
        gradient = _weight(step.gradients[index], i, place)
        deltas = step.passes.layers[index].delta[:, place]
        inputs = step.layer_inputs(index)[:, i - 1] if i else [1.0] * batch
        products = [f"{operand(d)} × {operand(x)}" for d, x in zip(deltas, inputs, strict=True)]
        f, numbers = f"δ_{at['neuron']} × {symbol}", products[0]
        if batch > 1:
            f, numbers = f"mean of {f}", f"({terms_text(products)}) / {batch}"
        yield row(at, i, "gradient", f"∂E/∂{name}", f, numbers, gradient)
        numbers = f"{number(step.rate)} × {operand(gradient)}"
        yield row(at, i, "adjustment", f"Δ{name}", f"{sign}η × ∂E/∂{name}", numbers, step.rate * gradient)


def _update(layers: Sequence[TracedLayer], step: Step) -> Iterator[Row]:
    for index, at, place, i, name, _ in _learnt(layers, step, "update"):
        old, gradient, new = (_weight(weights[index], i, place) for weights in (step.weights, step.gradients, step.new_weights))
        numbers = sum_text([old, step.rate * gradient])
        yield row(at, i, "weight", name, f"{name} + Δ{name}", numbers, new)


def _learnt(layers: Sequence[TracedLayer], step: Step, phase: str) -> Iterator[tuple[int, Row, int, int, str, str]]:
    """For each learnt weight: layer index, a row's first fields, neuron index, input number, and the two symbols."""
    for index, layer in enumerate(layers):
        biases = [(0, "1")] if step.gradients[index].bias is not None else []
        for place, neuron in enumerate(layer.neurons):
            at = {"example": None, "phase": phase, "layer": index + 1, "neuron": neuron}
            for i, symbol in [*enumerate(layer.inputs, start=1), *biases]:
                yield index, at, place, i, weight_symbol(neuron, i), symbol


def _weight(weights: Weights, i: int, place: int) -> float:
    if i:
        return float(weights.kernel[i - 1, place])
    assert weights.bias is not None
    return float(weights.bias[place])
