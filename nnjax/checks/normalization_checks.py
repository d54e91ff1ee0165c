"""Checks that each normalisation has more than one value: a single value less its own mean is 0, and nothing is learned.

problems = list(normalization_problems(config, spec))
# model.blocks.1.batch_norm=true: sees one value a channel, a 1×1 map of training.global_batch_size=1, …
"""

from nnjax.checks.data_checks import Problems
from nnjax.config.diagnostics import Problem
from nnjax.config.options import CNN, FNN, Airbench
from nnjax.config.schema import Config
from nnjax.data.dataset_spec import DatasetSpec

_CONSTANT = "and puts out its bias whatever comes in"


def normalization_problems(config: Config, spec: DatasetSpec) -> Problems:
    """Yields a problem for each BatchNorm with one value per channel and step, and for each LayerNorm of one feature.

    BatchNorm's statistics are taken over the global batch, so the number of devices does not matter.

    Args:
        config: with the layers.
        spec: the shape of the inputs; a model that does not fit them has no problems here.
    """
    match config.model:
        case FNN(normalization="batch", hidden=[_, *_]) if config.training.global_batch_size == 1:
            reason = "needs more than one example a step; training.global_batch_size is 1; choose layer or none"
            yield Problem("model.normalization", "batch", reason)
        case FNN(normalization="layer", hidden=hidden):
            for index, width in enumerate(hidden):
                if width == 1:
                    reason = f"model.normalization=layer normalises each example over 1 neuron here, {_CONSTANT}"
                    yield Problem(f"model.hidden.{index}", 1, f"{reason}; choose more neurons, or model.normalization=none")
        case CNN() as model if spec.is_image and config.training.global_batch_size == 1:
            yield from _cnn(model, spec)
        case Airbench() as model if spec.is_image and config.training.global_batch_size == 1:
            yield from _airbench(model, spec)


def _cnn(model: CNN, spec: DatasetSpec) -> Problems:
    height, width, _ = spec.input_shape
    if model.whitening is not None:
        height, width = height - model.whitening.size + 1, width - model.whitening.size + 1
    pooled = False
    for index, block in enumerate(model.blocks):
        if block.batch_norm and height == width == 1:  # the padded convolutions keep height and width
            remedy = "choose false, or training.global_batch_size of at least 2"
            if pooled:
                remedy = "choose false, training.global_batch_size of at least 2, or less pooling before this block"
            reason = f"sees one value a channel, a 1×1 map of training.global_batch_size=1, {_CONSTANT}; {remedy}"
            yield Problem(f"model.blocks.{index}.batch_norm", True, reason)
        height, width, pooled = height // block.pool, width // block.pool, pooled or block.pool > 1


def _airbench(model: Airbench, spec: DatasetSpec) -> Problems:
    height, width = (side - model.whitening.size + 1 for side in spec.input_shape[:2])
    for group in range(len(model.widths)):
        if min(height, width) > 1:  # pooled before the first BatchNorm of the group
            height, width = height // 2, width // 2
        if height == width == 1:
            remedy = f"at least 2{f', or at most {group} of model.widths' if group else ''}"
            reason = f"BatchNorm of model.widths.{group} sees one value a channel, a 1×1 map of one example, {_CONSTANT}"
            yield Problem("training.global_batch_size", 1, f"{reason}; choose {remedy}")
            return
