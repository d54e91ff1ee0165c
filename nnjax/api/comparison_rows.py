"""A comparison as plain rows, for CSV and JSON, and the curves of its runs, for the page.

rows_of_groups(comparison)[0]["test_accuracy"], rows_of_pairs(comparison)[0]["p_holm"]
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from nnjax.comparing.comparison import Comparison, estimate
from nnjax.comparing.groups import Group
from nnjax.comparing.intervals import Estimate, mean_estimate
from nnjax.comparing.metrics_compared import higher_is_better, metrics_of
from nnjax.records.record import RunRecord
from nnjax.records.run_curves import Curves, read_curves

MOST_LINES = 120
"""Runs whose curves are in the page."""
MOST_POINTS = 250
"""Of a curve."""

AllCurves = Mapping[str, Sequence[Curves]]
"""By a group's letter, the curves of its runs."""


def read_all_curves(comparison: Comparison) -> AllCurves:
    """Reads the curves of all runs, by `own_curves`."""
    return {group.letter: [own_curves(group, record) for record in group.records] for group in comparison.grouping.groups}


def own_curves(group: Group, record: RunRecord) -> Curves:
    """Reads the curves of a run; none if its trials are in several groups, since it keeps only the means over all of them."""
    return read_curves(record) if _holds_all(group, record) else Curves({})


def about_missing_curves(groups: Sequence[Group], all_curves: AllCurves) -> list[str]:
    """A line that names the groups without curves because their runs have trials in several groups; else nothing.

    Args:
        groups: those that are shown.
        all_curves: of these.
    """
    letters = [
        group.letter
        for group in groups
        if not any(each.splits for each in all_curves[group.letter])
        and not all(_holds_all(group, record) for record in group.records)
    ]
    reason = "their runs have trials in several groups, and keep the mean curves of all trials only"
    return [f"{', '.join(letters)}: without learning curves; {reason}"] if letters else []


def rows_of_groups(comparison: Comparison) -> list[dict[str, Any]]:
    """A row for each group: letter, name, seeds, each result with its interval, parameters, time, memory and settings."""
    rows = []
    for group in comparison.grouping.groups:
        row: dict[str, Any] = {
            "group": group.letter,
            "name": group.name,
            "networks": len(group.networks),
            "diverged": group.num_diverged,
            "seeds": " ".join(str(network.seed) for network in group.networks if network.seed is not None),
        }
        for metric in metrics_of(comparison.grouping.groups):
            found, over = estimate(group, metric)
            row |= {metric: found.mean, f"{metric}_low": found.low, f"{metric}_high": found.high, f"{metric}_std": found.std}
            row |= {f"{metric}_n": len(group.values(metric)), f"{metric}_interval": over}
        row |= {name: measured(group, name) for name in ("num_params", "forward_flops", "peak_rss_mb", "peak_device_mb")}
        row |= {"seconds_train": phase(group, "train"), "seconds_total": phase(group, "total"), "code": group.code}
        row |= {key: group.settings.get(key, "") for key in comparison.grouping.differing}
        row["runs"] = [str(record.folder) for record in group.records]
        rows.append(row)
    return rows


def rows_of_pairs(comparison: Comparison) -> list[dict[str, Any]]:
    """A row for each pair of groups."""
    return [
        {
            "first": pair.first,
            "second": pair.second,
            "metric": comparison.metric,
            "difference": pair.test.difference,
            "low": pair.test.low,
            "high": pair.test.high,
            "std": pair.test.std,
            "test": ("paired t" if pair.test.paired else "Welch's t") if not math.isnan(pair.test.p) else "",
            "n_first": pair.test.n[0],
            "n_second": pair.test.n[1],
            "t": pair.test.t,
            "degrees": pair.test.degrees,
            "p": pair.test.p,
            "p_holm": pair.adjusted_p,
            "permutation_p": pair.test.permutation_p,
            "permutation_p_holm": pair.adjusted_permutation_p,
            "verdict": pair.verdict,
            "seeds_needed": pair.needed,
        }
        for pair in comparison.pairs
    ]


def rows_of_networks(comparison: Comparison) -> list[dict[str, Any]]:
    """A row for each pair of networks on the same test examples."""
    return [
        {
            "first": pair.first,
            "second": pair.second,
            "first_seed": pair.seeds[0],
            "second_seed": pair.seeds[1],
            "both_right": pair.test.both,
            "only_first_right": pair.test.first,
            "only_second_right": pair.test.second,
            "neither_right": pair.test.neither,
            "p": pair.test.p,
            "p_holm": pair.adjusted_p,
        }
        for pair in comparison.networks
    ]


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The whole comparison as plain values; NaN becomes null when it is written."""
    return {
        "metric": comparison.metric,
        "higher_is_better": comparison.higher_is_better,
        "ranked": comparison.ranked,
        "order": list(comparison.order),
        "groups": rows_of_groups(comparison),
        "differing": list(comparison.grouping.differing),
        "pairs": [{**row, **asdict(pair.test)} for row, pair in zip(rows_of_pairs(comparison), comparison.pairs, strict=True)],
        "networks": rows_of_networks(comparison),
        "notes": list(comparison.notes),
    }


def _holds_all(group: Group, record: RunRecord) -> bool:
    """Whether all trials of a run are in one group."""
    own = sum(network.record.folder == record.folder for network in group.networks)
    return own == max(1, len(record.trials))


def measured(group: Group, name: str) -> float | None:
    """The mean of a number of the runs' summaries; None if none has it."""
    return _mean([record.summary.get(name) for record in group.records])


def phase(group: Group, name: str) -> float | None:
    """The mean seconds of a phase of the runs; a run with several trials counts once."""
    seconds = [record.summary.get("seconds") for record in group.records]
    return _mean([each.get(name) for each in seconds if isinstance(each, Mapping)])


def best_estimate(curves: Sequence[Curves], metric: str) -> Estimate:
    """The best value of the validation split during training, as the mean over a group's runs.

    Args:
        curves: of the runs; of a run with several trials they are means over these.
        metric: such as accuracy.
    """
    columns = [each.splits.get("validation", {}).get(metric, ()) for each in curves]
    finite = [[value for value in column if math.isfinite(value)] for column in columns]
    pick = max if higher_is_better(metric) else min
    return mean_estimate([pick(values) for values in finite if values])


def page_curves(comparison: Comparison, all_curves: AllCurves) -> list[dict[str, Any]]:
    """The curves for the page: a line for each run, split and metric, with its band where the run has several trials."""
    lines: list[dict[str, Any]] = []
    left = MOST_LINES
    for group in comparison.grouping.groups:
        for record, curves in zip(group.records, all_curves[group.letter], strict=True):
            if not left:
                return lines
            left -= 1
            for split, columns in curves.splits.items():
                places = _thinned(len(columns["step"]))
                if len(places) < 2:
                    continue
                for metric in (name for name in columns if _is_metric(name)):
                    names = {"epoch": "epoch", "seconds": "seconds", "step": "step", "y": metric}
                    names |= {"low": f"{metric}_low", "high": f"{metric}_high"}
                    line: dict[str, Any] = {
                        key: [columns[name][place] for place in places] for key, name in names.items() if name in columns
                    }
                    lines.append({"group": group.letter, "name": record.name, "metric": f"{split} {metric}", **line})
    return lines


def _thinned(length: int) -> list[int]:
    if length <= MOST_POINTS:
        return list(range(length))
    return [round(place * (length - 1) / (MOST_POINTS - 1)) for place in range(MOST_POINTS)]


def _is_metric(name: str) -> bool:
    return name not in ("step", "epoch", "seconds", "trials", "learning_rate") and not name.endswith(("_std", "_low", "_high"))


def _mean(values: Sequence[object]) -> float | None:
    numbers = [
        float(value)
        for value in values
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    ]
    return fmean(numbers) if numbers else None
