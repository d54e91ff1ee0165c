"""One dataclass for each model and activation option: the keys that `conf/GROUP/OPTION.yaml` may hold.

The field `name`, a `Literal`, identifies an option; a group is the union of its options::

    Model = TwoNeuron | FNN | CNN            # model=cnn  →  the one whose name is "cnn"

The values are in the YAML files: only items of a list have defaults here. `nnjax.config.parsing` checks every value against
its annotation before JAX is imported. Datasets: `data_options`; losses, optimizers and
schedules: `training_options`.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from nnjax.config.types import (
    Bounds,
    PositiveFloat,
    PositiveInt,
    Probability,
)

# --- activation ----------------------------------------------------------------------------------------------------

PlainActivationName = Literal["relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "identity"]
ActivationName = Literal[PlainActivationName, "leaky_relu", "elu"]


@dataclass(frozen=True)
class PlainActivation:
    """An activation function without parameters."""

    name: PlainActivationName


@dataclass(frozen=True)
class LeakyReLU:
    """max(z, negative_slope · z)."""

    name: Literal["leaky_relu"]
    negative_slope: Annotated[float, Bounds(at_least=0, below=1)]


@dataclass(frozen=True)
class ELU:
    """z for z > 0, alpha · (exp(z) − 1) otherwise."""

    name: Literal["elu"]
    alpha: PositiveFloat


Activation = PlainActivation | LeakyReLU | ELU

# --- model ---------------------------------------------------------------------------------------------------------

Initializer = Literal["he_normal", "he_uniform", "glorot_normal", "glorot_uniform", "lecun_normal", "lecun_uniform"]
Normalization = Literal["none", "batch", "layer"]


@dataclass(frozen=True)
class Neuron:
    """A neuron's initial weights, one for each input, and its bias weight (the bias input is 1)."""

    weights: tuple[float, ...]
    bias: float


@dataclass(frozen=True)
class TwoNeuron:
    """The textbook's network: hidden neuron a feeds output neuron b.

    Attributes:
        neuron_a: the hidden neuron, one weight for each input.
        neuron_b: the output neuron, one weight.
        output_activation: neuron b's activation; neuron a has that of the `activation` group.
        learn_biases: whether training changes the bias weights.
    """

    name: Literal["two_neuron"]
    neuron_a: Neuron
    neuron_b: Neuron
    output_activation: ActivationName
    learn_biases: bool


@dataclass(frozen=True)
class NeuronLayer:
    """A fully connected layer, neuron by neuron.

    Attributes:
        size: number of neurons.
        weights: initial weights, a row for each neuron, a number for each of its inputs; null draws them (Glorot uniform).
        biases: initial bias weights, one for each neuron (the bias input is 1); null starts them at 0.
        bias: whether the neurons have a bias weight at all.
        activation: the layer's activation; null takes that of the `activation` group.
    """

    size: PositiveInt
    weights: tuple[tuple[float, ...], ...] | None = None
    biases: tuple[float, ...] | None = None
    bias: bool = True
    activation: ActivationName | None = None


@dataclass(frozen=True)
class Neurons:
    """Any fully connected network, written layer by layer, optionally with its initial weights.

    Attributes:
        layers: from the first hidden layer to the output layer.
        learn_biases: whether training changes the bias weights.
    """

    name: Literal["neurons"]
    layers: tuple[NeuronLayer, ...]
    learn_biases: bool


@dataclass(frozen=True)
class FNN:
    """A feed-forward network: dense layers of the given widths, then the output layer."""

    name: Literal["fnn"]
    hidden: tuple[PositiveInt, ...]
    normalization: Normalization
    dropout: Probability
    initializer: Initializer
    output_activation: ActivationName


@dataclass(frozen=True)
class ConvBlock:
    """`convolutions` times (convolution, BatchNorm, activation), then pooling, then dropout.

    Attributes:
        features: output channels.
        kernel: side of the square kernel; borders are zero-padded, so that it keeps height and width.
        convolutions: convolutions in a row before the pooling.
        pool: side and stride of the pooling window; 1 leaves the pooling out.
        pooling: how a window is reduced to one value.
        batch_norm: normalise over the batch (of all devices) after each convolution.
        dropout: share of values zeroed at the end of the block in training.
    """

    features: PositiveInt
    kernel: PositiveInt = 3
    convolutions: PositiveInt = 1
    pool: PositiveInt = 2
    pooling: Literal["max", "average"] = "max"
    batch_norm: bool = False
    dropout: Probability = 0.0


@dataclass(frozen=True)
class Whitening:
    """A first convolution that removes the correlation of neighbouring pixels; its kernel is computed and not trained.

    The filters are the eigenvectors of the covariance of the training images' patches, each divided by the root of its
    eigenvalue, and their negatives; only a bias for each is trained. Borders are not padded.

    Attributes:
        size: side of the square patches; s and c channels make 2·s²·c filters.
        eps: added to the eigenvalues, so that rare patterns are not amplified too much.
    """

    size: PositiveInt
    eps: PositiveFloat


@dataclass(frozen=True)
class CNN:
    """A convolutional network: blocks, then `head`, then dense layers of the given widths, then the output layer.

    Attributes:
        blocks: from the first to the last.
        head: how the last feature map becomes a vector.
        dense: widths of the hidden dense layers.
        dropout: after each hidden dense layer.
        initializer: the kernels' initializer.
        output_activation: of the output layer.
        whitening: whitening of the images before the first block; null has none.
        identity_init: whether the first filters of a convolution start as the identity, which copies the input channels.
    """

    name: Literal["cnn"]
    blocks: tuple[ConvBlock, ...]
    head: Literal["flatten", "average", "max"]
    dense: tuple[PositiveInt, ...]
    dropout: Probability
    initializer: Initializer
    output_activation: ActivationName
    whitening: Whitening | None
    identity_init: bool


@dataclass(frozen=True)
class Airbench:
    """The network of airbench94, made for quick training (Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024).

    Whitening, then a group of layers for each width: convolution, 2×2 max pooling, BatchNorm, activation, convolution,
    BatchNorm, activation; then each channel's largest value, and an output layer without bias. A map one pixel high or
    wide is not pooled. The convolutions are 3×3, without bias, and start as the identity; BatchNorm has a bias and no scale.

    Attributes:
        whitening: the first layer.
        widths: channels of each group.
        batch_norm_momentum: share of the running statistics that a step keeps; small, since there are few steps.
        output_scale: factor of the outputs.
    """

    name: Literal["airbench"]
    whitening: Whitening
    widths: tuple[PositiveInt, ...]
    batch_norm_momentum: Probability
    output_scale: PositiveFloat


@dataclass(frozen=True)
class RNN:
    """A recurrent network: recurrent layers over the steps of a sequence, then the output layer on the last state.

    A series has one step per value; an image is read row by row.

    Attributes:
        cell: `simple` (Elman), `gru` or `lstm`.
        hidden: size of the state of each recurrent layer, from the first to the last.
        dropout: share of values zeroed in training before the output layer.
        output_activation: of the output layer; the cells use that of the `activation` group.
    """

    name: Literal["rnn"]
    cell: Literal["simple", "gru", "lstm"]
    hidden: tuple[PositiveInt, ...]
    dropout: Probability
    output_activation: ActivationName


Model = TwoNeuron | Neurons | FNN | CNN | Airbench | RNN
