"""Checks the data by itself and against the batch size: sizes, rows, augmentation.

problems = list(shape_problems(config)) or [p for check in DATA_CHECKS for p in check(config, spec)]
"""

from collections.abc import Iterator

from nnjax.checks.class_checks import class_problems
from nnjax.checks.series_checks import series_problems
from nnjax.config.data_options import SeriesOptions, SyntheticData, TextbookData
from nnjax.config.diagnostics import Problem, count, show
from nnjax.config.schema import Config
from nnjax.data.dataset_spec import DatasetSpec

Problems = Iterator[Problem]
_LARGEST = 2.0**128 - 2.0**104  # of a float32


def shape_problems(config: Config) -> Problems:
    """Yields problems that leave the `DatasetSpec` without meaning; the other checks need it."""
    yield from _textbook_rows(config)
    yield from _synthetic_sizes(config)
    yield from series_problems(config)


def _textbook_rows(config: Config) -> Problems:
    data = config.data
    if not isinstance(data, TextbookData):
        return
    if not data.inputs:
        yield Problem("data.inputs", [], "needs at least one example")
    if len(data.targets) != len(data.inputs):
        wanted = "as many rows as data.inputs" if data.classes is None else "a name for each row of data.inputs"
        reason = f"must have {wanted}, {len(data.inputs)}; has {len(data.targets)}"
        yield Problem("data.targets", data.targets, reason, tuple(_one_row(data)))
    yield from class_problems(data)
    rows_of_numbers = {"data.inputs": data.inputs}
    if data.classes is None:
        rows_of_numbers["data.targets"] = tuple(row for row in data.targets if not isinstance(row, str))
    for key, rows in rows_of_numbers.items():
        for index, row in enumerate(rows):
            if not row:
                yield Problem(f"{key}.{index}", [], "needs at least one number")
            elif len(row) != len(rows[0]):
                reason = f"must be as long as the first row, {len(rows[0])}; has {len(row)}"
                yield Problem(f"{key}.{index}", row, reason)
            for place, number in enumerate(row):
                if abs(number) > _LARGEST:
                    yield Problem(f"{key}.{index}.{place}", number, "must be within ±3.4e38, the range of a float32")


def _one_row(data: TextbookData) -> Iterator[str]:
    """Yields the targets in one row, where there is one example and a row for each of its outputs."""
    values = [row[0] for row in data.targets if not isinstance(row, str) and len(row) == 1]
    if len(data.inputs) == 1 < len(data.targets) == len(values):
        yield f"for one example with {len(values)} outputs, write data.targets={show([values])}"


def _synthetic_sizes(config: Config) -> Problems:
    data = config.data
    if not isinstance(data, SyntheticData):
        return
    if len(data.input_shape) not in (1, 3):
        reason = "must be [height,width,channels] for images, or [features] for vectors"
        yield Problem("data.input_shape", data.input_shape, reason)
    if data.task == "classification" and data.outputs < 2:
        reason = "data.task=classification needs at least 2 classes; choose those or data.task=regression"
        yield Problem("data.outputs", data.outputs, reason)
    elif data.task == "classification" and data.num_train < data.outputs:
        reason = f"must be at least data.outputs={data.outputs}, one example of each class"
        yield Problem("data.num_train", data.num_train, reason)


def _split_sizes(config: Config, spec: DatasetSpec) -> Problems:
    batch_size, left = config.training.global_batch_size, spec.num_train
    if left >= batch_size:
        return
    whole = left + spec.num_validation
    if left == 0:
        reason = f"leaves nothing of {count(whole, 'example')} to train on; choose a smaller share"
        yield Problem("data.validation", config.data.validation, reason)
    elif isinstance(config.data, SeriesOptions) and whole >= batch_size:
        reason = f"leaves {count(left, 'window')} to train on, less than one batch of {batch_size}; choose a smaller share"
        yield Problem("data.validation", config.data.validation, reason)
    elif config.data.limit_train == whole:
        reason = f"leaves {count(left, 'example')} to train on, less than one batch of {batch_size}; choose a larger "
        yield Problem("data.limit_train", whole, f"{reason}one, or a smaller training.global_batch_size")
    else:
        reason = f"data={spec.name} has only {count(left, 'example')} to train on; must be at most {left}"
        yield Problem("training.global_batch_size", batch_size, reason)


def _augmentation(config: Config, spec: DatasetSpec) -> Problems:
    augment = config.data.augment
    changes = {"flip": (augment.flip, "off"), "crop": (augment.crop, 0), "cutout": (augment.cutout, 0)}
    if not spec.is_image:
        for name, (value, off) in changes.items():
            if value != off:
                yield Problem(f"data.augment.{name}", value, f"needs images; {describe_inputs(spec)}; must be {off}")
        return
    side = min(spec.input_shape[:2])
    if augment.crop >= side:
        reason = f"must be less than the side of an image, {side}, as the border is a reflection of it"
        yield Problem("data.augment.crop", augment.crop, reason)
    if augment.cutout and spec.input_shape[:2] == (1, 1):
        yield Problem("data.augment.cutout", augment.cutout, "greys out all of a 1×1 image; must be 0")
    elif augment.cutout > side:
        yield Problem("data.augment.cutout", augment.cutout, f"must be at most the side of an image, {side}")


DATA_CHECKS = (_split_sizes, _augmentation)


def describe_inputs(spec: DatasetSpec) -> str:
    """Describes a dataset's inputs: ``"data=digits has 8×8 images"``."""
    shape = spec.input_shape
    if spec.is_sequence:
        return f"data={spec.name} has windows of {count(shape[0], 'step')}"
    return f"data={spec.name} has {f'{shape[0]}×{shape[1]} images' if spec.is_image else count(shape[0], 'input')}"
