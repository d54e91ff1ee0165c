"""Pairs of trained networks that answered the same test examples, compared by McNemar's test.

pairs, problems = compare_networks([(group_a, group_b)])
pairs[0].test.first, pairs[0].adjusted_p
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nnjax.comparing.groups import Group, TrainedNetwork
from nnjax.comparing.holm import holm
from nnjax.comparing.kept_predictions import Predictions, read_predictions
from nnjax.comparing.mcnemar import McNemar, mcnemar
from nnjax.config.errors import DataError
from nnjax.config.paths import shown_path

MOST_PAIRS = 500
"""Of networks: reading more answers takes minutes."""


@dataclass(frozen=True)
class NetworkPair:
    """Two networks on the same test examples.

    Attributes:
        first: letter of the first network's group.
        second: that of the other one.
        seeds: the networks' seeds.
        test: how many examples only one of them gets right, and McNemar's p.
        adjusted_p: corrected by Holm over all pairs of networks.
    """

    first: str
    second: str
    seeds: tuple[int | None, int | None]
    test: McNemar
    adjusted_p: float


def compare_networks(pairs: Sequence[tuple[Group, Group]]) -> tuple[tuple[NetworkPair, ...], tuple[str, ...]]:
    """Compares the networks of two groups that have the same seed, or that are alone in their groups.

    Args:
        pairs: of groups that were tested on the same data.

    Returns:
        The pairs of networks whose answers are kept, and a line for each reason why others are missing.
    """
    reader = _Reader()
    found: list[NetworkPair] = []
    for first, second in pairs:
        for one, other in _matching(first, second):
            if len(found) == MOST_PAIRS:
                reader.note(f"McNemar's test was done for the first {MOST_PAIRS} pairs of networks")
                break
            kept, other_kept = reader.read(one), reader.read(other)
            if kept is None or other_kept is None:
                continue
            if not _are_of_the_same_examples(kept, other_kept):
                reader.note(f"{first.letter} and {second.letter}: their kept answers are to other examples")
                continue
            test = mcnemar(kept.right[one.trial or 0], other_kept.right[other.trial or 0])
            found.append(NetworkPair(first.letter, second.letter, (one.seed, other.seed), test, test.p))
    adjusted = holm([pair.test.p for pair in found])
    done = tuple(replace(pair, adjusted_p=p) for pair, p in zip(found, adjusted, strict=True))
    return done, reader.problems


def _matching(first: Group, second: Group) -> list[tuple[TrainedNetwork, TrainedNetwork]]:
    """The networks with the same seed; two that are alone in their groups are a pair, whatever their seeds."""
    one, other = ([network for network in group.networks if not network.diverged] for group in (first, second))
    if len(one) == len(other) == 1:
        return [(one[0], other[0])]
    by_seed = {network.seed: network for network in other if network.seed is not None}
    return [(network, by_seed[network.seed]) for network in one if network.seed in by_seed]


def _are_of_the_same_examples(one: Predictions, other: Predictions) -> bool:
    """Whether two runs answered the same examples in the same order, by the hash of the test split and by the true classes."""
    if one.test_hash is not None and other.test_hash is not None and one.test_hash != other.test_hash:
        return False
    return one.targets.shape == other.targets.shape and bool((one.targets == other.targets).all())


class _Reader:
    """Reads each run's answers once, and notes why answers cannot be used."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}
        self._left_out: dict[str, list[str]] = {}  # by reason, the runs
        self._kept: dict[Path, Predictions | None] = {}

    @property
    def problems(self) -> tuple[str, ...]:
        """The lines, each once; runs with the same reason share one."""
        return (*self._lines, *(f"McNemar's test leaves out {some_of(runs)}: {why}" for why, runs in self._left_out.items()))

    def note(self, line: str) -> None:
        """Keeps a line."""
        self._lines[line] = None

    def read(self, network: TrainedNetwork) -> Predictions | None:
        """The answers of a network's run; None if the network's are not kept."""
        record = network.record
        if record.folder not in self._kept:
            self._kept[record.folder] = self._read(record.folder, record.summary.get("tested_step"))
        kept = self._kept[record.folder]
        trial = network.trial or 0
        if kept is None or kept.predicted is None or trial >= kept.num_trials or trial in kept.diverged:
            return None
        return kept

    def _read(self, folder: Path, tested_step: object) -> Predictions | None:
        try:
            kept = read_predictions(folder)
        except DataError as error:
            self.note(f"McNemar's test leaves out {error}")
            return None
        if kept is None:
            reason = "no answers to the test examples were kept; experiments.evaluate run=FOLDER adds them"
        elif kept.step != tested_step:
            reason = "the kept answers are of another step than the result"
        else:
            return kept
        self._left_out.setdefault(reason, []).append(shown_path(folder))
        return None


def some_of(names: Sequence[str], most: int = 2) -> str:
    """The first names, and the number of the others."""
    return ", ".join(names) if len(names) <= most else f"{', '.join(names[:most])} and {len(names) - most} more"
