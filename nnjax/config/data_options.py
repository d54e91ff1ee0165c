"""One dataclass for each dataset that can be chosen, as `nnjax.config.options` has models and activations.

TfdsData(name="mnist", directory=None, validation=0.1, limit_train=None, limit_test=None, normalize=True, …)
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from nnjax.config.types import Bounds, NonNegativeFloat, NonNegativeInt, PositiveInt

Order = Literal["checked", "sorted", "as_is"]
TfdsName = Literal["mnist", "fashion_mnist", "cifar10", "cifar100"]


@dataclass(frozen=True)
class Augment:
    """Random changes of training images, drawn anew each epoch, on the device.

    Attributes:
        flip: mirror left to right: `random` draws one half of the images anew each epoch; `alternating` draws it for the first
            epoch, and mirrors in each later epoch what was not mirrored in the one before, so that two epochs show all of both.
        crop: pixels of reflected border from which a window of the original size is cut; 0 is off.
        cutout: side in pixels of a square that is greyed out; 0 is off.
    """

    flip: Literal["off", "random", "alternating"]
    crop: NonNegativeInt
    cutout: NonNegativeInt


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """What every dataset has.

    Attributes:
        validation: share of the training split that is set aside for stop rules and the choice of the best checkpoint.
        limit_train: use at most so many training examples (validation is carved from them); null for all.
        limit_test: use at most so many test examples; null for all.
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


@dataclass(frozen=True, kw_only=True)
class SeriesOptions(DataOptions):
    """What every time series has: examples are windows of it, and the target is the value after the window.

    The last `holdout` values are the test split. Windows and scaling of the training split are made from what comes before
    them; the validation split is the end of that, not a random part, and `limit_train` keeps the newest windows.

    Attributes:
        window: values in a row that the network sees.
        holdout: values at the end that are forecast and never trained on.
        season: values until the pattern repeats: 12 for months, 7 for days; the naive forecast repeats the last season.
        transform: taken of each value first; `log` turns growth by a factor into growth by a sum, and needs values above 0.
        difference: the network sees and forecasts the change against so many values before; 0 is off.
    """

    window: PositiveInt
    holdout: PositiveInt
    season: PositiveInt
    transform: Literal["none", "log"]
    difference: NonNegativeInt


@dataclass(frozen=True, kw_only=True)
class AirlineData(SeriesOptions):
    """The 144 monthly numbers of airline passengers, 1949 to 1960, in thousands (Box and Jenkins, series G)."""

    name: Literal["airline"]


@dataclass(frozen=True, kw_only=True)
class SeriesData(SeriesOptions):
    """A column of a CSV file with a header line, one row a moment.

    Attributes:
        file: path of the file.
        column: name of the column with the values, or its place, from 0, or from -1 backwards; null takes the only one that
            holds numbers.
        order: of the rows. `checked` refuses a file whose dates fall, repeat, leave something out or cannot be read; `sorted`
            sorts the rows by their dates before that; `as_is` takes them as they stand, whatever the dates say.
    """

    name: Literal["series"]
    file: str
    column: str | int | None
    order: Order = "checked"


Data = TextbookData | DigitsData | TfdsData | SyntheticData | AirlineData | SeriesData
