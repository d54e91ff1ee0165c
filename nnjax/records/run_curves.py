"""A run's `metrics.jsonl` as columns, by split.

    curves = read_curves(record)
    curves.splits["validation"]["loss"]      # (0.9, 0.5, 0.4), one for each record
    curves.splits["validation"]["step"]      # (100, 200, 300)

Of a run with several trials the file holds means, with NAME_std, NAME_low, NAME_high; a trial's own results are in its row of
`record.trials`, for the end of the training only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

from nnjax.config.errors import ConfigError
from nnjax.config.paths import shown_path, why
from nnjax.config.stored_files import one_line, parse_json, read_bytes
from nnjax.records.record import RunRecord

_MOST_BYTES = 1 << 30
_MOST_PROBLEMS = 5


@dataclass(frozen=True)
class Curves:
    """The records of a training, as columns.

    Attributes:
        splits: by split (train, validation, test) and column: step, epoch, seconds and each metric. All columns of a split are
            equally long, in the order of the steps; a number that is missing or not finite is NaN.
        problems: what is wrong with the file, a line each; whatever can be read is there all the same.
    """

    splits: Mapping[str, Mapping[str, tuple[float, ...]]]
    problems: tuple[str, ...] = ()


def read_curves(record: RunRecord) -> Curves:
    """Reads the curves of a run; empty if it has none.

    A damaged line is left out; a last line that a crash cut off is no problem. Of two records of a step the later one counts.
    """
    path = record.folder / "metrics.jsonl"
    try:
        lines = read_bytes(path, _MOST_BYTES).decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return Curves({})
    except (OSError, ConfigError) as error:
        return Curves(
            {}, (str(error) if isinstance(error, ConfigError) else f"{shown_path(path)}: cannot be read: {why(error)}",)
        )
    records: dict[str, dict[float, dict[str, Any]]] = {}
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        try:
            found = _record(line)
        except ValueError as error:
            if number < len(lines):
                problems.append(f"{shown_path(path)}: line {number} is damaged ({one_line(error)})")
            continue
        records.setdefault(found["split"], {})[found["step"]] = found
    if len(problems) > _MOST_PROBLEMS:
        problems[_MOST_PROBLEMS:] = [f"{shown_path(path)}: {len(problems) - _MOST_PROBLEMS} more lines are damaged"]
    return Curves({split: _columns(steps) for split, steps in records.items()}, tuple(problems))


def _record(line: str) -> dict[str, Any]:
    """One line's values.

    Raises:
        ValueError: if it is no record.
    """
    values = parse_json(line)
    step = values.get("step") if isinstance(values, dict) else None
    if not isinstance(step, int) or isinstance(step, bool) or not 0 <= step < 2**63 or not isinstance(values.get("split"), str):
        raise ValueError("no record of a step and a split")
    return {"trials" if key == "copies" else key: value for key, value in values.items()}  # the name before 0.2


def _columns(records: Mapping[float, Mapping[str, Any]]) -> dict[str, tuple[float, ...]]:
    """The columns of a split's records, by step."""
    rows = [records[step] for step in sorted(records)]
    names = dict.fromkeys(name for row in rows for name in row if name != "split")
    return {name: tuple(_number(row.get(name)) for row in rows) for name in names}


def _number(value: object) -> float:
    """A finite number, else NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return nan
    try:
        return value if isfinite(value) else nan
    except OverflowError:  # a whole number that no float holds
        return nan
