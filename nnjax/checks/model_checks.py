"""Checks the model and the loss against the data.

problems = [problem for check in MODEL_CHECKS for problem in check(config, spec)]
"""

import math

from nnjax.checks.data_checks import Problems, describe_inputs
from nnjax.checks.normalization_checks import normalization_problems
from nnjax.checks.weight_checks import weight_problems
from nnjax.config.annotations import options_of
from nnjax.config.data_options import TextbookData
from nnjax.config.diagnostics import Problem, count, show
from nnjax.config.options import CNN, RNN, ActivationName, Airbench, Neurons, TwoNeuron, Whitening
from nnjax.config.schema import Config
from nnjax.config.training_options import Loss, LossOptions
from nnjax.data.dataset_spec import DatasetSpec


def _cnn(config: Config, spec: DatasetSpec) -> Problems:
    model = config.model
    if not isinstance(model, CNN):
        return
    if not spec.is_image:
        other = "rnn" if spec.is_sequence else "two_neuron" if _has_one_value(spec) else None
        fits = "model=fnn" if other is None else f"model=fnn or model={other}"
        yield Problem("model", "cnn", f"needs images; {describe_inputs(spec)}; choose {fits}")
        return
    height, width, _ = spec.input_shape
    if model.whitening is not None:
        if too_large := list(_whitening(model.whitening, spec)):
            yield from too_large
            return
        height, width = height - model.whitening.size + 1, width - model.whitening.size + 1
    for index, block in enumerate(model.blocks):
        if min(height, width) < block.pool:
            reason = f"the {height}×{width} image that reaches this block is smaller; {describe_inputs(spec)}; "
            yield Problem(f"model.blocks.{index}.pool", block.pool, f"{reason}choose a smaller pool, or fewer blocks")
            return
        height, width = height // block.pool, width // block.pool


def _whitening(whitening: Whitening, spec: DatasetSpec) -> Problems:
    side = min(spec.input_shape[:2])
    if whitening.size > side:
        reason = f"must be at most the side of an image, {side}; {describe_inputs(spec)}"
        yield Problem("model.whitening.size", whitening.size, reason)


def _airbench(config: Config, spec: DatasetSpec) -> Problems:
    model = config.model
    if not isinstance(model, Airbench):
        return
    if not spec.is_image:
        other = "rnn" if spec.is_sequence else "fnn"
        yield Problem("model", "airbench", f"needs images; {describe_inputs(spec)}; choose model={other}")
        return
    if not model.widths:
        yield Problem("model.widths", [], "needs at least one group of layers, such as [64]")
    yield from _whitening(model.whitening, spec)


def _two_neuron(config: Config, spec: DatasetSpec) -> Problems:
    model = config.model
    if not isinstance(model, TwoNeuron):
        return
    if not _has_one_value(spec):
        kind = "classes" if spec.task == "classification" else "values a target"
        reason = f"has one real-valued output; data={spec.name} has {spec.num_outputs} {kind}"
        own_classes = isinstance(config.data, TextbookData) and config.data.classes is not None
        choices = "model=neurons or model=fnn" if own_classes else "data=textbook or model=fnn"
        yield Problem("model", "two_neuron", f"{reason}; choose {choices}")
        return
    inputs = math.prod(spec.input_shape)
    if len(model.neuron_a.weights) != inputs:
        reason = f"must be {count(inputs, 'number')}, one for each input of data={spec.name}"
        yield Problem("model.neuron_a.weights", model.neuron_a.weights, reason)
    if len(model.neuron_b.weights) != 1:
        reason = "must be 1 number, as its one input is the output of neuron a"
        yield Problem("model.neuron_b.weights", model.neuron_b.weights, reason)


def _neurons(config: Config, spec: DatasetSpec) -> Problems:
    model = config.model
    if not isinstance(model, Neurons):
        return
    if not model.layers:
        yield Problem("model.layers", [], "needs at least the output layer, such as [{size: 1}]")
        return
    num_inputs = math.prod(spec.input_shape)
    for index, layer in enumerate(model.layers):
        key = f"model.layers.{index}"
        yield from weight_problems(layer, key, num_inputs)
        if layer.biases is not None and not layer.bias:
            yield Problem(f"{key}.biases", layer.biases, f"must be null, as {key}.bias=false; or choose {key}.bias=true")
        elif layer.biases is not None and len(layer.biases) != layer.size:
            meant = f"; did you mean {show(layer.biases * layer.size)}?" if len(layer.biases) == 1 else ""
            reason = f"must be {count(layer.size, 'number')}, one for each neuron{meant}"
            yield Problem(f"{key}.biases", layer.biases, reason)
        num_inputs = layer.size
    if num_inputs != spec.num_outputs:
        kind = "class" if spec.task == "classification" else "value of a target"
        reason = f"must be {spec.num_outputs}, one neuron for each {kind} of data={spec.name}"
        yield Problem(f"model.layers.{len(model.layers) - 1}.size", num_inputs, reason)


def _rnn(config: Config, spec: DatasetSpec) -> Problems:
    model = config.model
    if not isinstance(model, RNN):
        return
    if not (spec.is_image or spec.is_sequence):
        yield Problem("model", "rnn", f"needs sequences or images; {describe_inputs(spec)}; choose model=fnn")
    if not model.hidden:
        yield Problem("model.hidden", [], "needs at least one recurrent layer, such as [32]")


def _loss(config: Config, spec: DatasetSpec) -> Problems:
    loss = config.loss
    if isinstance(config.model, Neurons) and not config.model.layers:
        return
    if loss.needs_classes and spec.task == "regression":
        others = " or ".join(f"loss={name}" for name, option in options_of(Loss).items() if not _needs_classes(option))
        if isinstance(config.data, TextbookData):
            others += ", or name the classes: data.classes=[cat,dog] data.targets=[dog]"
        yield Problem("loss", loss.name, f"needs classes; data={spec.name} has real-valued targets; choose {others}")
        return
    if not loss.from_logits:
        return
    key, activation = _output_activation(config)
    if activation != "identity":
        yield Problem(key, activation, f"must be identity with loss={loss.name}, which applies softmax itself")


def _needs_classes(option: type) -> bool:
    return issubclass(option, LossOptions) and option.needs_classes


def _output_activation(config: Config) -> tuple[str, ActivationName]:
    """Returns the key of the output activation, and the activation's name."""
    match config.model:
        case Neurons(layers=layers):
            return f"model.layers.{len(layers) - 1}.activation", layers[-1].activation or config.activation.name
        case Airbench():  # it has no output activation
            return "model", "identity"
        case model:  # a registered one need not have it
            return "model.output_activation", getattr(model, "output_activation", "identity")


def _has_one_value(spec: DatasetSpec) -> bool:
    return spec.task == "regression" and spec.num_outputs == 1


MODEL_CHECKS = (_cnn, _airbench, _two_neuron, _neurons, _rnn, normalization_problems, _loss)
