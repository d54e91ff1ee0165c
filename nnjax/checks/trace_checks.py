"""Checks that a trace can show an experiment: a fully connected network, plain gradient descent, not too many operations.

check_trace(config, origins, spec)
# IncompatibleError: model=cnn: is not fully connected; choose model=two_neuron, model=neurons or model=fnn
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from nnjax.checks.data_checks import Problems
from nnjax.checks.sparse import recorded_steps, sparse_steps
from nnjax.config.data_options import TextbookData
from nnjax.config.diagnostics import Origins, Problem, raise_problems
from nnjax.config.errors import IncompatibleError
from nnjax.config.options import FNN, Neurons, TwoNeuron
from nnjax.config.schema import TraceConfig
from nnjax.config.training_options import SGD, Textbook
from nnjax.data.dataset_spec import DatasetSpec

MOST_ROWS = 200_000
MOST_ITERATIONS = 1_000_000


@dataclass(frozen=True)
class DenseSize:
    """The inputs and neurons of a dense layer, whether these have a bias weight, and whether training changes that."""

    inputs: int
    neurons: int
    bias: bool
    learns_bias: bool


def check_trace(config: TraceConfig, origins: Origins, spec: DatasetSpec) -> None:
    """Checks a config that `check_config` found right.

    Args:
        config: the trace's.
        origins: where the values were set.
        spec: the facts of its dataset.

    Raises:
        IncompatibleError: if a trace cannot show it; it names all reasons.
    """
    problems = trace_problems(config)
    if not problems:
        problems = [*_size(config, spec)]
    raise_problems(problems, origins, IncompatibleError)


def trace_problems(config: TraceConfig) -> list[Problem]:
    """Returns the reasons against a trace of a config, apart from its size."""
    return [*_model(config), *_optimizer(config), *_data(config), *_trials(config)]


def _model(config: TraceConfig) -> Problems:
    model = config.model
    if not isinstance(model, TwoNeuron | Neurons | FNN):
        reason = "is not fully connected, so its weights do not belong to one neuron and one input each"
        yield Problem("model", model.name, f"{reason}; choose model=two_neuron, model=neurons or model=fnn")
    elif isinstance(model, FNN):
        if model.normalization != "none":
            yield Problem("model.normalization", model.normalization, "a trace shows plain neurons; must be none")
        if model.dropout:
            yield Problem("model.dropout", model.dropout, "a trace shows plain neurons; must be 0")


def _optimizer(config: TraceConfig) -> Problems:
    rule = config.optimizer
    if isinstance(rule, SGD):
        plain: dict[str, object] = {"momentum": 0.0, "weight_decay": 0.0, "clip_norm": None, "lookahead": None}
        for name, off in plain.items():
            value = getattr(rule, name)
            if value != off:
                reason = "a trace shows weight − learning rate × gradient; must be"
                yield Problem(f"optimizer.{name}", value, f"{reason} {'null' if off is None else 0}")
        if rule.parameter_groups:
            reason = "a trace shows weight − learning rate × gradient; must be []"
            yield Problem("optimizer.parameter_groups", rule.parameter_groups, reason)
    elif not isinstance(rule, Textbook):
        reason = "moves a weight by more than learning rate × gradient; choose optimizer=textbook or optimizer=sgd"
        yield Problem("optimizer", rule.name, reason)


def _data(config: TraceConfig) -> Problems:
    if isinstance(config.data, TextbookData) and config.data.validation:
        reason = "a trace takes the examples in the order of data.inputs, all of them; must be 0"
        yield Problem("data.validation", config.data.validation, reason)


def _trials(config: TraceConfig) -> Problems:
    alone: dict[str, tuple[object, str]] = {
        "seeds": (config.training.seeds, "1"),
        "vary.learning_rate": (config.training.vary.learning_rate, "null"),
    }
    for name, (value, wanted) in alone.items():
        if value not in (1, None):
            yield Problem(f"training.{name}", value, f"a trace shows one network; must be {wanted}")


def _size(config: TraceConfig, spec: DatasetSpec) -> Problems:
    batch = config.training.global_batch_size
    if config.iterations > MOST_ITERATIONS:
        yield Problem("iterations", config.iterations, f"must be at most {MOST_ITERATIONS:,}")
        return
    recorded = len(recorded_steps(config.report.records, config.iterations))
    rows = recorded * rows_of_iteration(config, spec, batch)
    if rows <= MOST_ROWS:
        return
    said = f"the trace would have {rows:,} rows, more than {MOST_ROWS:,}"
    if rows_of_iteration(config, spec, 1) > MOST_ROWS:
        smaller = {"neurons": ", smaller model.layers", "fnn": ", a smaller model.hidden"}.get(config.model.name, "")
        reason = f"{said}, already for one iteration of one example; choose data with fewer inputs{smaller}"
        yield Problem("model", config.model.name, reason)
    elif (most := MOST_ROWS // rows_of_iteration(config, spec, batch)) >= 1:
        yield Problem("iterations", config.iterations, f"{said}; must be at most {_longest(config, most)}")
    else:
        iterations = min(config.iterations, _longest(config, MOST_ROWS // rows_of_iteration(config, spec, 1)))
        each = MOST_ROWS // len(recorded_steps(config.report.records, iterations))
        most = bisect_right(range(1, batch + 1), each, key=lambda size: rows_of_iteration(config, spec, size))
        reason = f"{said}; must be at most {most} for iterations={iterations}"
        yield Problem("training.global_batch_size", batch, reason)


def _longest(config: TraceConfig, recorded: int) -> int:
    """The largest number of iterations of which at most `recorded` are recorded."""
    if config.report.records == "all":
        return recorded
    steps = sparse_steps(MOST_ITERATIONS)
    return steps[min(recorded, len(steps)) - 1]


def rows_of_iteration(config: TraceConfig, spec: DatasetSpec, batch: int) -> int:
    """Returns the number of operations, one row each, of an iteration over `batch` examples."""
    layers = dense_sizes(config, spec)
    neurons, outputs = sum(layer.neurons for layer in layers), layers[-1].neurons
    products = sum(layer.neurons * (layer.inputs + layer.bias) for layer in layers)
    learnt = sum(layer.neurons * (layer.inputs + layer.learns_bias) for layer in layers)
    error = 1 + outputs * config.loss.from_logits
    # z, y; ∂E/∂y, f′(z), δ of a neuron; gradient, adjustment and new value of a weight; the mean of several losses
    return batch * (products + 2 * neurons + error + 3 * neurons) + 3 * learnt + (batch > 1)


def dense_sizes(config: TraceConfig, spec: DatasetSpec) -> list[DenseSize]:
    """Returns the sizes of the layers of a network that `check_trace` accepts, from the first to the output layer."""
    return list(_dense_sizes(config, prod(spec.input_shape), spec.num_outputs))


def _dense_sizes(config: TraceConfig, inputs: int, outputs: int) -> Iterator[DenseSize]:
    match config.model:
        case Neurons(layers=layers, learn_biases=learns):
            for before, layer in zip([inputs, *(layer.size for layer in layers)], layers, strict=False):
                yield DenseSize(before, layer.size, layer.bias, layer.bias and learns)
        case TwoNeuron(learn_biases=learns):
            yield DenseSize(inputs, 1, True, learns)
            yield DenseSize(1, 1, True, learns)
        case FNN(hidden=hidden):
            yield from (DenseSize(before, size, True, True) for before, size in pairwise((inputs, *hidden, outputs)))
