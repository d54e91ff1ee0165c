"""The live page's modules in Node: their own tests, and what they write and compute beside Python and JAX."""

import math
import shlex
from dataclasses import asdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from page_node import HERE, evaluated, in_node

from nnjax.cli.compose import compose_config
from nnjax.config.neuron_names import neuron_names, weight_symbol
from nnjax.config.options import ELU, LeakyReLU
from nnjax.config.schema import TraceConfig
from nnjax.config.training_options import CrossEntropy, SquaredError
from nnjax.data.load import load
from nnjax.models.activations import activation, default_activation
from nnjax.textbook import notation
from nnjax.textbook.error_rows import error_rows, output_error
from nnjax.textbook.formulas import formula, with_numbers
from nnjax.textbook.trace import trace

pytestmark = pytest.mark.node

NAMES = ("relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "identity", "leaky_relu", "elu")
OPTIONS = [*map(default_activation, NAMES), LeakyReLU("leaky_relu", 0.0), LeakyReLU("leaky_relu", 0.3), ELU("elu", 1.7)]
TIES = [m / 2**k for k in range(1, 40) for m in (1, 3, 5, 12345, 2**20 + 1, 2**31 - 1)]  # half-way between two short decimals
NUMBERS = [
    0.0,
    -0.0,
    0.1 + 0.2,
    1e-5,
    9.9999999e-4,
    0.00099999999,
    0.001,
    999999.99999999,
    1e10,
    99999999999.5,
    1e15,
    1e22,
    1e300,
]


def some_numbers():
    rng = np.random.default_rng(3)
    drawn = rng.normal(size=4000) * 10.0 ** rng.integers(-12, 16, size=4000)
    rounded = [float(np.round(value, digits)) for value, digits in zip(drawn, rng.integers(0, 13, 4000), strict=True)]
    values = [*NUMBERS, *TIES, *(value * 1e6 for value in TIES), *map(float, drawn), *rounded]
    return [*values, *(-value for value in values)]


@pytest.mark.parametrize("name", sorted(path.name for path in HERE.glob("*.test.js")))
def test_the_tests_in_javascript_pass(name):
    result = in_node(name)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "# fail 0" in result.stdout
    assert "# pass 0" not in result.stdout


@pytest.mark.parametrize("name", ["number", "operand", "tidy"])
def test_numbers_are_written_as_python_writes_them(name):
    values = some_numbers()
    program = f'import {{ {name} }} from "MODULES/format.js";\nresult = input.map({name});'
    expected = [getattr(notation, name)(value) for value in values]
    differing = [row for row in zip(values, evaluated(program, values), expected, strict=True) if row[1] != row[2]]
    assert differing == []


def test_sums_and_names_are_written_as_python_writes_them():
    sums = [some_numbers()[start : start + 1 + start % 9] for start in range(100)]
    program = """import { sumText, termsText } from "MODULES/format.js";
result = input.map((values) => [sumText(values), termsText(values.map((_, place) => `w_${place}`))]);"""
    for values, (numbers, terms) in zip(sums, evaluated(program, sums), strict=True):
        assert numbers == notation.sum_text(values)
        assert terms == notation.terms_text([f"w_{place}" for place in range(len(values))])
    sizes = [[1], [3, 2, 1], [13, 13], [13, 14], [6, 6, 6, 6]]
    program = 'import { neuronNames, weightSymbol } from "MODULES/format.js";\n'
    program += "result = input.map((sizes) => [neuronNames(sizes), weightSymbol(neuronNames(sizes)[0][0], 12)]);"
    names = [neuron_names(size) for size in sizes]
    assert evaluated(program, sizes) == [[name, weight_symbol(name[0][0], 12)] for name in names]


def test_activations_and_their_derivatives_are_jaxs():
    edge = [0.0, -0.0, 1e-300, 1e-20, 1e-8, 1e-3, 1.9, 2.0, 2.9, 20.0, 36.0, 37.5, 50.0, 700.0, 800.0, 1e10, 1e300]
    points = [*edge, *(-z for z in edge), *np.random.default_rng(5).normal(scale=4, size=2000)]
    program = """import { activate, slopeOf } from "MODULES/activations.js";
result = input[0].map((options) => input[1].map((z) => [activate(options, z), slopeOf(options, z)]));"""
    found = evaluated(program, [[asdict(options) for options in OPTIONS], points])
    for options, values in zip(OPTIONS, found, strict=True):
        with jax.enable_x64(True):
            z = jnp.asarray(points)
            function = activation(options)
            expected = np.asarray(jnp.stack([function(z), jax.vmap(jax.grad(function))(z)], axis=1))
        difference = np.abs(np.array(values, float) - expected)
        # A derivative such as y (1 − y) keeps no digits below float64's resolution of y, which is at most 1.
        scale = np.maximum(np.abs(expected), [[1e-4, 1.0]])
        assert (difference <= 1e-12 * scale).all(), (options, points[int(np.argmax((difference / scale).max(axis=1)))])
        at_zero = np.array(values, float)[:2]
        assert (at_zero == expected[:2]).all(), options  # the same side of the kink


def test_formulas_of_activations_are_pythons():
    values = [0.0, 0.76, -0.76, 1e-5, -1e-5, 12.5, -800.0, 0.1 + 0.2, 1.0, 99999.123456789]
    program = """import { formula, formulaWithNumbers } from "MODULES/formulas.js";
result = input[0].map((options) => [false, true].map((derivative) => [formula(options, "z_a", "y_a", derivative),
  input[1].map((z) => formulaWithNumbers(options, z, z / 3, derivative))]));"""
    found = evaluated(program, [[asdict(options) for options in OPTIONS], values])
    expected = [
        [
            [
                formula(options, "z_a", "y_a", derivative=derivative),
                [with_numbers(options, z, z / 3, derivative=derivative) for z in values],
            ]
            for derivative in (False, True)
        ]
        for options in OPTIONS
    ]
    assert found == expected


@pytest.mark.parametrize("loss", [SquaredError("mse"), SquaredError("half_mse"), CrossEntropy("cross_entropy", 0.0)], ids=str)
@pytest.mark.parametrize("outputs", [1, 2, 7])
def test_formulas_of_losses_are_pythons(loss, outputs):
    rng = np.random.default_rng(outputs)
    names, y = [f"n{k}" for k in range(outputs)], rng.normal(size=outputs)
    p = np.exp(y) / np.exp(y).sum()
    for targets in (np.eye(outputs)[outputs // 2], rng.normal(size=outputs)):
        is_softmax = loss.from_logits
        program = """import { lossFormula, outputErrorFormula } from "MODULES/formulas.js";
const [loss, names, t, y, p] = input;
result = [lossFormula(loss, names, t, p ?? y), ...names.map((n, k) => outputErrorFormula(loss, n, names.length, t[k], y[k],
  p === null ? null : p[k]))];"""
        given = [asdict(loss), names, targets.tolist(), y.tolist(), p.tolist() if is_softmax else None]
        probabilities = np.array([p]) if is_softmax else None
        row = list(error_rows(loss, names, targets[None], y[None], probabilities, np.zeros(1)))[-1]
        errors = [
            list(output_error(loss, name, outputs, float(targets[k]), float(y[k]), float(p[k]) if is_softmax else None))
            for k, name in enumerate(names)
        ]
        assert evaluated(program, given) == [[row["formula"], row["numbers"]], *errors]


def traced(*overrides):
    config = compose_config("trace", list(overrides), TraceConfig)
    return trace(config, load(config.data), jax.devices()[:1])


TRACES = {
    "textbook": ("experiment=textbook",),
    "mazur": ("experiment=mazur", "iterations=3"),
    "softmax": ("experiment=softmax", "iterations=3", "training.global_batch_size=2"),
}


@pytest.mark.parametrize("overrides", TRACES.values(), ids=TRACES)
def test_rows_and_remarks_of_the_projects_own_traces_are_the_same_to_the_last_character(overrides):
    expected = traced(*overrides)
    program = """import { stateOf } from "MODULES/state.js";
import { traceOf } from "MODULES/trace_of.js";
import { agreement } from "MODULES/agreement.js";
result = [traceOf(stateOf(input)), agreement(input)];"""
    found, agreed = evaluated(program, expected)
    assert agreed["agrees"]
    assert agreed["compared"] > len(expected["rows"])
    assert set(expected) <= set(found)
    assert set(expected["settings"]) <= set(found["settings"])
    for mine, theirs in zip(found["rows"], expected["rows"], strict=True):
        assert mine.keys() == theirs.keys()
        assert {**mine, "value": None} == {**theirs, "value": None}
        assert math.isclose(mine["value"], theirs["value"], rel_tol=1e-12, abs_tol=1e-15)
    for mine, theirs in zip(found["iterations"], expected["iterations"], strict=True):
        assert set(theirs) <= set(mine)
        assert (mine["dead"], mine["remarks"], mine["number"]) == (theirs["dead"], theirs["remarks"], theirs["number"])


@pytest.mark.parametrize("overrides", TRACES.values(), ids=TRACES)
def test_one_digit_changed_in_an_embedded_trace_is_found(overrides):
    expected = traced(*overrides)
    place = next(index for index, row in enumerate(expected["rows"]) if row["quantity"] == "gradient" and row["value"])
    value = repr(expected["rows"][place]["value"])
    digit = next(index for index, letter in enumerate(value) if letter in "123456789") + 2
    changed = value[:digit] + str((int(value[digit]) + 1) % 10 if value[digit].isdigit() else 5) + value[digit + 1 :]
    expected["rows"][place]["value"] = float(changed)
    program = 'import { agreement } from "MODULES/agreement.js";\nresult = agreement(input);'
    found = evaluated(program, expected)
    assert not found["agrees"]
    assert found["worst"]["where"].startswith(expected["rows"][place]["symbol"])


OVERRIDES = {
    **TRACES,
    "leaky_relu": ("model=neurons", "activation=leaky_relu", "activation.negative_slope=0.3", "model.layers=[{size: 1}]"),
    "small numbers": ("data.inputs=[[1e-7,-2e20,0.00001]]", "optimizer.learning_rate=-1e-9"),
    "no biases": (
        "model=neurons",
        "model.layers=[{size: 2, bias: false},{size: 1, weights: [[1,2]]}]",
        "model.learn_biases=false",
    ),
    "names": (
        "experiment=softmax",
        "data.classes=['it\\'s', 'true', 'a\\\\\\'b, c']",
        "data.targets=['true', 'a\\\\\\'b, c', 'it\\'s']",
        "loss.label_smoothing=0.2",
        "iterations=3",
    ),
    "three examples": ("data.inputs=[[1,2,3],[3,2,1],[0,0,0]]", "data.targets=[[1],[2],[3]]", "iterations=4"),
}


@pytest.mark.parametrize("overrides", OVERRIDES.values(), ids=OVERRIDES)
def test_the_overrides_of_a_state_make_the_same_trace(overrides):
    expected = traced(*overrides)
    options = compose_config("trace", list(overrides), TraceConfig)
    expected["settings"].setdefault("loss_options", {"label_smoothing": getattr(options.loss, "label_smoothing", 0)})
    for layer in expected["network"]["layers"]:
        layer.setdefault("activation_options", {"negative_slope": getattr(options.activation, "negative_slope", 0.01)})
    program = """import { stateOf } from "MODULES/state.js";
import { overridesOf } from "MODULES/command.js";
result = overridesOf(stateOf(input));"""
    again = traced(*evaluated(program, expected))
    assert again["classes"] == expected["classes"]
    assert again["examples"] == expected["examples"]
    for mine, theirs in zip(again["iterations"], expected["iterations"], strict=True):
        assert mine["learning_rate"] == theirs["learning_rate"]
    for mine, theirs in zip(again["rows"], expected["rows"], strict=True):
        assert mine["formula"] == theirs["formula"]
        assert math.isclose(mine["value"], theirs["value"], rel_tol=1e-9, abs_tol=1e-12)  # drawn weights are rounded in a trace


def test_the_command_of_a_page_as_it_was_made_names_its_devices_and_records():
    program = """import { stateOf } from "MODULES/state.js";
import { commandOf } from "MODULES/command.js";
result = [commandOf(stateOf(input)), commandOf(stateOf(input), input)];"""
    found = traced("iterations=102", "report.records=all")
    of_state, of_trace = evaluated(program, {**found, "exchange": {"devices": [{}, {}]}})
    assert of_trace == f"{of_state} report.records=all parallel.devices=2 training.eval_batch_size=1"
    assert len(set(evaluated(program, traced()))) == 1


def test_the_line_for_a_shell_is_read_back_by_one():
    program = """import { commandOf, overridesOf } from "MODULES/command.js";
result = [commandOf(input), overridesOf(input)];"""
    state = {
        "inputs": ["x1"],
        "layers": [
            {
                "name": "output",
                "activation": {"name": "identity"},
                "neurons": ["a", "b"],
                "hasBias": False,
                "learnsBias": False,
                "weights": [[0.5], [-1]],
                "biases": None,
            }
        ],
        "loss": {"name": "cross_entropy", "label_smoothing": 0},
        "learningRate": -0.5,  # sgd takes none below 0, so the textbook's rule with the other sign
        "adds": False,
        "rates": None,
        "batches": [{"inputs": [[1], [2]], "targets": [[1, 0], [0, 1]]}],
        "iterations": 2,
        "classes": ["it's $HOME", "`ls`; \\"],
    }
    line, overrides = evaluated(program, state)
    assert shlex.split(line) == ["python", "-m", "experiments.trace", *overrides]
    assert "optimizer=textbook" in overrides
    assert "optimizer.learning_rate=0.5" in overrides
    assert traced(*overrides)["classes"] == state["classes"]
