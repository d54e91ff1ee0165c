"""Which result is compared, and whether runs may be ranked by it.

choose_metric(groups, "auto")                # "test_accuracy"
check_rankable(groups, "test_accuracy")      # ConfigError for groups that were tested on different data
"""

from collections.abc import Sequence
from difflib import get_close_matches

from nnjax.comparing.differences import setting_text
from nnjax.comparing.groups import Group
from nnjax.comparing.intervals import mean_estimate
from nnjax.comparing.network_pairs import some_of
from nnjax.config.errors import ConfigError
from nnjax.records.record import RunRecord

AUTO = "auto"
_PREFERRED = (
    "forecast_rmse",
    "test_accuracy",
    "test_loss",
    "validation_accuracy",
    "validation_loss",
    "train_accuracy",
    "train_loss",
)


def metrics_of(groups: Sequence[Group]) -> tuple[str, ...]:
    """The results that at least one network has, those of the test first."""
    found = dict.fromkeys(name for group in groups for network in group.networks for name in network.results)
    known = [name for name in _PREFERRED if name in found]
    return (*known, *(name for name in found if name not in known))


def best_groups(groups: Sequence[Group], metric: str) -> tuple[Group, ...]:
    """The groups with the best mean; several if their means are shown as the same number.

    Args:
        groups: at least one; each has the result.
        metric: its name.
    """
    means = [mean_estimate(group.values(metric)).mean for group in groups]
    best = _shown(max(means) if higher_is_better(metric) else min(means))
    return tuple(group for group, mean in zip(groups, means, strict=True) if _shown(mean) == best)


def _shown(value: float) -> str:
    """A value with the digits that tables show; an accuracy's are those of its percentage."""
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.2e}"


def choose_metric(groups: Sequence[Group], metric: str) -> str:
    """The result to compare.

    Args:
        groups: with their results.
        metric: its name, or "auto": the first of forecast RMSE, accuracy and loss on the test split, then on the others, that
            no group lacks; groups without any result do not count.

    Raises:
        ConfigError: if no group has it.
    """
    found = metrics_of(groups)
    if metric == AUTO:
        tested = [group for group in groups if any(network.results for network in group.networks)]
        shared = [name for name in found if all(group.values(name) for group in tested)]
        if not shared:
            reason = "the runs share no result" if found else "no run has a result"
            raise ConfigError(f"runs: {reason} that could be compared{_list(found)}")
        return shared[0]
    if metric not in found:
        near = get_close_matches(metric, found, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"metric={metric}: no run has it{hint}{_list(found)}")
    return metric


def higher_is_better(metric: str) -> bool:
    """Whether a larger value is the better one: of accuracies, not of losses and errors."""
    return "accuracy" in metric


def is_of_test(metric: str) -> bool:
    """Whether a result is measured on the test split, or on the rows of a series that were held out."""
    return metric.startswith(("test_", "forecast_"))


def check_rankable(groups: Sequence[Group], metric: str) -> tuple[str, ...]:
    """Checks that the groups were measured on the same data, by its content hash, and with the same loss.

    A result of the test or of the training needs the same test split, one of the validation split the same data; the training
    examples may differ.

    Returns:
        A line for each doubt: runs that did not record what they were tested on.

    Raises:
        ConfigError: if they were not.
    """
    measured = [group for group in groups if group.values(metric)]
    doubts = _check_data(measured, metric)
    if metric.endswith("_loss"):
        _check_same(measured, metric, [_words(group, "loss.") for group in measured], "different functions")
        _check_same(measured, metric, [_scale(group) for group in measured], "series in different units")
        _check_scaling_rows(measured, metric)
    return doubts


def _check_same(groups: Sequence[Group], metric: str, texts: Sequence[str], what: str) -> None:
    found = dict(zip(texts, groups, strict=True))
    if len(found) > 1:
        (one, first), (other, second) = list(found.items())[:2]
        reason = (
            f"{first.letter} has {one or 'none'}, {second.letter} {other or 'none'}: {what}, whose values cannot be compared"
        )
        raise ConfigError(f"metric={metric}: {reason}; take another metric, or rank=false")


def _scale(group: Group) -> str:
    """The settings that determine the unit in which the loss of a series is measured; empty for other data."""
    settings = group.settings
    if "data.holdout" not in settings:
        return ""
    measured = ("limit_train", "validation", "window") if settings.get("data.normalize") else ()  # the rows that scale it
    names = ("transform", "difference", "normalize", *measured)
    return " ".join(f"{name}={setting_text(settings.get(f'data.{name}'))}" for name in names)


def _check_scaling_rows(groups: Sequence[Group], metric: str) -> None:
    """Checks that series which their own rows scale have the same content, where it is recorded.

    The hash covers the season, too, which scales nothing: so only series of one season are compared. It also covers the
    column's name and the labels, so that it may be stricter than it needs to be.
    """
    by_season: dict[str, list[tuple[Group, str]]] = {}
    for group in groups:
        content = next((record.data_hash for record in group.records if record.data_hash), None)
        if "data.holdout" in group.settings and group.settings.get("data.normalize") and content:
            season = setting_text(group.settings.get("data.season"))
            by_season.setdefault(season, []).append((group, f"the data {_shortened(content)}"))
    for alike in by_season.values():
        some, contents = zip(*alike, strict=True)
        _check_same(some, metric, contents, "series that different rows scale")


def _check_data(groups: Sequence[Group], metric: str) -> tuple[str, ...]:
    members = [(group, network.record) for group in groups for network in group.networks if metric in network.results]
    records = list({record.folder: (group, record) for group, record in members}.values())
    of_validation = metric.startswith("validation_")
    by_test = not of_validation and all(isinstance(record.summary.get("test_hash"), str) for _, record in records)
    hashes: dict[str, Group] = {}
    doubts = []
    for group, record in records:
        found = record.summary["test_hash"] if by_test else record.data_hash
        if found is None:
            doubts.append(record.name)
            found = _data_settings(group, records)
        if found is not None:
            hashes.setdefault(found, group)
    if len(hashes) > 1:
        what = "measured on different data" if of_validation else "tested on different data"
        listed = ", ".join(f"{group.letter} {_shortened(found)}" for found, group in list(hashes.items())[:4])
        more = f" and {len(hashes) - 4} more" if len(hashes) > 4 else ""
        reason = f"{what} ({listed}{more}), which no ranking compares"
        raise ConfigError(f"runs: {reason}; name runs of the same data, or show them side by side with rank=false")
    return (f"{some_of(doubts)}: the data's content is not recorded; the data settings are compared",) if doubts else ()


def _data_settings(group: Group, records: Sequence[tuple[Group, RunRecord]]) -> str | None:
    """The hash of another run with the same data settings; None if all runs have the same ones."""
    own = _words(group, "data.")
    if all(_words(other, "data.") == own for other, _ in records):
        return None
    return next((record.data_hash for other, record in records if record.data_hash and _words(other, "data.") == own), own)


def _words(group: Group, start: str) -> str:
    found = {key.removeprefix(start): value for key, value in group.settings.items() if key.startswith(start)}
    return " ".join(f"{key}={setting_text(value)}" for key, value in sorted(found.items(), key=lambda item: item[0] != "name"))


def _shortened(found: str) -> str:
    return f"{found.partition(':')[2][:12]}…" if found.startswith("sha256:") else "of unknown content"


def _list(found: Sequence[str]) -> str:
    return f"; results: {', '.join(found)}" if found else ""
