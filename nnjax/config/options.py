"""One dataclass for each model, activation and dataset that can be chosen: what `conf/GROUP/OPTION.yaml` may hold.

An option is told apart by its `name`, a `Literal`; a group is the union of its options::

    Model = TwoNeuron | FNN | CNN            # model=cnn  →  the one whose name is "cnn"

Values stand in the YAML files, not here: a field has a default only where it is an item of a list. Every value is held
to its annotation by `nnjax.config.parsing` before JAX is imported. Losses, optimizers and schedules: `training_options`.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from nnjax.config.types import (
    Bounds,
    NonNegativeFloat,
    NonNegativeInt,
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
    """The textbook's network: hidden neuron a feeds output neuron b."""

    name: Literal["two_neuron"]
    neuron_a: Neuron
    neuron_b: Neuron
    output_activation: ActivationName


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
        pooling: what is taken of a window.
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
class CNN:
    """A convolutional network: blocks, then `head`, then dense layers of the given widths, then the output layer."""

    name: Literal["cnn"]
    blocks: tuple[ConvBlock, ...]
    head: Literal["flatten", "average", "max"]
    dense: tuple[PositiveInt, ...]
    dropout: Probability
    initializer: Initializer
    output_activation: ActivationName


Model = TwoNeuron | FNN | CNN

# --- data ----------------------------------------------------------------------------------------------------------

TfdsName = Literal["mnist", "fashion_mnist", "cifar10", "cifar100"]


@dataclass(frozen=True)
class Augment:
    """Random changes of training images, drawn anew each epoch, on the device.

    Attributes:
        flip: mirror left to right, with probability one half.
        crop: pixels of reflected border from which a window of the original size is cut; 0 is off.
        cutout: side in pixels of a square that is greyed out; 0 is off.
    """

    flip: bool
    crop: NonNegativeInt
    cutout: NonNegativeInt


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """What every dataset has.

    Attributes:
        validation: share of the training split that is set aside for stop rules and the choice of the best checkpoint.
        limit_train: use only so many training examples (validation is carved from them); null for all.
        limit_test: use only so many test examples; null for all.
        normalize: subtract the training split's mean and divide by its standard deviation, channel by channel.
        placement: keep the training split on the device, or gather batches on the host; `auto` decides by size.
        augment: random changes of training images.
    """

    validation: Annotated[float, Bounds(at_least=0, at_most=0.9)]
    limit_train: PositiveInt | None
    limit_test: PositiveInt | None
    normalize: bool
    placement: Literal["auto", "device", "host"]
    augment: Augment


@dataclass(frozen=True, kw_only=True)
class TextbookData(DataOptions):
    """Examples written into the config itself; the same ones train and test."""

    name: Literal["textbook"]
    inputs: tuple[tuple[float, ...], ...]
    targets: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class DigitsData(DataOptions):
    """scikit-learn's 1 797 handwritten digits, 8×8 grey, split into train and test by class, always alike."""

    name: Literal["digits"]


@dataclass(frozen=True, kw_only=True)
class TfdsData(DataOptions):
    """A dataset of tensorflow-datasets; `directory` null means TFDS_DATA_DIR, else ~/tensorflow_datasets."""

    name: TfdsName
    directory: str | None


@dataclass(frozen=True, kw_only=True)
class SyntheticData(DataOptions):
    """Made-up examples: class centres (classification) or a random linear map (regression), plus noise.

    Attributes:
        task: what the targets are.
        input_shape: (h, w, c) for images, (d,) for vectors.
        outputs: number of classes, or of target values.
        num_train: training examples made.
        num_test: test examples made.
        noise: standard deviation of the noise, where the signal has 1.
        data_seed: draws the examples; apart from the run's seed, so that seeds share their data.
    """

    name: Literal["synthetic"]
    task: Literal["classification", "regression"]
    input_shape: tuple[PositiveInt, ...]
    outputs: PositiveInt
    num_train: PositiveInt
    num_test: PositiveInt
    noise: NonNegativeFloat
    data_seed: NonNegativeInt


Data = TextbookData | DigitsData | TfdsData | SyntheticData
