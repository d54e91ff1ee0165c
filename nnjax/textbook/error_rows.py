"""The losses as rows: each example's error, the mean, and the derivative with respect to each output.

rows = error_rows(config.loss, ["b"], targets, outputs, None, losses)
output_error(config.loss, "b", 1, 1.0, 0.804, None)       # ("−(t_b − y_b)", "−(1 − 0.804)")
"""

from collections.abc import Iterator, Sequence

from nnjax.config.training_options import CrossEntropy, Loss
from nnjax.textbook.notation import Row, exponent, number, operand, row, sum_text, terms_text
from nnjax.textbook.passes import Numbers


def error_rows(
    loss: Loss, neurons: Sequence[str], targets: Numbers, outputs: Numbers, probabilities: Numbers | None, losses: Numbers
) -> Iterator[Row]:
    """Yields each example's loss, preceded by its probabilities where the loss has them, and the mean of several losses.

    Args:
        loss: the loss function.
        neurons: names of the output neurons.
        targets: [b, k].
        outputs: [b, k].
        probabilities: [b, k] softmax of the outputs; None if the loss does not apply it.
        losses: [b].
    """
    several = len(losses) > 1
    at: Row = {"phase": "error", "layer": None, "neuron": None}
    for example, value in enumerate(losses):
        here = {"example": example + 1, **at}
        predictions = outputs[example]
        if probabilities is not None:
            predictions = probabilities[example]
            yield from _probabilities(here, neurons, outputs[example], predictions)
        written = _loss(loss, neurons, targets[example], predictions)
        yield row(here, None, "loss", f"E_{example + 1}" if several else "E", *written, value)
    if several:
        f = terms_text([f"E_{example + 1}" for example in range(len(losses))])
        mean = f"({sum_text(losses.tolist())}) / {len(losses)}"
        yield row({"example": None, **at}, None, "loss", "E", f"({f}) / {len(losses)}", mean, losses.mean())


def _probabilities(at: Row, neurons: Sequence[str], outputs: Numbers, probabilities: Numbers) -> Iterator[Row]:
    total = terms_text([f"e^y_{neuron}" for neuron in neurons])
    total_numbers = terms_text([f"e^{exponent(number(y))}" for y in outputs])
    for neuron, y, p in zip(neurons, outputs, probabilities, strict=True):
        f, numbers = f"e^y_{neuron} / ({total})", f"e^{exponent(number(y))} / ({total_numbers})"
        yield row({**at, "neuron": neuron}, None, "probability", f"p_{neuron}", f, numbers, p)


def _loss(loss: Loss, neurons: Sequence[str], targets: Numbers, predictions: Numbers) -> tuple[str, str]:
    """The formula of one example's loss (from its outputs or probabilities), in symbols and with numbers."""
    pairs = list(zip(neurons, targets, predictions, strict=True))
    if isinstance(loss, CrossEntropy):
        kept = [(neuron, t, p) for neuron, t, p in pairs if t]
        if len(kept) == 1:
            ((neuron, _, p),) = kept
            return f"−ln p_{neuron}", f"−ln {number(p)}"
        f = terms_text([f"t_{neuron} ln p_{neuron}" for neuron, _, _ in kept])
        return f"−({f})", f"−({terms_text([f'{number(t)} ln {number(p)}' for _, t, p in kept])})"
    squares = terms_text([f"(t_{neuron} − y_{neuron})²" for neuron, _, _ in pairs])
    numbers = terms_text([f"({number(t)} − {operand(y)})²" for _, t, y in pairs])
    if loss.name == "half_mse":
        return (f"½ × {squares}", f"½ × {numbers}") if len(pairs) == 1 else (f"½ × [{squares}]", f"½ × [{numbers}]")
    return (squares, numbers) if len(pairs) == 1 else (f"[{squares}] / {len(pairs)}", f"[{numbers}] / {len(pairs)}")


def output_error(loss: Loss, neuron: str, outputs: int, t: float, y: float, p: float | None) -> tuple[str, str]:
    """The formula of ∂E/∂y for an output neuron, in symbols and with numbers.

    Args:
        loss: the loss function.
        neuron: the neuron's name.
        outputs: number of output neurons.
        t: the neuron's target.
        y: the neuron's output.
        p: the neuron's softmax probability; None if the loss does not apply softmax.
    """
    if p is not None:
        return f"p_{neuron} − t_{neuron}", f"{number(p)} − {number(t)}"
    factor = "−" if loss.name == "half_mse" else f"−2/{outputs} × " if outputs > 1 else "−2 × "
    return f"{factor}(t_{neuron} − y_{neuron})", f"{factor}({number(t)} − {operand(y)})"
