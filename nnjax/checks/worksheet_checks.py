"""Checks that a worksheet can be worked out by hand: a small fully connected network, plain gradient descent, one's own data.

check_worksheet(config, origins, spec)
# IncompatibleError: model.hidden=[256]: a worksheet is done by hand; must be at most 6 neurons in each layer
"""

from math import prod

from nnjax.checks.data_checks import Problems
from nnjax.checks.trace_checks import dense_sizes, rows_of_iteration, trace_problems
from nnjax.config.data_options import TextbookData
from nnjax.config.diagnostics import Origins, Problem, raise_problems
from nnjax.config.errors import IncompatibleError
from nnjax.config.options import FNN, Neurons, TwoNeuron
from nnjax.config.types import Seed
from nnjax.config.worksheet_options import WorksheetConfig
from nnjax.data.dataset_spec import DatasetSpec

MOST_INPUTS = 6
MOST_NEURONS = 6  # in a layer
MOST_LAYERS = 4
MOST_ROWS = 250  # operations on a sheet

_BY_HAND = "a worksheet is done by hand"


def check_worksheet(config: WorksheetConfig, origins: Origins, spec: DatasetSpec) -> None:
    """Checks a config that `check_config` found right.

    Args:
        config: the worksheet's.
        origins: where the values were set.
        spec: the facts of its dataset.

    Raises:
        IncompatibleError: if no worksheet can be made of it; it names all reasons.
    """
    problems = [*trace_problems(config), *_data(config), *_options(config)]
    if not problems:
        problems = [*_size(config, spec)]
    raise_problems(problems, origins, IncompatibleError)


def _data(config: WorksheetConfig) -> Problems:
    if not isinstance(config.data, TextbookData):
        reason = "a worksheet draws its own inputs and targets; choose data=textbook, whose data.inputs give their number"
        yield Problem("data", config.data.name, reason)
    elif config.data.normalize:
        yield Problem("data.normalize", True, "a worksheet's inputs are used as they are printed; must be false")
    elif config.data.classes:
        yield Problem("data.classes", list(config.data.classes), "a worksheet draws numbers as targets; must be null")
    if config.loss.name not in ("half_mse", "mse"):
        yield Problem("loss", config.loss.name, "a worksheet works out squared errors; choose loss=half_mse or loss=mse")


def _options(config: WorksheetConfig) -> Problems:
    if not config.steps:
        yield Problem("steps", [], "must name at least one of forward, error, backward, adjust, update")
    if len(set(config.steps)) < len(config.steps):
        yield Problem("steps", list(config.steps), "must name each phase once")
    (bounds,) = Seed.__metadata__  # type: ignore[attr-defined]  # of Annotated
    if not bounds.contains(config.seed + config.sheets - 1):
        yield Problem("sheets", config.sheets, f"the last sheet's seed would be above {bounds.at_most:.0f}; lower seed")
    if config.dead_neurons and "relu" not in hidden_activations(config):
        reason = "no hidden layer has relu, and other neurons do not die; choose activation=relu, or dead_neurons=false"
        yield Problem("dead_neurons", True, reason)


def hidden_activations(config: WorksheetConfig) -> list[str]:
    """Names of the activations of the hidden layers."""
    match config.model:
        case Neurons(layers=layers):
            return [layer.activation or config.activation.name for layer in layers[:-1]]
        case FNN(hidden=hidden):
            return [config.activation.name] * len(hidden)
    return [config.activation.name]


def _size(config: WorksheetConfig, spec: DatasetSpec) -> Problems:
    sizes, model = dense_sizes(config, spec), config.model
    named: dict[str, tuple[str, object]] = {
        "fnn": ("model.hidden", list(getattr(model, "hidden", ()))),
        "neurons": ("model.layers", [{"size": layer.neurons} for layer in sizes]),
    }
    key, value = named.get(model.name, ("model", model.name))
    if (inputs := prod(spec.input_shape)) > MOST_INPUTS:
        yield Problem("data.inputs", f"[{inputs} numbers each]", f"{_BY_HAND}; must be at most {MOST_INPUTS} inputs")
    if len(sizes) > MOST_LAYERS:
        yield Problem(key, value, f"{_BY_HAND}; must be at most {MOST_LAYERS} layers, the output layer included")
    if sizes[-1].neurons > MOST_NEURONS and not isinstance(model, Neurons | TwoNeuron):
        reason = f"{_BY_HAND}; must be at most {MOST_NEURONS} targets"
        yield Problem("data.targets", f"[{sizes[-1].neurons} numbers each]", reason)
    elif max(layer.neurons for layer in sizes) > MOST_NEURONS:
        yield Problem(key, value, f"{_BY_HAND}; must be at most {MOST_NEURONS} neurons in each layer")
    else:
        rows = config.iterations * rows_of_iteration(config, spec, config.training.global_batch_size)
        if rows > MOST_ROWS:
            if config.iterations > 1:
                key, value, fewer = "iterations", config.iterations, "fewer iterations"
            elif config.training.global_batch_size > 1:
                key, value, fewer = "training.global_batch_size", config.training.global_batch_size, "fewer examples"
            else:
                fewer = "fewer neurons"
            yield Problem(key, value, f"{_BY_HAND}, and a sheet would have {rows} lines, more than {MOST_ROWS}; choose {fewer}")
