"""Predictions as plain numbers for JSON, and the formulas that a report names.

numbers = predicted_numbers(predict(collectives, link, device, flops=2.4e9, devices=8))
numbers["step_time"]         # {"value": 0.0127, "unit": "s", "formula": "step_time", "inputs": {…}, "outside": []}
"""

from collections.abc import Mapping
from typing import Any

from nnjax.interconnect.catalogue import FORMULAS
from nnjax.interconnect.formula import Figure
from nnjax.interconnect.predicted import Prediction


def predicted_numbers(prediction: Prediction) -> dict[str, Any]:
    """The prediction without its collectives, which are rows of the report."""
    step, failures, run = prediction.step, prediction.failures, prediction.run
    return {
        **{
            name: _number(getattr(step, name)) for name in ("computing", "communicating", "exposed", "step_time", "utilisation")
        },
        "computing_by_communicating": _ratio(step.computing.value, step.communicating.value),
        "forward_end": step.forward_end,
        "backward_end": step.backward_end,
        "overlap": step.overlap,
        "scaling": [
            {
                "devices": point.devices,
                "algorithm": point.algorithm,
                "step_time": point.step_time,
                "communicating": point.communicating,
                "efficiency": point.efficiency.value,
                "formula": point.efficiency.formula,
            }
            for point in prediction.scaling
        ],
        "losses": [
            {
                "transport": effect.transport,
                "goodput": _number(effect.goodput),
                "step_time": effect.step_time,
                "rates": [_number(rate) for rate in effect.rates],
            }
            for effect in prediction.losses
        ],
        "failures": None if failures is None else _numbers(failures),
        "run": None if run is None else _numbers(run),
        "notes": list(prediction.notes),
    }


def _ratio(computing: float, communicating: float) -> float | None:
    return computing / communicating if communicating else None


def _numbers(of: Any) -> dict[str, Any]:
    return {name: _number(value) if isinstance(value, Figure) else value for name, value in vars(of).items()}


def _number(figure: Figure) -> dict[str, Any]:
    return {
        "value": figure.value,
        "unit": figure.unit,
        "formula": figure.formula,
        "inputs": dict(figure.inputs),
        "outside": list(figure.outside),
    }


def formulas_of(report: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The formulas that a report names, with their texts, sources and ranges of validity."""
    names = sorted(set(_names(report)))
    return {
        name: {"formula": FORMULAS[name].text, "source": FORMULAS[name].source, "validity": FORMULAS[name].validity}
        for name in names
    }


def _names(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        own = [value["formula"]] if isinstance(value.get("formula"), str) and value["formula"] in FORMULAS else []
        return own + [name for item in value.values() for name in _names(item)]
    return [name for item in value for name in _names(item)] if isinstance(value, list) else []
