"""One dataclass for each dataset option; `nnjax.config.options` has those of models and activations.

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
        flip: mirror left to right. `random` draws half of the images anew each epoch. `alternating` draws half of them for the
            first epoch, and then mirrors in each epoch the images not mirrored in the epoch before.
        crop: pixels of reflected border from which a window of the original size is cut; 0 is off.
        cutout: side in pixels of a square that is greyed out; 0 is off.
    """

    flip: Literal["off", "random", "alternating"]
    crop: NonNegativeInt
    cutout: NonNegativeInt


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """The options that all datasets share.

    Attributes:
        validation: share of the training split that is set aside for stop rules and the choice of the best checkpoint.
        limit_train: the largest number of training examples (the validation split is taken from them); null uses all.
        limit_test: the largest number of test examples; null uses all.
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
    """Examples written into the config itself; the same examples train and test.

    Attributes:
        inputs: a row of numbers for each example.
        classes: the names of the classes, in the order of the network's outputs; null for real-valued targets.
        targets: a row of numbers for each example; with `classes`, the name of each example's class.
    """

    name: Literal["textbook"]
    inputs: tuple[tuple[float, ...], ...]
    classes: tuple[str, ...] | None = None
    targets: tuple[tuple[float, ...] | str, ...]

    @property
    def class_numbers(self) -> tuple[int, ...]:
        """The place of each example's class in `classes`, from 0; empty for real-valued targets."""
        return tuple(map(self.classes.index, map(str, self.targets))) if self.classes else ()


@dataclass(frozen=True, kw_only=True)
class DigitsData(DataOptions):
    """scikit-learn's 1 797 handwritten digits, 8×8 grey, in a fixed split that keeps the classes' proportions."""

    name: Literal["digits"]


@dataclass(frozen=True, kw_only=True)
class TfdsData(DataOptions):
    """A dataset of tensorflow-datasets; `directory` null means TFDS_DATA_DIR, else ~/tensorflow_datasets."""

    name: TfdsName
    directory: str | None


@dataclass(frozen=True, kw_only=True)
class SyntheticData(DataOptions):
    """Synthetic examples: class centres (classification) or a random linear map (regression), plus noise.

    Attributes:
        task: classes or real values as targets.
        input_shape: (h, w, c) for images, (d,) for vectors.
        outputs: number of classes, or of target values.
        num_train: number of training examples.
        num_test: number of test examples.
        noise: standard deviation of the noise, relative to the signal's.
        data_seed: draws the examples; separate from the run's seed, so that runs with other seeds share the data.
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
    """The options that all time series share: an example is a window, and its target is the value after the window.

    The last `holdout` values are the test split. Windows and scaling of the training split come from the values before them.
    The validation split is the end of these, not a random part, and `limit_train` keeps the newest windows.

    Attributes:
        window: number of consecutive values in an input.
        holdout: number of values at the end that are forecast and never trained on; 0 trains on all, and tests nothing.
        season: number of values until the pattern repeats, such as 12 for months; the naive forecast repeats the last season.
        transform: applied to each value first; `log` turns growth by a factor into growth by a sum, and needs values above 0.
        difference: inputs and targets are changes over this many values; 0 is off.
    """

    window: PositiveInt
    holdout: NonNegativeInt
    season: PositiveInt
    transform: Literal["none", "log"]
    difference: NonNegativeInt


@dataclass(frozen=True, kw_only=True)
class AirlineData(SeriesOptions):
    """The 144 monthly numbers of airline passengers, 1949 to 1960, in thousands (Box and Jenkins, series G)."""

    name: Literal["airline"]


@dataclass(frozen=True, kw_only=True)
class SeriesData(SeriesOptions):
    """A column of a CSV file with a header line and one row per moment.

    Attributes:
        file: path of the file.
        column: name of the column with the values, or its place, from 0, or from -1 backwards; null takes the only numeric
            column.
        order: of the rows. `checked` refuses a file whose dates fall, repeat, have gaps or cannot be read; `sorted` sorts the
            rows by their dates before that; `as_is` keeps the order of the file and ignores the dates.
    """

    name: Literal["series"]
    file: str
    column: str | int | None
    order: Order = "checked"


Data = TextbookData | DigitsData | TfdsData | SyntheticData | AirlineData | SeriesData
