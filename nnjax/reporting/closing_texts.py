"""Texts for the end of a command: a run's calibration and dead units, a trace's dead neurons.

calibration_texts(summary["calibration"])        # ("error 1.79%", "no validation split to fit a temperature on")
dead_units_texts(summary["dead_units"])          # ("hidden_1: 3 of 256 (1.2%)", "slope 0 for each of 512 training examples")
"""

from collections.abc import Mapping
from typing import Any

from nnjax.reporting.text import percent_text, temperature_text

_MOST_NAMES = 12


def calibration_texts(calibration: Mapping[str, Any]) -> tuple[str, str]:
    """The error, and the temperature with what it changes."""
    before, after = (percent_text(calibration[name]) for name in ("ece_before", "ece_after"))
    if not calibration["fitted_on"]:
        return f"error {before}", "no validation split to fit a temperature on"
    worse = "; the test split is calibrated worse with it" if calibration["ece_after"] > calibration["ece_before"] else ""
    return f"error {before} → {after}", f"{temperature_text(calibration['temperature'])}{worse}"


def dead_units_texts(dead: Mapping[str, Any]) -> tuple[str, str]:
    """Each layer's number and share of dead units, and which examples and trials were examined."""
    trials = dead.get("trials")
    layers = ", ".join(
        f"{layer['layer']} {percent_text(layer['share'])} of {layer['units']:,}"
        if trials
        else f"{layer['layer']} {layer['dead']:,} of {layer['units']:,} ({percent_text(layer['share'])})"
        for layer in dead["layers"]
    )
    all_of = dead["examples"] == dead["train_examples"]
    if all_of:
        examples = "the training example" if dead["examples"] == 1 else f"all {dead['examples']:,} training examples"
    else:
        examples = f"the first {dead['examples']:,} of {dead['train_examples']:,} training examples"
    of_trials = f"; {len(trials)} of {dead['num_trials']} trials examined" if trials else ""
    return layers, f"slope 0 for {examples}{of_trials}"


def dead_neurons_text(trace: Mapping[str, Any]) -> str:
    """The neurons of a trace (the content of `trace.json`) that are dead in the end, with their first iterations; or ""."""
    dead_in_the_end = (trace["final"] or {}).get("dead", ())
    since: dict[str, int | None] = {}
    for name in dead_in_the_end:
        since[name] = None
        for iteration in reversed(trace["iterations"]):
            if name not in iteration.get("dead", ()):
                break
            since[name] = iteration["number"]
    parts = [
        f"{name} ({'since the last step' if first is None else f'from iteration {first} on'})" for name, first in since.items()
    ]
    shown = parts if len(parts) <= _MOST_NAMES else [*parts[: _MOST_NAMES - 1], f"… {len(parts)} neurons in all"]
    return f"Dead in the end: {', '.join(shown)}" if parts else ""
