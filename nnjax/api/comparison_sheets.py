"""A comparison as tables for readers: results, settings that differ, differences with their verdicts, McNemar's test.

for sheet in sheets_of(comparison, read_all_curves(comparison)):
    console.print(terminal(sheet))
"""

import math
from collections.abc import Callable

from nnjax.api.comparison_rows import AllCurves, best_estimate, measured, phase
from nnjax.comparing.comparison import ALPHA, Comparison, Pair, estimate
from nnjax.comparing.differences import MISSING, setting_text
from nnjax.comparing.groups import Group
from nnjax.comparing.intervals import Estimate
from nnjax.comparing.power import MOST_SEEDS, POWER
from nnjax.records.run_curves import Curves
from nnjax.reporting.fitted_table import Column
from nnjax.reporting.sheets import Cell, Sheet
from nnjax.reporting.text import metric_text, seconds_text, shorten, si_text

MOST_ROWS = 40
"""Of a table in a terminal; the files have all."""
_LONGEST = 60  # letters of a setting
_LONGEST_WORD = 40  # of a name in a table


def sheets_of(comparison: Comparison, all_curves: AllCurves) -> list[Sheet]:
    """The tables that have a row."""
    sheets = [
        results_sheet(comparison, all_curves),
        settings_sheet(comparison),
        differences_sheet(comparison),
        networks_sheet(comparison),
    ]
    return [sheet for sheet in sheets if sheet.rows]


def results_sheet(comparison: Comparison, all_curves: AllCurves) -> Sheet:
    """A row for each group: its results, their intervals, its size, time and memory."""
    metric = comparison.metric
    base = metric.partition("_")[2] or metric
    others = [name for name in (f"validation_{base}", f"train_{base}") if name != metric]
    others = [name for name in others if any(group.values(name) for group in comparison.grouping.groups)]
    bests = {group.letter: best_estimate(_of_results(group, all_curves), base) for group in comparison.grouping.groups}
    with_best = any(best.n for best in bests.values())
    with_memory = any(_memory(group) is not None for group in comparison.grouping.groups)
    with_lost = any(group.num_diverged for group in comparison.grouping.groups)
    columns = [
        Column(""),
        Column("settings", breakable=True),
        Column("seeds", right=True),
        Column(_words(metric), right=True),
        Column("95 % interval", right=True),
        *(Column(_words(name), right=True, optional=True) for name in others),
        *([Column(f"best validation {base}", right=True, optional=True)] if with_best else []),
        *([Column("diverged", right=True)] if with_lost else []),
        Column("parameters", right=True, whole=True),
        Column("time", right=True, whole=True),
        *([Column("memory", right=True, optional=True)] if with_memory else []),
    ]
    rows = []
    for letter in comparison.order:
        group = comparison.group(letter)
        found, _ = estimate(group, metric)
        rows.append(
            [
                Cell(letter, bold=True),
                Cell(_short_name(group)),
                Cell(str(len(group.networks)), len(group.networks)),
                Cell(metric_text(metric, found.mean) if found.n else MISSING, _known(found.mean)),
                Cell(_interval(metric, found), _known(found.low)),
                *(_mean_cell(group, name) for name in others),
                *([_estimate_cell(base, bests[letter])] if with_best else []),
                *([Cell(str(group.num_diverged), group.num_diverged)] if with_lost else []),
                _optional(measured(group, "num_params"), si_text),
                _optional(phase(group, "total"), seconds_text),
                *([_optional(_memory(group), lambda size: f"{size:.0f} MB")] if with_memory else []),
            ]
        )
    return Sheet(f"Results by {_words(metric)}", columns, rows, _about_intervals(comparison))


def settings_sheet(comparison: Comparison) -> Sheet:
    """The settings that differ between the groups; empty where none does."""
    groups, keys = comparison.grouping.groups, comparison.grouping.differing
    codes = {group.letter: group.code for group in groups}

    def values(key: str) -> list[Cell]:
        return [Cell(shorten(setting_text(group.settings.get(key, MISSING)), _LONGEST)) for group in groups]

    rows = [[Cell(key), *values(key)] for key in keys]
    if len(set(codes.values())) > 1:
        rows.append([Cell("code"), *(Cell(shorten(codes[group.letter], _LONGEST)) for group in groups)])
    if rows and len(groups) > max(4, len(rows)):  # a row for each group is the narrower table
        heads = [row[0].text for row in rows]
        turned = [[Cell(group.letter, bold=True), *(row[place + 1] for row in rows)] for place, group in enumerate(groups)]
        return Sheet("Settings that differ", [Column(""), *map(Column, heads)], turned)
    return Sheet("Settings that differ", [Column("setting"), *(Column(group.letter) for group in groups)], rows)


def differences_sheet(comparison: Comparison) -> Sheet:
    """A row for each pair of groups."""
    metric = comparison.metric
    columns = [
        Column(""),
        Column("difference", right=True),
        Column("95 % interval", right=True),
        Column("p (Holm)", right=True),
        Column("verdict"),
        Column("permutation p", right=True, optional=True),
        Column("test", optional=True),
    ]
    rows = [
        [
            Cell(f"{pair.first} − {pair.second}", bold=True),
            Cell(difference_text(metric, pair.test.difference), _known(pair.test.difference)),
            Cell(difference_interval(metric, pair), _known(pair.test.low)),
            Cell(p_text(pair.adjusted_p), _known(pair.adjusted_p)),
            Cell(verdict_text(pair), bold=pair.verdict in ("better", "worse")),
            Cell(p_text(pair.adjusted_permutation_p), _known(pair.adjusted_permutation_p)),
            Cell(_test_text(pair)),
        ]
        for pair in comparison.pairs
    ]
    return Sheet(f"Differences in {_words(metric)}, over the seeds", columns, rows, _about_tests(comparison))


def networks_sheet(comparison: Comparison) -> Sheet:
    """A row for each pair of networks on the same test examples."""
    columns = [
        Column(""),
        Column("seeds"),
        Column("only first", right=True),
        Column("only second", right=True),
        Column("both", right=True, optional=True),
        Column("neither", right=True, optional=True),
        Column("p (Holm)", right=True),
        Column("verdict"),
    ]
    rows = []
    for pair in comparison.networks:
        one, other = pair.seeds
        counts = (pair.test.first, pair.test.second, pair.test.both, pair.test.neither)
        better = pair.first if pair.test.first > pair.test.second else pair.second
        is_shown = pair.adjusted_p < ALPHA
        rows.append(
            [
                Cell(f"{pair.first} − {pair.second}", bold=True),
                Cell(str(one) if one == other else f"{_seed(one)}, {_seed(other)}"),
                *(Cell(f"{count:,}", count) for count in counts),
                Cell(p_text(pair.adjusted_p), pair.adjusted_p),
                Cell(
                    f"{better}'s network is better" if is_shown else "within the noise",
                    bold=is_shown,
                ),
            ]
        )
    note = (
        "Test examples that only the first, only the second, both or neither gets right. McNemar's test compares two trained"
        " networks; what other seeds would give, it cannot say. p is corrected by Holm over all rows."
    )
    return Sheet("Networks on the same test examples", columns, rows, note)


def verdict_text(pair: Pair) -> str:
    """A pair's verdict in words."""
    match pair.verdict:
        case "better":
            return f"{pair.first} is better"
        case "worse":
            return f"{pair.second} is better"
        case "equal":
            return "equal"
        case "unknown":
            return "one seed: its noise is unknown" if min(pair.test.n) else "a result is missing"
    if pair.needed is not None:
        return f"not told apart; {pair.needed:,} seeds each would"
    if pair.test.difference == 0 or pair.test.std == 0:
        return "not told apart"
    return f"not told apart, by {MOST_SEEDS:,} seeds each neither"


def difference_text(metric: str, difference: float) -> str:
    """A signed difference: of accuracies in percentage points, "+0.42 pp"."""
    if not math.isfinite(difference):
        return MISSING
    if "accuracy" in metric:
        return f"{100 * difference:+.2f} pp".replace("-", "−")
    return f"{difference:+.3g}".replace("-", "−")


def p_text(p: float) -> str:
    """A p value: two digits that count, "< 0.0001" below that."""
    if not math.isfinite(p):
        return MISSING
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def _words(metric: str) -> str:
    return metric.replace("_", " ")


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _seed(seed: int | None) -> str:
    return "?" if seed is None else str(seed)


def _interval(metric: str, found: Estimate) -> str:
    if not math.isfinite(found.low):
        return MISSING
    return f"{metric_text(metric, found.low).removesuffix('%')} to {metric_text(metric, found.high)}"


def difference_interval(metric: str, pair: Pair) -> str:
    """The interval of a pair's difference: "−0.1 to +0.9 pp"."""
    if not math.isfinite(pair.test.low):
        return MISSING
    return f"{difference_text(metric, pair.test.low).removesuffix(' pp')} to {difference_text(metric, pair.test.high)}"


def _test_text(pair: Pair) -> str:
    if min(pair.test.n) < 2:
        return MISSING
    return f"paired, {pair.test.n[0]} seeds" if pair.test.paired else f"Welch, {pair.test.n[0]} and {pair.test.n[1]} seeds"


def _short_name(group: Group) -> str:
    """A group's name, with the names of runs in it shortened."""
    return " ".join(shorten(word, _LONGEST_WORD) for word in group.name.split())


def _mean_cell(group: Group, metric: str) -> Cell:
    return _estimate_cell(metric, estimate(group, metric)[0])


def _of_results(group: Group, all_curves: AllCurves) -> list[Curves]:
    """The curves of the runs that a group's figures are of: without those that diverged."""
    runs = zip(group.records, all_curves[group.letter], strict=True)
    return [curves for record, curves in runs if record.status != "diverged"]


def _estimate_cell(metric: str, found: Estimate) -> Cell:
    return Cell(metric_text(metric, found.mean) if found.n else MISSING, _known(found.mean))


def _optional(value: float | None, text: Callable[[float], str]) -> Cell:
    return Cell(MISSING if value is None else text(value), value)


def _memory(group: Group) -> float | None:
    on_device = measured(group, "peak_device_mb")
    return measured(group, "peak_rss_mb") if on_device is None else on_device


def _about_intervals(comparison: Comparison) -> str:
    over = {estimate(group, comparison.metric)[1] for group in comparison.grouping.groups}
    parts = ["over the seeds (Student's t)"] if "seeds" in over else []
    parts += (
        ["of one seed over the test examples (Wilson), without what another seed would change"] if "examples" in over else []
    )
    text = f"Intervals: {'; '.join(parts)}. " if parts else ""
    many = any(network.trial is not None for group in comparison.grouping.groups for network in group.networks)
    trials = "; a run with several trials counts with all of them" if many else ""
    return f"{text}Time and peak memory are means over the runs{trials}."


def _about_tests(comparison: Comparison) -> str:
    several = (
        "p is corrected by Holm over all pairs; an interval is that of its pair alone. " if len(comparison.pairs) > 1 else ""
    )
    least = max((pair.test.least_p for pair in comparison.pairs if math.isfinite(pair.test.least_p)), default=0.0)
    few = f"With so few seeds the permutation test gives {p_text(least)} at least. " if least >= ALPHA else ""
    alone = any(pair.verdict == "unknown" and min(pair.test.n) == 1 for pair in comparison.pairs)
    advice = "Noise shows with several seeds: training.seeds=5 trains them in one program. " if alone else ""
    needed = any(pair.needed for pair in comparison.pairs)
    power = f"Seeds that would tell: power {POWER}, if the difference is as large as it looks now." if needed else ""
    return f"{several}{few}{advice}{power}".strip()
