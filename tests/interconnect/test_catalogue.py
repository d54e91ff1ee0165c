"""The catalogue is complete, and docs/network-models.md says the same."""

import inspect
import math
from functools import partial

import pytest
from formula_table import PAGE, filled, formulas

from nnjax.config.types import Bounds
from nnjax.interconnect import failures, incast, stragglers, timing, transport
from nnjax.interconnect.catalogue import FORMULAS, figure
from nnjax.interconnect.formula import Figure

WITHOUT_ENTRY = {"window_of", "timeout_time", "slowest_of_normal", "slowest_of_exponential", "with_one_slow", "timeline"}


def test_the_page_has_every_formula_link_and_device():
    page = PAGE.read_text()
    assert filled(page) == page, "run: PYTHONPATH=.:tests python tests/interconnect/formula_table.py"


def test_another_text_or_range_would_be_seen(monkeypatch):
    before = list(formulas())
    monkeypatch.setitem(FORMULAS, "young", FORMULAS["daly"])
    assert list(formulas()) != before


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=lambda formula: formula.name)
def test_a_formula_is_complete(formula):
    function = formula.function.func if isinstance(formula.function, partial) else formula.function
    parameters = inspect.signature(formula.function).parameters
    assert set(formula.inputs) <= set(parameters)
    required = {name for name, one in parameters.items() if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD}
    assert required <= set(formula.inputs)
    assert all((formula.text, formula.source, formula.validity))
    assert function.__doc__
    others = [one.text for one in FORMULAS.values() if one is not formula and one.name in formula.text]
    assert all(name in "".join([formula.text, *others]) for name in formula.inputs)


@pytest.mark.parametrize(
    ("name", "inputs", "words"),
    [
        ("mathis", {"mss": 1448, "rtt": 0.02, "loss": 0.05, "acks": 2}, "loss=0.05 must be at least 0 and at most 0.02"),
        ("young", {"checkpoint_time": 600, "mean_time": 1800}, "checkpoint_time must be at most a tenth of mean_time"),
        ("young_waste", {"interval": 900, "checkpoint_time": 1, "mean_time": 800}, "interval must be at most mean_time"),
    ],
)
def test_what_lies_outside_the_range_is_computed_and_named(name, inputs, words):
    result = figure("what", name, **inputs)
    assert words in result.outside
    assert result.value == FORMULAS[name].function(**inputs)


def test_every_model_is_in_the_catalogue():
    functions = {
        name
        for module in (failures, incast, stragglers, timing, transport)
        for name, value in vars(module).items()
        if inspect.isfunction(inspect.unwrap(value)) and value.__module__ == module.__name__
    }
    assert functions - WITHOUT_ENTRY <= set(FORMULAS)


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=lambda formula: formula.name)
def test_a_formula_can_be_computed_within_its_range(formula):
    inputs = {name: inside(one.bounds) for name, one in formula.inputs.items()}
    if formula.name in ("young", "young_waste"):
        inputs["mean_time"] = 1000
    result = figure("what", formula.name, **inputs)
    assert result.outside == ()
    assert not math.isnan(result.value)
    assert result == Figure("what", result.value, formula.unit, formula.name, inputs)


def inside(bounds: Bounds):
    """A number within a range: its middle, or 2 above an end."""
    low = bounds.at_least if bounds.at_least is not None else bounds.above
    high = bounds.at_most if bounds.at_most is not None else bounds.below
    return int(low + 2) if high is None else (low + high) / 2


def test_a_text_can_be_computed():
    """Formulas whose texts are also Python, with their functions."""
    cases = {
        "go_back_n": {"loss": 0.02, "window": 9},
        "young_waste": {"interval": 700, "checkpoint_time": 20, "mean_time": 9000},
        "alpha_beta": {"rounds": 6, "latency": 1e-5, "sent_bytes": 1e6, "bandwidth": 1e9, "overhead": 1e-4, "buffers": 2},
        "data_rate": {"bandwidth": 1e9, "efficiency": 0.9, "goodput": 0.5, "oversubscription": 2, "incast": 3},
        "mathis": {"mss": 1448, "rtt": 0.02, "loss": 0.001, "acks": 2},
        "young": {"checkpoint_time": 30, "mean_time": 10_800},
        "incast_loss": {"senders": 9, "window_bytes": 64_000, "buffer": 1000},
        "go_back_0": {"loss": 0.02, "packets": 30},
        "pftk": {"mss": 1448, "rtt": 0.02, "loss": 0.01, "timeout": 0.2, "acks": 2, "window": 1000},
        "tcp_message_time": {
            "packets": 5000,
            "mss": 1448,
            "bandwidth": 1e9,
            "rtt": 0.02,
            "loss": 0.01,
            "timeout": 0.2,
            "acks": 2,
        },
    }
    signs = {"·": "*", "−": "-", "²": "**2", "^": "**", "√(": "sqrt("}
    for name, inputs in cases.items():
        text = FORMULAS[name].text
        for sign, python in signs.items():
            text = text.replace(sign, python)
        computed = eval(text, {"sqrt": math.sqrt, "min": min, "max": max}, inputs)
        assert figure(name, name, **inputs).value == pytest.approx(computed), name
