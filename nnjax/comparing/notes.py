"""What a reader of a comparison has to know: what was left out, what was chosen on the test split, what code differs.

notes_on(grouping, "test_accuracy", ranked=True)    # ("A, B, C: the best of 3 by the test split …",)
"""

from collections.abc import Mapping, Sequence

from nnjax.comparing.groups import Group, Grouping
from nnjax.comparing.metrics_compared import best_groups, check_rankable, is_of_test
from nnjax.comparing.network_pairs import some_of
from nnjax.config.errors import ConfigError
from nnjax.records.record import RunRecord

_MOST_LINES = 5


def notes_on(grouping: Grouping, metric: str, *, ranked: bool) -> tuple[str, ...]:
    """Returns the lines.

    Args:
        grouping: the groups.
        metric: the result that is compared.
        ranked: whether the groups are compared with each other.
    """
    groups = grouping.groups
    lines = list(grouping.left_out[:_MOST_LINES])
    if len(grouping.left_out) > _MOST_LINES:
        lines.append(f"{len(grouping.left_out) - _MOST_LINES} more runs are left out")
    for group in groups:
        if group.num_diverged:
            lines.append(
                f"{group.letter}: {group.num_diverged} of {len(group.networks)} networks diverged; its figures are those of the"
                " others, and too good for that"
            )
    if len(groups) == 1 and ranked:
        lines.append("all settings but the seeds are equal: the runs are one group, and nothing is compared")
    if grouping.unrecorded:
        lines.append(f"not recorded by all runs, and taken as equal: {some_of(grouping.unrecorded, 5)}")
    versions = {group.code for group in groups}
    if len(versions) > 1 or any("; " in version for version in versions):
        lines.append("the runs were trained by different versions of the code; a difference may be theirs")
    machines = {_machine(record) for group in groups for record in group.records} - {""}
    if len(machines) > 1:
        lines.append(f"the runs had different machines: time and memory cannot be compared ({some_of(sorted(machines), 3)})")
    if ranked and is_of_test(metric):
        lines += _on_choosing(groups, metric)
    return tuple(lines)


def on_seeds(pairs: Sequence[tuple[Group, Group]], metric: str) -> tuple[str, ...]:
    """A line on the groups that share some seeds but not all, so that they are not compared seed by seed; else nothing."""
    unmatched = []
    for groups in pairs:
        one, other = (group.by_seed(metric) for group in groups)
        if one.keys() & other.keys() and one.keys() != other.keys():
            alone = [
                f"only {group.letter} has seed{'s'[: len(seeds) != 1]} {some_of(list(map(str, sorted(seeds))), 10)}"
                for group, seeds in zip(groups, (one.keys() - other.keys(), other.keys() - one.keys()), strict=True)
                if seeds
            ]
            unmatched.append(f"{groups[0].letter} and {groups[1].letter} ({'; '.join(alone)})")
    return (f"not paired by seed, for which both need the same seeds: {some_of(unmatched, 3)}",) if unmatched else ()


def _machine(record: RunRecord) -> str:
    """What a run was computed on, such as "2 × cpu, AMD EPYC"; empty if it did not record that."""
    number, platform, host = (record.summary.get(name) for name in ("num_devices", "platform", "host"))
    devices = f"{number} × {platform}" if isinstance(number, int) and isinstance(platform, str) else ""
    cpu = host.get("cpu") if isinstance(host, Mapping) else None
    return ", ".join(text for text in (devices, cpu) if isinstance(text, str) and text)


def _on_choosing(groups: Sequence[Group], metric: str) -> list[str]:
    """Lines about a test split that is used to choose between settings."""
    compared = [group for group in groups if group.values(metric)]
    if len(compared) < 2:
        return []
    without = [group.letter for group in compared if _no_validation(group)]
    lines = []
    if without:
        names = ", ".join(without) if len(without) <= 8 else f"{len(without)} groups"
        lines.append(
            f"{names}: trained without a validation split, so that the test split is all there is to choose by; what was tuned"
            " on it looks better than it is (data.validation=0.1 holds examples out)"
        )
    if len(compared) > 2:
        lines.append(
            f"the test split was looked at for {len(compared)} settings: the best of them owes part of its lead to chance;"
            f" {_by_validation(compared, metric)}"
        )
    return lines


def _by_validation(groups: Sequence[Group], metric: str) -> str:
    """What the validation split would have chosen, by a result that can be ranked."""
    for name in (metric.replace("test_", "validation_"), "validation_loss"):
        if name.startswith("validation_") and all(group.values(name) for group in groups) and _is_rankable(groups, name):
            *others, last = (group.letter for group in best_groups(groups, name))
            ranks = f"(metric={name} ranks by it)"
            if not others:
                return f"{name} chooses {last}, and the test result of {last} is the fair one {ranks}"
            tied = f"{', '.join(others)} and {last}" if len(others) < 8 else f"{len(others) + 1} groups"
            return f"{name} cannot choose between {tied}; more validation examples or seeds may {ranks}"
    return "choose by a validation split, and test what it chose"


def _is_rankable(groups: Sequence[Group], metric: str) -> bool:
    try:
        check_rankable(groups, metric)
    except ConfigError:
        return False
    return True


def _no_validation(group: Group) -> bool:
    return any(record.summary.get("validation_examples") == 0 for record in group.records)
