"""Values that are right one by one and do not go together.

    check_config(parse(Config, values))
    # IncompatibleError: model=cnn: needs images; data=textbook has 3 inputs; choose model=fnn or model=two_neuron

A check is a function that yields a problem for each pair it finds; `_CHECKS` lists them.
"""

import math
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import pairwise

from nnjax.config.dataset_spec import DatasetSpec, dataset_spec
from nnjax.config.errors import IncompatibleError
from nnjax.config.lengths import in_steps, planned_steps, steps_per_epoch
from nnjax.config.options import CNN, FNN, SyntheticData, TextbookData, TwoNeuron
from nnjax.config.problems import NO_ORIGINS, Origins, Problem, raise_problems
from nnjax.config.schema import Config
from nnjax.config.training_options import SGD, CrossEntropy, Muon, OneCycle, Steps, WarmupCosine

Problems = Iterator[Problem]

_MOST_STEPS = 2**31 - 1  # JAX counts steps in 32 bits


def check_config(config: Config, origins: Origins = NO_ORIGINS) -> None:
    """Checks what a config's values mean for each other.

    Args:
        config: as `parse` made it.
        origins: knows where the values were set.

    Raises:
        IncompatibleError: naming all pairs that do not go together.
    """
    problems = [*_textbook_rows(config), *_synthetic_sizes(config)]
    if not problems:  # the other checks rely on the data's shape
        spec = dataset_spec(config.data)
        problems = [problem for check in _CHECKS for problem in check(config, spec)]
    raise_problems(problems, origins, IncompatibleError)


# --- data ----------------------------------------------------------------------------------------------------------


def _textbook_rows(config: Config) -> Problems:
    data = config.data
    if not isinstance(data, TextbookData):
        return
    if not data.inputs:
        yield Problem("data.inputs", [], "needs at least one example")
    if len(data.targets) != len(data.inputs):
        reason = f"must have as many rows as data.inputs, {len(data.inputs)}; has {len(data.targets)}"
        yield Problem("data.targets", data.targets, reason)
    for key, rows in (("data.inputs", data.inputs), ("data.targets", data.targets)):
        for index, row in enumerate(rows):
            if not row:
                yield Problem(f"{key}.{index}", [], "needs at least one number")
            elif len(row) != len(rows[0]):
                reason = f"must be as long as the first row, {len(rows[0])}; has {len(row)}"
                yield Problem(f"{key}.{index}", row, reason)


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
        reason = f"leaves nothing of {_count(whole, 'example')} to train on; choose a smaller share"
        yield Problem("data.validation", config.data.validation, reason)
    elif config.data.limit_train == whole:
        reason = f"leaves {_count(left, 'example')} to train on, less than one batch of {batch_size}; choose a larger "
        yield Problem("data.limit_train", whole, f"{reason}one, or a smaller training.global_batch_size")
    else:
        reason = f"data={spec.name} has only {_count(left, 'example')} to train on; must be at most {left}"
        yield Problem("training.global_batch_size", batch_size, reason)


def _augmentation(config: Config, spec: DatasetSpec) -> Problems:
    augment = config.data.augment
    sizes = {"flip": augment.flip, "crop": augment.crop, "cutout": augment.cutout}
    if not spec.is_image:
        for name, size in sizes.items():
            if size:
                off = "false" if name == "flip" else "0"
                yield Problem(f"data.augment.{name}", size, f"needs images; {_inputs(spec)}; must be {off}")
        return
    side = min(spec.input_shape[:2])
    if augment.crop >= side:
        reason = f"must be less than the side of an image, {side}, as the border is a reflection of it"
        yield Problem("data.augment.crop", augment.crop, reason)
    if augment.cutout > side:
        yield Problem("data.augment.cutout", augment.cutout, f"must be at most the side of an image, {side}")


# --- model and loss ------------------------------------------------------------------------------------------------


def _cnn(config: Config, spec: DatasetSpec) -> Problems:
    model = config.model
    if not isinstance(model, CNN):
        return
    if not spec.is_image:
        fits = "model=fnn or model=two_neuron" if _has_one_value(spec) else "model=fnn"
        yield Problem("model", "cnn", f"needs images; {_inputs(spec)}; choose {fits}")
        return
    height, width, _ = spec.input_shape
    for index, block in enumerate(model.blocks):
        if min(height, width) < block.pool:
            reason = f"the {height}×{width} image that reaches this block is smaller; {_inputs(spec)}; "
            yield Problem(f"model.blocks.{index}.pool", block.pool, f"{reason}choose a smaller pool, or fewer blocks")
            return
        height, width = height // block.pool, width // block.pool


def _two_neuron(config: Config, spec: DatasetSpec) -> Problems:
    model = config.model
    if not isinstance(model, TwoNeuron):
        return
    if not _has_one_value(spec):
        kind = "classes" if spec.task == "classification" else "values a target"
        reason = f"has one real-valued output; data={spec.name} has {spec.num_outputs} {kind}"
        yield Problem("model", "two_neuron", f"{reason}; choose data=textbook or model=fnn")
        return
    inputs = math.prod(spec.input_shape)
    if len(model.neuron_a.weights) != inputs:
        reason = f"must be {_count(inputs, 'number')}, one for each input of data={spec.name}"
        yield Problem("model.neuron_a.weights", model.neuron_a.weights, reason)
    if len(model.neuron_b.weights) != 1:
        reason = "must be 1 number, as its one input is the output of neuron a"
        yield Problem("model.neuron_b.weights", model.neuron_b.weights, reason)


def _batch_norm(config: Config, spec: DatasetSpec) -> Problems:
    model = config.model
    if isinstance(model, FNN) and model.normalization == "batch" and config.training.global_batch_size == 1:
        reason = "needs more than one example a step; training.global_batch_size is 1; choose layer or none"
        yield Problem("model.normalization", "batch", reason)


def _loss(config: Config, spec: DatasetSpec) -> Problems:
    if not isinstance(config.loss, CrossEntropy):
        return
    if spec.task == "regression":
        reason = f"needs classes; data={spec.name} has real-valued targets; choose loss=mse or loss=half_mse"
        yield Problem("loss", "cross_entropy", reason)
    elif config.model.output_activation != "identity":
        reason = "must be identity with loss=cross_entropy, which applies softmax itself"
        yield Problem("model.output_activation", config.model.output_activation, reason)


def _optimizer(config: Config, spec: DatasetSpec) -> Problems:
    rule = config.optimizer
    if isinstance(rule, SGD | Muon) and rule.nesterov and rule.momentum == 0:
        yield Problem("optimizer.nesterov", True, "needs optimizer.momentum greater than 0, such as 0.9; has 0")


# --- training ------------------------------------------------------------------------------------------------------


def _duration(config: Config, spec: DatasetSpec) -> Problems:
    duration = config.training.duration
    if duration.unit == "%":
        reason = "must be in steps, epochs or examples, such as 10epochs, as percents are of it"
        yield Problem("training.duration", duration, reason)
    elif steps_per_epoch(config, spec) and (steps := planned_steps(config, spec)) > _MOST_STEPS:
        reason = f"is {steps} steps; must be at most {_MOST_STEPS}"
        yield Problem("training.duration", duration, reason)


def _schedule(config: Config, spec: DatasetSpec) -> Problems:
    if config.training.duration.unit == "%" or not steps_per_epoch(config, spec):
        return
    end = planned_steps(config, spec)
    whole = f"training.duration={config.training.duration}, {_count(end, 'step')}"
    match config.schedule:
        case Steps(boundaries=()):
            yield Problem("schedule.boundaries", [], "needs at least one; schedule=constant has none")
        case Steps(boundaries=boundaries):
            steps = [in_steps(boundary, config, spec) for boundary in boundaries]
            for index, (boundary, step) in enumerate(zip(boundaries, steps, strict=True)):
                if step >= end:
                    reason = f"step {step} is past the end of {whole}; choose an earlier one, such as 75%"
                    yield Problem(f"schedule.boundaries.{index}", boundary, reason)
            for index, (before, after) in enumerate(pairwise(steps), start=1):
                if after <= before:
                    reason = f"step {after} does not come after the boundary before it, step {before}"
                    yield Problem(f"schedule.boundaries.{index}", boundaries[index], reason)
        case WarmupCosine(warmup=warmup) | OneCycle(warmup=warmup):
            if (steps_up := in_steps(warmup, config, spec)) >= end:
                reason = f"{_count(steps_up, 'step')} must be less than {whole}; choose a shorter one, such as 5%"
                yield Problem("schedule.warmup", warmup, reason)


def _evaluation(config: Config, spec: DatasetSpec) -> Problems:
    training = config.training
    if training.test == "best" and spec.num_validation == 0:
        reason = f"needs a validation split; data.validation={config.data.validation:g} sets none aside"
        share = f"data.validation={max(0.1, math.ceil(100 / spec.num_train) / 100):g}, or " if spec.num_train > 1 else ""
        yield Problem("training.test", "best", f"{reason}; choose {share}training.test=last")
    if training.stop.accuracy_above is not None and spec.task == "regression":
        reason = f"needs classes; data={spec.name} has real-valued targets; choose training.stop.loss_below"
        yield Problem("training.stop.accuracy_above", training.stop.accuracy_above, reason)


def _devices(config: Config, spec: DatasetSpec) -> Problems:
    devices = config.parallel.devices
    if devices == "auto":
        return
    if config.debug.strict and devices > 1:
        yield Problem("parallel.devices", devices, "debug.strict=true runs on one device; must be 1 or auto")
    sizes = {"global_batch_size": config.training.global_batch_size, "eval_batch_size": config.training.eval_batch_size}
    for name, size in sizes.items():
        if size % devices:
            near = [near for near in (size // devices * devices, (size // devices + 1) * devices) if near]
            reason = f"parallel.devices={devices} does not divide it; choose {' or '.join(map(str, near))}"
            yield Problem(f"training.{name}", size, reason)


def _report(config: Config, spec: DatasetSpec) -> Problems:
    if config.report.tensorboard == "on" and find_spec("tensorboardX") is None:
        reason = "tensorboardX is not installed; add it with pip install -e '.[tensorboard]', or choose auto or off"
        yield Problem("report.tensorboard", "on", reason)


_CHECKS = (
    _split_sizes,
    _augmentation,
    _cnn,
    _two_neuron,
    _batch_norm,
    _loss,
    _optimizer,
    _duration,
    _schedule,
    _evaluation,
    _devices,
    _report,
)


def _has_one_value(spec: DatasetSpec) -> bool:
    return spec.task == "regression" and spec.num_outputs == 1


def _inputs(spec: DatasetSpec) -> str:
    shape: Sequence[int] = spec.input_shape
    size = f"{shape[0]}×{shape[1]} images" if spec.is_image else _count(shape[0], "input")
    return f"data={spec.name} has {size}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
