"""The page of one run: from the files of its folder to the sections of `report.html`.

page = run_page(RunFacts(name="14-05-09_cnn_mnist", config=values, summary=summary, records=records, parts=parts, …))
write_page(run_dir / "report.html", page)

Reads nothing itself: a run that diverged, was killed or is of an old version has fewer facts, and its page fewer sections.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from nnjax.reporting.about_sections import (
    config_section,
    cost_section,
    ending_text,
    layer_sections,
    origin_section,
    reproduce_section,
)
from nnjax.reporting.class_sections import class_sections
from nnjax.reporting.page_blocks import Headline, Page, Section, Words
from nnjax.reporting.proportions import wilson
from nnjax.reporting.result_sections import (
    calibration_sections,
    curve_sections,
    layer_picture_sections,
    trial_sections,
    value_sections,
)
from nnjax.reporting.text import metric_text, percent_text, seconds_text, si_text

T = TypeVar("T")

_ENOUGH = 30  # examples, for the normal interval of a mean
GOOD = ("completed", "stopped_early")


@dataclass(frozen=True)
class RunFacts:
    """What the files of a run's folder hold.

    Attributes:
        name: of the folder.
        config: the nested mapping of `config.yaml`; empty where it cannot be read.
        summary: of `summary.json`; empty without one.
        records: of `metrics.jsonl`, as from `nnjax.reporting.metrics.read_metrics`.
        parts: of `report.json`, as from `nnjax.reporting.report_parts.read_parts`.
        changes: dotted key, default and value of each setting that differs from the default, as text; None where the defaults
            are not known, and the whole config is shown.
        command: that trains the same; empty where none is known.
        command_notes: sentences about what the command needs, or cannot do.
        problems: what is missing or damaged in the folder, a line each.
    """

    name: str
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    records: Sequence[Mapping[str, Any]] = ()
    parts: Mapping[str, Any] = field(default_factory=dict)
    changes: Sequence[tuple[str, str, str]] | None = None
    command: str = ""
    command_notes: Sequence[str] = ()
    problems: Sequence[str] = ()


def run_page(facts: RunFacts) -> Page:
    """Makes the page of a run; a part that cannot be made is named on it, and takes no other with it."""
    summary, parts = facts.summary, facts.parts
    lost: list[str] = list(facts.problems)

    def made(what: str, make: Callable[[], list[T]]) -> list[T]:
        try:
            return make()
        except Exception as error:  # whatever a damaged or forged file leads to
            lost.append(f"{what} cannot be shown: {type(error).__name__}: {str(error).partition(chr(10))[0]}")
            return []

    results = made("the results", lambda: _headlines(summary, parts))
    one = "".join(made("the trial", lambda: [_one_trial(summary, parts)]))
    sections = [
        *made("the learning curves", lambda: curve_sections(facts.records) or [_no_curves()]),
        *made("the trials", lambda: trial_sections(summary)),
        *made("the predictions", lambda: _noted(value_sections(parts), one)),
        *made("the classes", lambda: _noted(class_sections(parts), one)),
        *made("the calibration", lambda: _noted(calibration_sections(summary.get("calibration")), _together(summary))),
        *made("the first layer", lambda: _noted(layer_picture_sections(parts), one)),
        *made("the layers", lambda: layer_sections(parts)),
        *made("the cost", lambda: cost_section(summary)),
        *made("the settings", lambda: config_section(facts.config, facts.changes)),
        *made("the versions", lambda: origin_section(summary)),
        *made("the command", lambda: reproduce_section(facts.command, summary, facts.command_notes)),
    ]
    status = str(summary.get("status", "unfinished"))
    ended = Section(
        "How it ended", [Words(ending_text(summary, facts.config), "plain" if status in GOOD else "bad")], wide=True
    )
    if lost:
        sections.append(Section("Missing here", [Words(line, "bad") for line in lost]))
    model, data = _name(facts, "model"), _name(facts, "data")
    return Page(
        title=f"{model} on {data}" if model and data else facts.name,
        subtitle=_subtitle(facts),
        status=(status.replace("_", " "), status in GOOD),
        headlines=results,
        sections=[ended, *sections],
        footer="Written by nnjax. This page holds everything that it shows; it asks for nothing over the network.",
    )


def _one_trial(summary: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    """Says which of several trials stands for one network; the numbers at the top are means over all."""
    rows = summary.get("trials") or ()
    if not rows or "trial" not in parts:
        return ""
    return f"Of one of the {len(rows)} trials: trial {parts['trial']}, seed {rows[parts['trial']]['seed']}."


def _together(summary: Mapping[str, Any]) -> str:
    """Says whose probabilities the calibration is of, where there are several trials."""
    rows, calibration = summary.get("trials") or (), summary.get("calibration") or {}
    if not isinstance(temperatures := calibration.get("temperature"), Sequence):
        return ""
    answering = calibration.get("trials") or [trial for trial, each in enumerate(temperatures) if each is not None]
    rates = {rows[trial]["learning_rate"] for trial in answering} if summary.get("learning_rates") else {}
    of_rate = f" with the learning rate {min(rates):.4g}" if len(rates) == 1 else ""
    return f"Of {len(answering)} trials{of_rate} that answer together, by their mean probabilities."


def _noted(sections: Sequence[Section], note: str) -> list[Section]:
    """Sections with a note in front; unchanged without one."""
    return [replace(section, blocks=[Words(note, "note"), *section.blocks]) if note else section for section in sections]


def _no_curves() -> Section:
    return Section("Learning curves", [Words("The run ended before its first record.", "note")], wide=True)


def _name(facts: RunFacts, key: str) -> str:
    chosen = facts.summary.get(key) or facts.config.get(key) or ""
    return str(chosen.get("name", "") if isinstance(chosen, Mapping) else chosen)


def _subtitle(facts: RunFacts) -> str:
    summary = facts.summary
    trials = len(summary.get("trials") or ())
    seeds = f"{trials} trials" if trials else f"seed {summary['seed']}" if "seed" in summary else ""
    started = str(summary.get("started") or "")
    return " · ".join(filter(None, (f"run {facts.name}", seeds, started)))


def _headlines(summary: Mapping[str, Any], parts: Mapping[str, Any]) -> list[Headline]:
    """The numbers at the top: the result with its interval first."""
    found = [*_results(summary, parts)]
    loss = (summary.get("train") or {}).get("loss")
    if not found and summary.get("status") in GOOD and loss is not None:
        found.append(Headline("training loss", metric_text("loss", loss), "nothing was held out for a test"))
    if forecast := summary.get("forecast"):
        below = f"{forecast['of']}, {forecast['first']} to {forecast['last']}"
        over = _over_trials(summary, "forecast_rmse", "{:.4g}".format)
        found.append(Headline("forecast RMSE", f"{forecast['rmse']:.4g}", "; ".join(filter(None, (over, below)))))
    if "num_params" in summary:
        flops = f"{si_text(summary['forward_flops'])} FLOPs an example" if "forward_flops" in summary else ""
        found.append(Headline("parameters", f"{summary['num_params']:,}", flops))
    if "steps" in summary:
        epochs = f"{summary['epochs']:.4g} epochs" if isinstance(summary.get("epochs"), int | float) else ""
        found.append(Headline("steps", f"{summary['steps']:,}", epochs))
    if total := (summary.get("seconds") or {}).get("total"):
        devices = summary.get("num_devices")
        found.append(Headline("time", seconds_text(total), f"{devices} × {summary.get('platform')}" if devices else ""))
    return found


def _results(summary: Mapping[str, Any], parts: Mapping[str, Any]) -> list[Headline]:
    test = summary.get("test") or {}
    number = summary.get("test_examples") or 0
    examples = f"{number:,} test example{'' if number == 1 else 's'}" if number else ""
    found = []
    for name in sorted(test, key=lambda name: name != "accuracy"):
        value = test[name]
        if over := _over_trials(summary, f"test_{name}", partial(metric_text, name)):
            found.append(Headline(f"test {name}", metric_text(name, value), over))
        elif value is None:
            found.append(Headline(f"test {name}", "not finite"))
        elif name == "accuracy" and number:
            low_share, high_share = wilson(round(value * number), number)
            below = f"95 % interval {percent_text(low_share)} to {percent_text(high_share)}, for {examples}"
            found.append(Headline("test accuracy", metric_text(name, value), below))
        elif name == "loss" and (std := parts.get("loss_std")) and number >= _ENOUGH and "forecast" not in summary:
            # Not for a series: its windows overlap, so that their losses are not independent.
            half = 1.96 * std / math.sqrt(number)
            ends = f"{metric_text(name, value - half)} to {metric_text(name, value + half)}"
            found.append(Headline("test loss", metric_text(name, value), f"95 % interval {ends}, for {examples}"))
        else:
            found.append(Headline(f"test {name}", metric_text(name, value), examples))
    return found


def _over_trials(summary: Mapping[str, Any], name: str, text: Callable[[float], str]) -> str:
    """A result's spread over several trials; empty for fewer than two with a result."""
    spread = (summary.get("spread") or {}).get(name)
    if not spread or spread.get("n", 0) < 2 or None in spread.values():
        return ""
    low, high, std = (text(spread[key]) for key in ("low", "high", "std"))
    rates = " over all learning rates" if summary.get("learning_rates") else ""
    return f"mean of {spread['n']} trials{rates}, 95 % interval {low} to {high}, standard deviation {std}"
