"""Computes the sizes of a network's layers from the config alone, before it is built.

    layers = layer_sizes(config.model, dataset_spec(config.data))
    sum(layer.num_params for layer in layers)            # as many as `nnjax.models` builds; a test holds it to that

Sizes are Python integers, so a width with too many zeros does not overflow.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from nnjax.config.options import CNN, FNN, RNN, Airbench, Model, Neurons, Normalization, TwoNeuron
from nnjax.config.training_options import SGD, Adam, Lion, Muon, MuonSGD, Optimizer, Textbook
from nnjax.data.dataset_spec import DatasetSpec

_GATES = {"simple": 1, "gru": 3, "lstm": 4}


@dataclass(frozen=True)
class LayerSize:
    """The values of a layer.

    Attributes:
        name: its name in the network.
        kernels: trained values in arrays of two axes or more.
        vectors: trained values in vectors, such as biases.
        state: values that are kept but not trained, such as BatchNorm's running statistics.
        inputs: values per example that the backward pass needs again: the inputs of a layer with weights.
        states: further values per example that it needs: a recurrent layer's states, one for each step.
        outputs: values per example that the layer returns.
        products: multiplications per example with the values of its kernels.
        times: how many such layers follow one another.
    """

    name: str
    kernels: int = 0
    vectors: int = 0
    state: int = 0
    inputs: int = 0
    states: int = 0
    outputs: int = 0
    products: int = 0
    times: int = 1

    @property
    def num_params(self) -> int:
        """Trained values of all `times` layers."""
        return self.times * (self.kernels + self.vectors)


def layer_sizes(model: Model, spec: DatasetSpec) -> tuple[LayerSize, ...]:
    """Returns the layers that have weights or keep values, in order; none for a model that is not counted here.

    Args:
        model: the options; they need not fit the data, as the checks report that.
        spec: shapes of inputs and outputs.
    """
    match model:
        case TwoNeuron(learn_biases=learns):
            return tuple(_neurons((math.prod(spec.input_shape), 1, 1), (True, True), learns))
        case Neurons(layers=layers, learn_biases=learns):
            widths = (math.prod(spec.input_shape), *(layer.size for layer in layers))
            return tuple(_neurons(widths, tuple(layer.bias for layer in layers), learns))
        case FNN():
            return tuple(_dense((math.prod(spec.input_shape), *model.hidden, spec.num_outputs), model.normalization))
        case CNN():
            return tuple(_cnn(model, spec))
        case Airbench():
            return tuple(_airbench(model, spec))
        case RNN():
            return tuple(_rnn(model, spec))
        case _:
            return ()


def forward_flops(layers: Sequence[LayerSize]) -> int:
    """Floating-point operations of one example's forward pass: those with kernels, a multiplication and an addition each.

    `nnjax.models.layer_summary` also counts biases, activations and normalisation, which take some percent.
    """
    return 2 * sum(layer.times * layer.products for layer in layers)


def optimizer_values(optimizer: Optimizer, layers: Sequence[LayerSize]) -> int:
    """Returns the number of values in the optimizer's state, without a handful of counters."""
    params = sum(layer.num_params for layer in layers)
    match optimizer:
        case Textbook():
            return 0
        case SGD(momentum=momentum):
            return params if momentum else 0
        case Lion():
            return params
        case Adam():
            return 2 * params
        case Muon():  # Adam for everything but kernels
            return sum(layer.times * (layer.kernels + 2 * layer.vectors) for layer in layers)
        case MuonSGD(sgd_momentum=momentum):
            kernels = sum(layer.times * layer.kernels for layer in layers if layer.name != "output")
            return kernels + (params - kernels if momentum else 0)
        case _:
            return 0


def backward_values(layers: Sequence[LayerSize]) -> int:
    """The peak number of values per example in the backward pass: the layers' kept values, and one layer's output gradient.

    The gradient by a layer's inputs is not counted: XLA may write it over a buffer that is no longer needed.
    """

    def at_each() -> Iterator[int]:
        kept = 0
        for layer in layers:
            kept += layer.times * (layer.inputs + layer.states)
            yield kept + layer.outputs

    return max(at_each(), default=0)


def forward_values(layers: Sequence[LayerSize]) -> int:
    """The peak number of values per example in an evaluation: inputs and outputs of a layer with kernels."""
    return max((layer.inputs + layer.outputs for layer in layers if layer.kernels), default=0)


def _neurons(widths: Sequence[int], biases: Sequence[bool], learn_biases: bool) -> Iterator[LayerSize]:
    for number, ((inputs, outputs), bias) in enumerate(zip(pairwise(widths), biases, strict=True), start=1):
        values = outputs if bias else 0
        yield LayerSize(
            "output" if number == len(biases) else f"layer_{number}",
            kernels=inputs * outputs,
            vectors=values if learn_biases else 0,
            state=0 if learn_biases else values,
            inputs=inputs,
            outputs=outputs,
            products=inputs * outputs,
        )


def _dense(widths: Sequence[int], normalization: Normalization) -> Iterator[LayerSize]:
    *hidden, (inputs, outputs) = pairwise(widths)
    for number, (before, width) in enumerate(hidden, start=1):
        bias = 0 if normalization == "batch" else width
        size = before * width
        yield LayerSize(f"dense_{number}", kernels=size, vectors=bias, inputs=before, outputs=width, products=size)
        if normalization != "none":
            yield _norm(f"dense_{number}_norm", width, width, statistics=normalization == "batch")
    size = inputs * outputs
    yield LayerSize("output", kernels=size, vectors=outputs, inputs=inputs, outputs=outputs, products=size)


def _norm(name: str, channels: int, values: int, *, statistics: bool = True, scale: bool = True) -> LayerSize:
    """A normalisation layer over `values` values per example in so many channels."""
    vectors = (2 if scale else 1) * channels
    return LayerSize(name, vectors=vectors, state=2 * channels if statistics else 0, inputs=values, outputs=values)


def _conv(name: str, size: int, channels: int, features: int, places: int, *, bias: bool) -> LayerSize:
    """A convolution whose input and output have the same number of places."""
    kernels, vectors = size * size * channels * features, features if bias else 0
    return LayerSize(
        name,
        kernels=kernels,
        vectors=vectors,
        inputs=places * channels,
        outputs=places * features,
        products=places * kernels,
    )


def _whitening(size: int, channels: int, places: int) -> LayerSize:
    features = 2 * size * size * channels  # its kernel is not trained, so its inputs are not kept
    kernel = size * size * channels * features
    return LayerSize("whitening", vectors=features, state=kernel, outputs=places * features, products=places * kernel)


def _image(spec: DatasetSpec) -> tuple[int, int, int]:
    """Height, width and channels; 1 for a missing axis."""
    height, width, channels = (*spec.input_shape, 1, 1, 1)[:3]
    return height, width, channels


def _cnn(model: CNN, spec: DatasetSpec) -> Iterator[LayerSize]:
    height, width, channels = _image(spec)
    if model.whitening is not None:
        size = model.whitening.size
        height, width = max(1, height - size + 1), max(1, width - size + 1)
        yield _whitening(size, channels, height * width)
        channels *= 2 * size * size
    convolutions = 0
    for number, block in enumerate(model.blocks, start=1):
        places, features = height * width, block.features
        for times in filter(None, (1, block.convolutions - 1)):  # the first has other channels than those after it
            convolutions += times
            name = f"conv_{convolutions}"
            yield replace(_conv(name, block.kernel, channels, features, places, bias=not block.batch_norm), times=times)
            if block.batch_norm:
                yield replace(_norm(f"{name}_norm", features, places * features), times=times)
            channels = features
        height, width = max(1, height // block.pool), max(1, width // block.pool)
        if block.pool > 1 and block.pooling == "max":
            yield LayerSize(f"pool_{number}", inputs=places * features, outputs=height * width * features)
    inputs = height * width * channels if model.head == "flatten" else channels
    yield from _dense((inputs, *model.dense, spec.num_outputs), "none")


def _airbench(model: Airbench, spec: DatasetSpec) -> Iterator[LayerSize]:
    height, width, channels = _image(spec)
    size = model.whitening.size
    height, width = max(1, height - size + 1), max(1, width - size + 1)
    yield _whitening(size, channels, height * width)
    channels *= 2 * size * size
    for group, features in enumerate(model.widths, start=1):
        for number in (2 * group - 1, 2 * group):
            yield _conv(f"conv_{number}", 3, channels, features, height * width, bias=False)
            channels = features
            if number % 2 and min(height, width) > 1:
                before, height, width = height * width, height // 2, width // 2
                yield LayerSize(f"pool_{group}", inputs=before * features, outputs=height * width * features)
            yield _norm(f"conv_{number}_norm", features, height * width * features, scale=False)
    kernels = channels * spec.num_outputs
    yield LayerSize("output", kernels=kernels, inputs=channels, outputs=spec.num_outputs, products=kernels)


def _rnn(model: RNN, spec: DatasetSpec) -> Iterator[LayerSize]:
    steps, *row = spec.input_shape
    gates: dict[Literal["simple", "gru", "lstm"], int] = _GATES  # type: ignore[assignment]
    inputs, count = math.prod(row), gates[model.cell]
    for number, size in enumerate(model.hidden, start=1):
        yield LayerSize(
            f"rnn_{number}",
            kernels=count * (inputs + size) * size,
            vectors=count * size,
            inputs=steps * inputs,
            states=steps * size,
            outputs=size if number == len(model.hidden) else steps * size,
            products=steps * count * (inputs + size) * size,
        )
        inputs = size
    kernels, outputs = inputs * spec.num_outputs, spec.num_outputs
    yield LayerSize("output", kernels=kernels, vectors=outputs, inputs=inputs, outputs=outputs, products=kernels)
