"""The losses as rows: each example's error, the mean, and the derivative with respect to each output.

rows = error_rows(config.loss, ["b"], targets, outputs, None, losses)
output_error(config.loss, "b", 1, 1.0, 0.804, None)       # ("−(t_b − y_b)", "−(1 − 0.804)")
"""

from collections.abc import Iterator, Sequence

from nnjax.config.training_options import Loss
from nnjax.textbook.notation import Row, exponent, number, operand, row, sum_text, terms_text
from nnjax.textbook.passes import Numbers
from nnjax.training.losses import definition_of


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


def _loss(loss: Loss, neurons: Sequence[str], targets: Numbers, made_of: Numbers) -> tuple[str, str]:
    """The formula of one example's loss, made of outputs or probabilities, and the same with numbers."""
    words = definition_of(loss).words
    if words is None:
        return (f"{loss.name}(t, y)",) * 2
    outputs = list(zip(neurons, targets, made_of, strict=True))
    if words.skips_zero_targets:
        outputs = [output for output in outputs if output[1]]
    template = words.of_one_term if len(outputs) == 1 else words.of_terms
    symbols = [_symbols(neuron) for neuron, _, _ in outputs]
    numbers = [_numbers(t, value, value) for _, t, value in outputs]

    def written(parts: list[dict[str, str]]) -> str:
        terms = terms_text([words.term.format_map(part) for part in parts])
        return template.format_map({**parts[0], "terms": terms, "k": str(len(neurons))})

    return written(symbols), written(numbers)


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
    words = definition_of(loss).words
    if words is None:
        return (f"∂{loss.name}(t, y)/∂y_{neuron}",) * 2
    template = words.gradient_of_one if outputs == 1 else words.gradient
    symbols, numbers = _symbols(neuron), _numbers(t, y, y if p is None else p)
    return template.format_map({**symbols, "k": str(outputs)}), template.format_map({**numbers, "k": str(outputs)})


def _symbols(neuron: str) -> dict[str, str]:
    return {"t": f"t_{neuron}", "y": f"y_{neuron}", "(y)": f"y_{neuron}", "p": f"p_{neuron}"}


def _numbers(t: float, y: float, p: float) -> dict[str, str]:
    return {"t": number(t), "y": number(y), "(y)": operand(y), "p": number(p)}
