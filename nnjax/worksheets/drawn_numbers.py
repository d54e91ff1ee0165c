"""Fresh numbers for an exercise, from a seed alone: few digits, living neurons, activations that do not saturate.

exercises = draw_all(config, spec)                  # one for each seed, no two alike
with_numbers_of(config, exercises[0].exercise)      # the config that computes it
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from nnjax.checks.plan import make_plan
from nnjax.checks.trace_checks import dense_sizes
from nnjax.config.data_options import TextbookData
from nnjax.config.errors import UserError
from nnjax.config.options import FNN, Activation, Neuron, NeuronLayer, Neurons, TwoNeuron
from nnjax.config.training_options import Textbook
from nnjax.config.worksheet_options import WorksheetConfig
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.models.activations import default_activation
from nnjax.worksheets.hand_solution import KINKED, DrawnLayer, Exercise, Values, solve
from nnjax.worksheets.rounding import Bounded, round_half_up, within

_MOST_DRAWS = 20_000
_MOST_VARIANTS = 1_000
_MARGIN = 0.05  # least distance of a weighted sum from a kink, so that no rounding gets past it
_SATURATED = {"sigmoid": 2.5, "tanh": 1.75}  # |z| beyond which the slope is less than about a tenth of a sigmoid's or tanh's
_RANGES = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, 99.0), "softplus": (0.0, 99.0)}
_LEAST_ERROR, _LARGEST_ERROR = 0.1, 0.6  # of an output
_LARGEST_Z = 6.0  # in other layers


@dataclass(frozen=True)
class Drawn:
    """An exercise of a seed.

    Attributes:
        seed: the seed.
        exercise: the numbers.
        variant: 1, or more if the numbers of the seed were those of an earlier sheet, so that others were drawn.
    """

    seed: int
    exercise: Exercise
    variant: int


@dataclass(frozen=True)
class _Shape:
    sizes: tuple[tuple[int, int, Activation, bool, bool], ...]  # inputs, neurons, activation, has and learns biases
    examples: int
    batch: int
    rates: tuple[float, ...]


def draw_all(config: WorksheetConfig, spec: DatasetSpec) -> list[Drawn]:
    """Draws the exercises of all sheets.

    Args:
        config: must pass `nnjax.checks.worksheet_checks`.
        spec: the facts of its dataset.

    Raises:
        UserError: if no fitting numbers are found, or fewer different sheets than asked for.
    """
    shape = _shape(config, spec)
    seen: set[Exercise] = set()
    found: list[Drawn] = []
    for seed in range(config.seed, config.seed + config.sheets):
        generator, variant = random.Random(seed), 1
        while (exercise := _draw(config, shape, generator, seed)) in seen:
            if variant == _MOST_VARIANTS:
                reason = f"after {len(found)} different ones, {variant} more were all among them; choose fewer sheets"
                raise UserError(f"sheets={config.sheets}: {reason}, a larger network, or decimals=2")
            variant += 1
        seen.add(exercise)
        found.append(Drawn(seed, exercise, variant))
    return found


def with_numbers_of(config: WorksheetConfig, exercise: Exercise) -> WorksheetConfig:
    """Returns a config whose data and initial weights are an exercise's; an `fnn` becomes the same network in `neurons`."""
    model = config.model
    rows = [(layer.weights, layer.biases) for layer in exercise.layers]
    match model:
        case TwoNeuron():
            neuron_a, neuron_b = (Neuron(weights[0], biases[0]) for weights, biases in rows if biases is not None)
            model = replace(model, neuron_a=neuron_a, neuron_b=neuron_b)
        case Neurons(layers=layers):
            pairs = zip(layers, rows, strict=True)
            numbered = tuple(replace(layer, weights=weights, biases=biases) for layer, (weights, biases) in pairs)
            model = replace(model, layers=numbered)
        case FNN(output_activation=last):
            names = [None] * (len(rows) - 1) + [last]
            pairs_of_names = zip(names, rows, strict=True)
            dense = tuple(NeuronLayer(len(weights), weights, biases, True, name) for name, (weights, biases) in pairs_of_names)
            model = Neurons("neurons", dense, learn_biases=True)
    assert isinstance(config.data, TextbookData)
    data = replace(config.data, inputs=exercise.inputs, targets=exercise.targets)
    return replace(config, model=model, data=data)


def _shape(config: WorksheetConfig, spec: DatasetSpec) -> _Shape:
    match config.model:
        case TwoNeuron(output_activation=last):
            activations = [config.activation, default_activation(last)]
        case Neurons(layers=layers):
            named = (layer.activation for layer in layers)
            activations = [default_activation(name) if name else config.activation for name in named]
        case FNN(hidden=hidden, output_activation=last):
            activations = [*[config.activation] * len(hidden), default_activation(last)]
        case _:
            raise TypeError(f"{config.model.name}: not fully connected")
    sizes = [
        (size.inputs, size.neurons, activation, size.bias, size.learns_bias)
        for size, activation in zip(dense_sizes(config, spec), activations, strict=True)
    ]
    assert isinstance(config.data, TextbookData)
    peak = config.optimizer.learning_rate if isinstance(config.optimizer, Textbook) else -config.optimizer.learning_rate
    relative = make_plan(config, spec).relative_rate
    rates = tuple(peak * float(relative(index)) for index in range(config.iterations))
    return _Shape(tuple(sizes), spec.num_train, config.training.global_batch_size, rates)


def _draw(config: WorksheetConfig, shape: _Shape, generator: random.Random, seed: int) -> Exercise:
    for attempt in range(_MOST_DRAWS):
        exercise = _numbers(config, shape, generator, attempt)
        if exercise is not None and _fits(exercise, config):
            return exercise
    wishes = "a dead neuron" if config.dead_neurons else "living neurons"
    reason = f"no numbers with {wishes} were found in {_MOST_DRAWS:,} draws; choose a smaller network or learning rate"
    raise UserError(f"seed={seed}: {reason}, fewer examples or iterations, or another activation")


def _numbers(config: WorksheetConfig, shape: _Shape, generator: random.Random, attempt: int) -> Exercise | None:
    """Draws numbers; None if an output leaves no room for a target at a fitting distance."""
    tenths: int = 10**config.decimals

    def number(negative: float) -> float:
        """One of 0.1 … 0.9, negative with a probability; 0.01 … 0.99 with two decimals."""
        size = (1 + int(generator.random() * (tenths - 1))) / tenths
        return -size if generator.random() < negative else size

    layers = []
    for inputs, neurons, activation, has_bias, learns in shape.sizes:
        # the more draws had a dead neuron, the fewer weights are negative
        fades = activation.name == "relu" and not config.dead_neurons
        negative = 0.3 * 0.995**attempt if fades else 0.4
        weights = tuple(tuple(number(negative) for _ in range(inputs)) for _ in range(neurons))
        biases = tuple(number(negative) for _ in range(neurons)) if has_bias else None
        layers.append(DrawnLayer(activation, weights, biases, learns))
    width = shape.sizes[0][0]
    inputs_of = tuple(tuple(number(0.0) for _ in range(width)) for _ in range(shape.examples))
    if any(len(set(row)) < min(width, tenths - 1) for row in inputs_of):  # equal inputs hide a mistaken order
        return None
    blank = Exercise(tuple(layers), inputs_of, (), shape.batch, (), config.loss.name)  # type: ignore[arg-type]
    targets = []
    for place in range(shape.examples):
        outputs = _outputs(blank, inputs_of[place])
        targets.append(tuple(_target(y, shape.sizes[-1][2].name, config.decimals, generator) for y in outputs))
    if any(target is None for row in targets for target in row):
        return None
    return replace(blank, targets=tuple(targets), rates=shape.rates)  # type: ignore[arg-type]


def _outputs(exercise: Exercise, inputs: tuple[float, ...]) -> list[float]:
    """The outputs for one example, from a solution without an update."""
    single = replace(exercise, inputs=(inputs,), targets=((0.0,) * len(exercise.names[-1]),), batch=1, rates=(0.0,))
    values = solve(single)
    return [values[1, "y", 1, name, None].value for name in exercise.names[-1]]


def _target(y: float, activation: str, decimals: int, generator: random.Random) -> float | None:
    """A target near an output, within the activation's range; None if the draw has none."""
    size = _LEAST_ERROR + generator.random() * (_LARGEST_ERROR - _LEAST_ERROR)
    target = round_half_up(y + (size if generator.random() < 0.5 else -size), decimals)
    low, high = _RANGES.get(activation, (-99.0, 99.0))
    return target if low <= target <= high and abs(target - y) >= _LEAST_ERROR / 2 else None


def _fits(exercise: Exercise, config: WorksheetConfig) -> bool:
    values = solve(exercise, within(config.round_to))
    activations = {
        name: layer.activation.name for layer, names in zip(exercise.layers, exercise.names, strict=True) for name in names
    }
    for (_, quantity, _, name, _), found in values.items():
        if quantity == "z" and name is not None and not _good_sum(found, activations[name]):
            return False
    living = _all_live(exercise, values, activations)
    return _one_dies(exercise, values, activations) if config.dead_neurons else living


def _good_sum(z: Bounded, activation: str) -> bool:
    """Whether a weighted sum is far from a kink, and not where its activation is flat."""
    if activation in KINKED and abs(z.value) < _MARGIN + z.error:
        return False
    return abs(z.value) <= _SATURATED.get(activation, _LARGEST_Z)


def _all_live(exercise: Exercise, values: Values, activations: Mapping[str, str]) -> bool:
    """Whether every relu neuron passes every example on, in every iteration."""
    zs = ((activations[key[3]], found) for key, found in values.items() if key[1] == "z" and key[3] is not None)
    return all(z.value > 0 for activation, z in zs if activation == "relu")


def _one_dies(exercise: Exercise, values: Values, activations: Mapping[str, str]) -> bool:
    """Whether a hidden relu neuron is dead at first, for every example, and no output is for those of the first iteration."""

    def is_dead(name: str, found: Values, examples: int) -> bool:
        sums = (found[1, "z", example, name, None].value for example in range(1, examples + 1))
        return activations[name] == "relu" and all(z < 0 for z in sums)

    *hidden, outputs = exercise.names
    if any(is_dead(name, values, exercise.batch) for name in outputs):
        return False
    size = len(exercise.inputs)  # later iterations may have other examples, and then other weights, too
    at_first = values if exercise.batch == size else solve(replace(exercise, batch=size, rates=exercise.rates[:1]))
    return any(is_dead(name, at_first, size) for names in hidden for name in names)
