"""Runs taken together: the trainings that differ in nothing but their seed are one group, whose spread is the noise.

    grouping = group_runs(find_records(["outputs/sweeps/2026-11-23/15-00-00"]))
    grouping.groups[0].letter, grouping.groups[0].name        # "A", "hidden=[32]"
    grouping.groups[0].by_seed("test_accuracy")               # {0: 0.971, 1: 0.969, 2: 0.974}

A run with several trials gives one network for each; its learning rates are groups of their own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from typing import Any

from nnjax.comparing.differences import comparable, counting, differing, names_of, setting_text
from nnjax.config.paths import shown_path
from nnjax.records.record import RunRecord, settings_of

RATE = "optimizer.learning_rate"
_TESTED = ("completed", "stopped_early")
_SPLITS = ("train", "validation", "test", "forecast")
_ABOUT = ("trial", "seed", "learning_rate", "steps", "diverged")  # columns of a trial's row that are no results


@dataclass(frozen=True)
class TrainedNetwork:
    """One trained network: a run, or one trial of a run.

    Attributes:
        record: the run.
        trial: its number in the run, counted from 0; None for a run with a single network.
        seed: None if unknown.
        results: by name, such as test_accuracy; finite numbers only.
        diverged: whether its loss stopped being finite.
    """

    record: RunRecord
    trial: int | None
    seed: int | None
    results: Mapping[str, float]
    diverged: bool = False


@dataclass(frozen=True)
class Group:
    """Networks trained with the same settings, but for their seeds.

    Attributes:
        letter: A, B, C, …
        name: its settings that differ from those of other groups, in short; else the name of its run.
        settings: by dotted key, those that count; see `nnjax.comparing.differences`.
        networks: one for each seed.
    """

    letter: str
    name: str
    settings: Mapping[str, Any]
    networks: tuple[TrainedNetwork, ...]

    @cached_property
    def records(self) -> tuple[RunRecord, ...]:
        """The runs of the networks, each once."""
        return tuple({network.record.folder: network.record for network in self.networks}.values())

    @property
    def num_diverged(self) -> int:
        """The number of networks whose loss stopped being finite."""
        return sum(network.diverged for network in self.networks)

    def values(self, metric: str) -> list[float]:
        """The results of the networks that have one."""
        return [network.results[metric] for network in self.networks if metric in network.results]

    def by_seed(self, metric: str) -> dict[int, float]:
        """The results by seed."""
        known = [network for network in self.networks if network.seed is not None and metric in network.results]
        return {network.seed: network.results[metric] for network in known if network.seed is not None}

    @property
    def code(self) -> str:
        """The versions of the code that trained the networks, such as "a4a558f+changes, jax 0.10.2"."""
        return "; ".join(dict.fromkeys(_code(record) for record in self.records))


@dataclass(frozen=True)
class Grouping:
    """Groups of runs.

    Attributes:
        groups: in the order of their first runs.
        left_out: a line for each run that has no result, after those on runs that were left out before.
        differing: the settings that are not the same in all groups.
        unrecorded: settings that some runs did not record, since their version lacked them, and that count as equal: the others
            agree in them.
    """

    groups: tuple[Group, ...]
    left_out: tuple[str, ...]
    differing: tuple[str, ...]
    unrecorded: tuple[str, ...] = ()


def group_runs(records: Sequence[RunRecord], left_out: Sequence[str] = ()) -> Grouping:
    """Groups runs by their settings.

    A seed that was trained twice with the same settings makes two groups, by the version of the code, or else by the order of
    the runs: somebody wants to see what changed between them. Runs with the same settings that were trained on different data,
    by its content, are in different groups.

    Args:
        records: in the order in which they were named.
        left_out: lines on runs that were left out before.
    """
    networks: list[tuple[dict[str, Any], TrainedNetwork]] = []
    left_out = list(left_out)
    for record in records:
        if record.status not in (*_TESTED, "diverged"):
            left_out.append(f"{shown_path(record.folder)}: {record.status}; left out{_problem(record)}")
            continue
        if not record.config:  # equal to any other such run, whatever either was
            left_out.append(f"{shown_path(record.folder)}: its settings are unknown; left out{_problem(record)}")
            continue
        settings = counting(whole := settings_of(record))
        if record.data_hash is None and whole.get("data.file") is not None:
            settings["data.file"] = whole["data.file"]  # all that is known of the data
        networks += [({**settings, **own}, network) for own, network in _networks(record)]
    shared = comparable([settings for settings, _ in networks])
    unrecorded = dict.fromkeys(
        key for (settings, _), kept in zip(networks, shared, strict=True) for key in settings if key not in kept
    )
    shared = _with_data(shared, [network.record for _, network in networks])
    by_settings: dict[str, list[int]] = {}
    for number, settings in enumerate(shared):
        by_settings.setdefault(_key(settings), []).append(number)
    members = [part for whole in by_settings.values() for part in _without_repeats(whole, [item for _, item in networks])]
    members.sort(key=min)
    groups = [
        Group(letter(place), "", shared[part[0]], tuple(networks[number][1] for number in part))
        for place, part in enumerate(members)
    ]
    return Grouping(_named(groups), tuple(left_out), differing([group.settings for group in groups]), tuple(unrecorded))


def letter(place: int) -> str:
    """A for 0, Z for 25, AA for 26."""
    text = ""
    while place >= 0:
        text = chr(ord("A") + place % 26) + text
        place = place // 26 - 1
    return text


def _key(settings: Mapping[str, Any]) -> str:
    return setting_text(dict(sorted(settings.items())))


def _with_data(all_settings: list[dict[str, Any]], records: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Adds the hash of the data to the settings, if there are equal ones for different data, such as two files."""
    found: dict[str, set[str]] = {}
    for settings, record in zip(all_settings, records, strict=True):
        found.setdefault(_key(settings), set()).update([record.data_hash] if record.data_hash else [])
    if all(len(hashes) < 2 for hashes in found.values()):
        return all_settings
    contents = [(record.data_hash or "unknown").removeprefix("sha256:")[:12] for record in records]
    return [settings | {"data_hash": content} for settings, content in zip(all_settings, contents, strict=True)]


def _networks(record: RunRecord) -> list[tuple[dict[str, Any], TrainedNetwork]]:
    """The networks of a run, each with the settings that it has by itself: the learning rate, where the run varies it."""
    varied = settings_of(record).get("training.vary.learning_rate") or ()  # a single rate, too, replaces the optimizer's
    if not record.trials:
        results = {} if record.status == "diverged" else _results(record)
        seed = record.seeds[0] if len(record.seeds) == 1 else None
        own = {RATE: varied[0]} if isinstance(varied, list) and len(varied) == 1 else {}
        return [(own, TrainedNetwork(record, None, seed, results, record.status == "diverged"))]
    rates = {row.get("learning_rate") for row in record.trials}
    networks = []
    for number, row in enumerate(record.trials):
        results = {name: value for name, value in row.items() if name not in _ABOUT and _is_number(value)}
        seed = row.get("seed")
        lost = row.get("diverged") is not None or ("test_loss" in row and not _is_number(row["test_loss"]))
        network = TrainedNetwork(record, number, seed if isinstance(seed, int) else None, {} if lost else results, lost)
        networks.append(({RATE: row.get("learning_rate")} if varied or len(rates) > 1 else {}, network))
    return networks


def _results(record: RunRecord) -> dict[str, float]:
    found = {}
    for split in _SPLITS:
        metrics = record.summary.get(split)
        for name, value in metrics.items() if isinstance(metrics, Mapping) else ():
            if _is_number(value) and (split != "forecast" or name in ("rmse", "mae")):
                found[f"{split}_{name}"] = float(value)
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _without_repeats(members: list[int], networks: Sequence[TrainedNetwork]) -> list[list[int]]:
    """Divides networks with the same settings so that no part has a seed twice."""
    if not _repeats(members, networks):
        return [members]
    by_code: dict[str, list[int]] = {}
    for number in members:
        by_code.setdefault(_code(networks[number].record), []).append(number)
    parts: list[list[int]] = []
    for part in by_code.values():
        places: dict[int, list[int]] = {}
        counters: dict[int | None, Any] = {}
        for number in part:
            seed = networks[number].seed
            places.setdefault(next(counters.setdefault(seed, count())), []).append(number)
        parts += places.values()
    return parts


def _repeats(members: Sequence[int], networks: Sequence[TrainedNetwork]) -> bool:
    seeds = [networks[number].seed for number in members]
    return len(set(seeds)) < len(seeds)


def _code(record: RunRecord) -> str:
    git, versions = record.summary.get("git"), record.summary.get("versions")
    words = []
    if isinstance(git, Mapping) and isinstance(git.get("commit"), str):
        words.append(git["commit"][:10] + ("+changes" if git.get("dirty") else ""))
    if isinstance(versions, Mapping):
        words += [f"{name} {versions[name]}" for name in ("nnjax", "jax") if isinstance(versions.get(name), str)]
    return ", ".join(words) or "unknown"


def _named(groups: Sequence[Group]) -> tuple[Group, ...]:
    names = names_of([group.settings for group in groups])
    named = [replace(group, name=name or group.records[0].name) for group, name in zip(groups, names, strict=True)]
    taken = [group.name for group in named]
    return tuple(
        replace(group, name=f"{group.name} ({group.records[0].name})")
        if taken.count(group.name) > 1 and group.name != group.records[0].name
        else group
        for group in named
    )


def _problem(record: RunRecord) -> str:
    return f" ({record.problems[0]})" if record.problems else ""
