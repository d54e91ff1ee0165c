"""Compares groups of runs by one result: intervals, differences, and whether these are larger than the noise.

    comparison = compare(group_runs(records), metric="auto", against="auto")
    comparison.pairs[0].verdict                 # "better": the first group, beyond the noise of its seeds
    comparison.pairs[0].needed                  # None; else the seeds that would show a difference of this size

Seeds answer whether settings differ: paired t where both have the same seeds, else Welch's, corrected by Holm over all pairs.
McNemar's test on the same test examples answers whether two trained networks differ, whatever other seeds would give.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations
from typing import Literal

from nnjax.comparing.groups import Group, Grouping
from nnjax.comparing.holm import holm
from nnjax.comparing.intervals import Estimate, mean_estimate, share_estimate
from nnjax.comparing.mean_tests import MeanTest, paired_test, unpaired_test
from nnjax.comparing.metrics_compared import check_rankable, choose_metric, higher_is_better
from nnjax.comparing.network_pairs import NetworkPair, compare_networks
from nnjax.comparing.notes import notes_on, on_seeds
from nnjax.comparing.power import seeds_needed
from nnjax.config.errors import ConfigError

ALPHA = 0.05
MOST_ALL_PAIRS = 6
"""With more groups, `against=auto` compares each with the first one only: 7 would already make 21 pairs."""

Verdict = Literal["better", "worse", "equal", "unclear", "unknown"]
"""Of the first of two groups: beyond the noise, exactly equal, within the noise, or with too few seeds to say."""


@dataclass(frozen=True)
class Pair:
    """Two groups, compared over their seeds.

    Attributes:
        first: letter of a group.
        second: letter of another group.
        test: their difference, first less second.
        adjusted_p: of the t test, by Holm's correction over all pairs; NaN where there is no test.
        adjusted_permutation_p: likewise, of the permutation test.
        needed: seeds in each group with which a difference of this size would be shown with a power of 0.8; None where it is
            shown, or nothing can be said.
        verdict: by the t test; by the permutation test where the differences do not vary.
    """

    first: str
    second: str
    test: MeanTest
    adjusted_p: float
    adjusted_permutation_p: float
    needed: int | None
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """The outcome of a comparison.

    Attributes:
        grouping: the groups, with the settings that differ.
        metric: the result that is compared.
        higher_is_better: whether a larger value of it is the better one.
        ranked: whether groups were compared with each other.
        pairs: of groups.
        networks: pairs of networks that answered the same test examples.
        order: the letters of the groups, the best mean first; as they were named if not ranked.
        notes: what a reader has to know, a line each.
    """

    grouping: Grouping
    metric: str
    higher_is_better: bool
    ranked: bool
    pairs: tuple[Pair, ...]
    networks: tuple[NetworkPair, ...]
    order: tuple[str, ...]
    notes: tuple[str, ...]

    def group(self, letter: str) -> Group:
        """The group of a letter."""
        return next(group for group in self.grouping.groups if group.letter == letter)


def compare(grouping: Grouping, metric: str = "auto", against: str = "auto", *, rank: bool = True) -> Comparison:
    """Compares groups.

    Args:
        grouping: at least one group.
        metric: name of a result, or "auto".
        against: "all" compares every pair, "first" or a letter each group with that one; "auto" is "all" for up to six groups,
            else "first".
        rank: whether to compare groups with each other; false shows them side by side, also those tested on different data.

    Raises:
        ConfigError: for another metric or letter, and for groups that were tested on different data.
    """
    groups = grouping.groups
    if not groups:
        raise ConfigError("runs: none of the runs has ended with a result" + "".join(f"\n{line}" for line in grouping.left_out))
    chosen = choose_metric(groups, metric)
    higher, letters = higher_is_better(chosen), tuple(group.letter for group in groups)
    if not rank:
        return Comparison(grouping, chosen, higher, False, (), (), letters, notes_on(grouping, chosen, ranked=False))
    chosen_pairs = _pairs(groups, against)
    doubts = check_rankable(groups, chosen)
    tests = [_test(first, second, chosen) for first, second in chosen_pairs]
    adjusted = holm([test.p for test in tests])
    permuted = holm([test.permutation_p for test in tests])
    num_tests = max(1, sum(not math.isnan(test.p) for test in tests))
    pairs = tuple(
        _pair(first, second, test, p, permutation_p, num_tests, higher)
        for (first, second), test, p, permutation_p in zip(chosen_pairs, tests, adjusted, permuted, strict=True)
    )
    means = {group.letter: mean_estimate(group.values(chosen)).mean for group in groups}

    def place(letter: str) -> float:
        return math.inf if math.isnan(means[letter]) else -means[letter] if higher else means[letter]

    order = tuple(sorted(letters, key=place))
    networks, problems = compare_networks(chosen_pairs)
    shown = len(chosen_pairs) < math.comb(len(groups), 2) and against == "auto"
    limited = (f"each group is compared with {letters[0]} alone; against=all compares every pair",) if shown else ()
    seeds = on_seeds(chosen_pairs, chosen)
    notes = (*doubts, *limited, *notes_on(grouping, chosen, ranked=True), *seeds, *problems)
    return Comparison(grouping, chosen, higher, True, pairs, networks, order, notes)


def estimate(group: Group, metric: str) -> tuple[Estimate, Literal["seeds", "examples", "none"]]:
    """A group's mean with its interval, and what that is over.

    Over the seeds by Student's t. Of a single network it is Wilson's interval of the accuracy over the test
    examples, which leaves out what another seed would change.
    """
    values = group.values(metric)
    if len(values) == 1 and metric == "test_accuracy":
        [record] = [network.record for network in group.networks if metric in network.results]
        examples = record.summary.get("test_examples")
        if isinstance(examples, int) and examples > 0 and 0 <= values[0] <= 1:
            return share_estimate(round(values[0] * examples), examples), "examples"
    return mean_estimate(values), "seeds" if len(values) > 1 else "none"


def matching_seeds(first: Group, second: Group, metric: str) -> tuple[int, ...]:
    """The seeds by which two groups are paired: those of all results, if both groups have the same ones; else none.

    A pairing that left out a result would test another difference than that of the means, and could contradict their order.
    """
    one, other = first.by_seed(metric), second.by_seed(metric)
    common = tuple(seed for seed in one if seed in other)
    is_whole = len(common) == len(first.values(metric)) == len(second.values(metric))
    return common if is_whole else ()


def _pairs(groups: Sequence[Group], against: str) -> list[tuple[Group, Group]]:
    letters = [group.letter for group in groups]
    if against == "all" or (against == "auto" and len(groups) <= MOST_ALL_PAIRS):
        return list(combinations(groups, 2))
    named = letters[0] if against in ("auto", "first") else against.upper()
    if named not in letters:
        near = get_close_matches(against, ["auto", "all", "first"], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"against={against}: must be auto, all, first, or the letter of a group, {_span(letters)}{hint}")
    base = groups[letters.index(named)]
    return [(group, base) for group in groups if group is not base]


def _span(letters: Sequence[str]) -> str:
    return letters[0] if len(letters) == 1 else f"{letters[0]} to {letters[-1]}"


def _test(first: Group, second: Group, metric: str) -> MeanTest:
    seeds = matching_seeds(first, second, metric)
    if seeds:
        one, other = first.by_seed(metric), second.by_seed(metric)
        return paired_test([one[seed] for seed in seeds], [other[seed] for seed in seeds])
    return unpaired_test(first.values(metric), second.values(metric))


def _pair(first: Group, second: Group, test: MeanTest, p: float, permutation_p: float, num_tests: int, higher: bool) -> Pair:
    decisive = permutation_p if math.isnan(p) else p
    verdict: Verdict
    if math.isnan(decisive):
        verdict = "unknown"
    elif decisive < ALPHA:
        verdict = "better" if (test.difference > 0) == higher else "worse"
    else:
        verdict = "equal" if test.std == 0 and test.p == 1 else "unclear"
    needed = None
    if verdict == "unclear":
        needed = seeds_needed(
            test.difference,
            test.std,
            paired=test.paired,
            ratio=test.ratio,
            more_than=min(test.n),
            alpha=ALPHA / num_tests,
        )
    return Pair(first.letter, second.letter, test, p, permutation_p, needed, verdict)
