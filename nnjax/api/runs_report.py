"""The page of several runs: those of a sweep, or those that are compared.

page = runs_page("Sweep 15-00-00", find_records(["outputs/sweeps/2026-11-23/15-00-00"]), refuse=False)
write_page(run_dir / "report.html", page)

Runs that differ in their seed alone are one group, as for `experiments.compare`, whose tests are shown, too.
"""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from nnjax.api.comparison_rows import about_missing_curves, own_curves
from nnjax.api.comparison_sheets import difference_interval, difference_text, p_text
from nnjax.comparing.comparison import Comparison, Pair, compare, estimate
from nnjax.comparing.differences import MISSING, setting_text
from nnjax.comparing.groups import RATE, Group, Grouping, group_runs
from nnjax.comparing.metrics_compared import best_groups, metrics_of
from nnjax.config.diagnostics import count
from nnjax.config.errors import ConfigError
from nnjax.records.record import RunRecord, settings_of
from nnjax.reporting.figures.inline_chart import MOST_LINES, Chart, Line, thinned
from nnjax.reporting.page_blocks import Bars, Block, Code, Facts, Headline, Page, Section, Table, Words
from nnjax.reporting.result_sections import drawing
from nnjax.reporting.run_page import GOOD
from nnjax.reporting.text import metric_text, seconds_text, shorten

_MOST_ROWS = 300  # of a table: a page stays below 1 MB
_MOST_BARS = 40
_VERDICTS = {
    "better": "better, beyond the noise",
    "worse": "worse, beyond the noise",
    "equal": "equal",
    "unclear": "within the noise",
    "unknown": "too few seeds to say",
}


def runs_page(
    title: str,
    records: Sequence[RunRecord],
    *,
    refuse: bool,
    left_out: Sequence[str] = (),
    unbegun: Sequence[str] = (),
    command: str = "",
) -> Page:
    """Makes the page of several runs.

    Args:
        title: of the page.
        records: of at least one run.
        refuse: whether runs that cannot be ranked, such as those tested on different data, are an error; else the page shows
            them side by side and gives the reason.
        left_out: lines on runs that are not shown.
        unbegun: a line for each job of a sweep that left no run.
        command: that runs the sweep again; empty for none.

    Raises:
        ConfigError: if no run has a result, or, with `refuse`, they cannot be ranked.
    """
    grouping = group_runs(records, left_out)
    comparison, reason = _compared(grouping, refuse)
    statuses = Counter(record.status for record in records)
    notes = [*unbegun, *grouping.left_out, *(comparison.notes if comparison else ()), *([reason] if reason else [])]
    sections: list[Section] = []
    if comparison is not None:
        sections += [_results(comparison), *_tests(comparison), *_networks(comparison)]
        sections += _curves(comparison)
    sections.append(_runs(records, grouping))
    if notes:
        sections.append(
            Section(
                "To know", [Words(shorten(f"{note[:1].upper()}{note[1:]}", 400)) for note in dict.fromkeys(notes)], wide=True
            )
        )
    sections += _shared(records, grouping)
    if command:
        words = Words("With the code, the data and the versions above; each run has its own command on its own page.", "note")
        sections.append(Section("Train it again", [Code(command), words], wide=True))
    good, jobs = sum(statuses[status] for status in GOOD), len(records) + len(unbegun)
    return Page(
        title=title,
        subtitle=f"{count(len(records), 'run')}, {count(len(grouping.groups), 'different setting')}",
        status=(f"{good} of {jobs} completed", good == jobs),
        headlines=_headlines(records, comparison, statuses),
        sections=sections,
    )


def _compared(grouping: Grouping, refuse: bool) -> tuple[Comparison | None, str]:
    """The comparison, without ranks where these are not possible, and the reason for that."""
    try:
        return compare(grouping), ""
    except ConfigError as error:
        if refuse:
            raise
        reason = str(error)
    try:
        return compare(grouping, rank=False), reason
    except ConfigError:  # no run has a result
        return None, reason


def _headlines(records: Sequence[RunRecord], comparison: Comparison | None, statuses: Counter[str]) -> list[Headline]:
    found = []
    if comparison is not None and comparison.ranked:
        best, *tied = _best(comparison)
        value, below = _estimated(best, comparison.metric)
        letters = ", ".join(group.letter for group in (best, *tied))
        found.append(Headline(f"best {_words(comparison.metric)}", value, letters if tied else f"{_name(best)}. {below}"))
    others = ", ".join(f"{number} {status.replace('_', ' ')}" for status, number in statuses.most_common())
    found.append(Headline("runs", str(len(records)), others))
    seconds = [record.seconds for record in records if record.seconds is not None]
    if seconds:
        found.append(Headline("time of all runs", seconds_text(math.fsum(seconds)), f"longest {seconds_text(max(seconds))}"))
    return found


def _best(comparison: Comparison) -> tuple[Group, ...]:
    return best_groups([group for group in comparison.grouping.groups if group.values(comparison.metric)], comparison.metric)


def _results(comparison: Comparison) -> Section:
    """A row for each group, the best first, and a bar for its mean."""
    grouping, metric = comparison.grouping, comparison.metric
    others = [name for name in metrics_of(grouping.groups) if name != metric and name.startswith(metric.partition("_")[0])]
    keys = _short_keys(grouping.differing)
    heads = ("", *keys.values(), "Runs", _words(metric), "95 % interval", *map(_words, others), "Time of a run", "Diverged")
    groups = [comparison.group(letter) for letter in comparison.order]
    rows = []
    best = _best(comparison) if comparison.ranked else ()
    for group in groups:
        found, over = estimate(group, metric)
        interval = "" if over == "none" else f"{metric_text(metric, found.low)} to {metric_text(metric, found.high)}"
        interval += " *" if over == "examples" else ""
        seconds = [record.seconds for record in group.records if record.seconds is not None]
        rows.append(
            (
                f"{group.letter} ★" if group in best and len(best) < len(groups) else group.letter,
                *(setting_text(group.settings.get(key, MISSING)) for key in keys),
                str(len(group.networks)),
                _mean(metric, found.mean),
                interval,
                *(_mean(name, estimate(group, name)[0].mean) for name in others),
                seconds_text(math.fsum(seconds) / len(seconds)) if seconds else "",
                str(group.num_diverged or ""),
            )
        )
    cut = f"; the best {_MOST_ROWS} of {len(rows)}" if len(rows) > _MOST_ROWS else ""
    caption = f"Runs that differ in their seed alone are one row{cut}"
    blocks: list[Block] = [Table(heads, rows[:_MOST_ROWS], caption, text_columns=1 + len(keys))]
    if any("*" in row[3 + len(keys)] for row in rows):
        blocks.append(
            Words("* over the test examples, for one seed alone: what another seed would change is left out.", "note")
        )
    if metric.endswith("accuracy") and len(groups) > 1:
        shown = groups[:_MOST_BARS]
        means = [(group, estimate(group, metric)[0].mean) for group in shown]
        bars = [(_name(group), mean, metric_text(metric, mean)) for group, mean in means if math.isfinite(mean)]
        blocks.append(Bars(("Setting", _words(metric)), bars))
    return Section("Results", blocks, wide=True)


def _tests(comparison: Comparison) -> list[Section]:
    """Whether groups differ by more than their seeds explain."""
    pairs = [pair for pair in comparison.pairs if not math.isnan(pair.test.difference)]
    if not pairs:
        return []
    metric = comparison.metric
    heads = ("Pair", "Verdict on the first", "Difference", "95 % interval", "p, corrected", "Seeds needed in each")
    rows = [_test_row(pair, comparison, metric) for pair in pairs[:_MOST_ROWS]]
    words = "Paired by seed where both have the same seeds, else Welch's t test; p by Holm's correction over all pairs."
    words += f" The first {len(rows)} of {len(pairs)} pairs." if len(rows) < len(pairs) else ""
    table = Table(heads, rows, f"{len(rows)} pairs" if len(rows) > 1 else "", text_columns=2, folded=len(rows) > 20)
    return [Section("Larger than the noise?", [table, Words(words, "note")], wide=True)]


def _test_row(pair: Pair, comparison: Comparison, metric: str) -> tuple[str, ...]:
    test = pair.test
    difference, ends, p = difference_text(metric, test.difference), difference_interval(metric, pair), p_text(pair.adjusted_p)
    needed = "" if pair.needed is None else f"{pair.needed:,}"
    names = f"{_name(comparison.group(pair.first))} against {_name(comparison.group(pair.second))}"
    return names, _VERDICTS[pair.verdict], difference, ends, p, needed


def _networks(comparison: Comparison) -> list[Section]:
    """McNemar's test of networks on the same test examples."""
    if not comparison.networks:
        return []
    heads = ("Networks", "First alone right", "Second alone right", "p, corrected")
    rows = []
    for each in comparison.networks[:_MOST_ROWS]:
        seeds = " and ".join("?" if seed is None else str(seed) for seed in dict.fromkeys(each.seeds))
        row = (f"{each.first} against {each.second}, seed {seeds}", f"{each.test.first:,}", f"{each.test.second:,}")
        rows.append((*row, f"{each.adjusted_p:.2g}"))
    words = "McNemar's test: whether two trained networks differ on these test examples, whatever other seeds would give."
    table = Table(heads, rows, f"{len(rows)} pairs of networks", folded=len(rows) > 12)
    return [Section("The same test examples", [Words(words, "note"), table], wide=True)]


def _curves(comparison: Comparison) -> list[Section]:
    """The loss and the accuracy of each group's first run together, of the best groups if there are many."""
    charts: list[Block] = []
    groups = [comparison.group(letter) for letter in comparison.order]
    shown = groups[:MOST_LINES]
    curves = {group.letter: [own_curves(group, group.records[0])] for group in shown}
    for name in ("loss", "accuracy"):
        for split in ("validation", "train"):
            lines = []
            for group in shown:
                columns = curves[group.letter][0].splits.get(split, {})
                if name in columns and "epoch" in columns:
                    values = [None if math.isnan(value) else value for value in columns[name]]
                    lines.append(Line(shorten(_name(group), 40), columns["epoch"], values))
            if lines:
                chart = Chart(f"{split} {name}", "epoch", lines, percent=name == "accuracy")
                charts.append(drawing(chart, f"{split}-{name}"))
    notes = []
    if charts and len(groups) > len(shown):
        notes.append(f"The {'best' if comparison.ranked else 'first'} {len(shown)} of {len(groups)} settings.")
    if charts and any(len(group.records) > 1 for group in shown):
        notes.append("A line is the setting's first run.")
    notes += [f"{line}." for line in about_missing_curves(shown, curves)]
    if notes:
        charts.append(Words(" ".join(notes), "note"))
    return [Section("Learning curves", charts, wide=True)] if charts else []


def _runs(records: Sequence[RunRecord], grouping: Grouping) -> Section:
    """Every run with its status, and the letters of the groups that its trials are in."""
    letters: dict[Path, list[str]] = {}
    for group in grouping.groups:
        for record in group.records:
            letters.setdefault(record.folder, []).append(group.letter)
    shown = thinned(list(records), _MOST_ROWS)
    rows = []
    for record in shown:
        test = record.summary.get("test")
        results = test.items() if isinstance(test, dict) else ()
        numbers = ", ".join(f"{name} {metric_text(name, value)}" for name, value in results if isinstance(value, float))
        error = record.summary.get("error") or record.summary.get("reason") or "; ".join(record.problems)
        seeds = ", ".join(map(str, record.seeds[:6])) + (" …" if len(record.seeds) > 6 else "")
        line = str(error).partition("\n")[0] if error else ""
        spent = "" if record.seconds is None else seconds_text(record.seconds)
        status = record.status.replace("_", " ")
        rows.append((record.name, ", ".join(letters.get(record.folder, ())), seeds, status, numbers, shorten(line, 160), spent))
    heads = ("Run", "", "Seeds", "Status", "Test", "Reason", "Time")
    filled = [column for column in range(len(heads)) if any(row[column] for row in rows)]
    kept_heads, *kept_rows = [[row[column] for column in filled] for row in (heads, *rows)]
    caption = f"{len(shown)} of {len(records)} runs"
    table = Table(kept_heads, kept_rows, caption, text_columns=sum(column < 6 for column in filled), folded=len(records) > 20)
    return Section("All runs", [table], wide=True)


def _shared(records: Sequence[RunRecord], grouping: Grouping) -> list[Section]:
    """What all runs have in common: settings, data, versions."""
    settings = [settings_of(record) for record in records if record.config]
    first = settings[0] if settings else {}
    own = grouping.groups[0].settings if grouping.groups else {}  # holds the learning rate that the trials had
    common = [
        (key, setting_text(own.get(key, value) if key == RATE else value))
        for key, value in first.items()
        if key not in grouping.differing and all(each.get(key) == value for each in settings)
    ]
    hashes = dict.fromkeys(str(record.data_hash) for record in records if record.data_hash)
    facts = [("Data", ", ".join(hashes)), ("Code", "; ".join(dict.fromkeys(group.code for group in grouping.groups)))]
    blocks: list[Block] = [Facts([(name, value) for name, value in facts if value])] if any(value for _, value in facts) else []
    if common:
        blocks.append(Table(("Key", "Value"), common, f"{len(common)} settings that all share", text_columns=2, folded=True))
    return [Section("The same in all", blocks)] if blocks else []


def _mean(metric: str, value: float) -> str:
    """A mean as text; empty where no run has a finite result."""
    return "" if math.isnan(value) else metric_text(metric, value)


def _estimated(group: Group, metric: str) -> tuple[str, str]:
    found, over = estimate(group, metric)
    if over == "none":
        return metric_text(metric, found.mean), ""
    ends = f"95 % interval {metric_text(metric, found.low)} to {metric_text(metric, found.high)}"
    return metric_text(metric, found.mean), f"{ends}, {found.n:,} {over}"


def _name(group: Group) -> str:
    return f"{group.letter}: {group.name}" if group.name else group.letter


def _words(metric: str) -> str:
    return metric.replace("_", " ")


def _short_keys(keys: Sequence[str]) -> dict[str, str]:
    """The last word of each dotted key, where that is clear."""
    lasts = [key.removesuffix(".name").rpartition(".")[2] for key in keys]
    return {key: last if lasts.count(last) == 1 else key for key, last in zip(keys, lasts, strict=True)}
