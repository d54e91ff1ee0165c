"""A sweep before its first job starts: what each job costs, and all together.

console.print(sweep_plan_table([PlanRow((0, 1), ("model=fnn",), 19210, 3.1e9, 215e6, 6.2)]))
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nnjax.config.storage import size_text
from nnjax.reporting.fitted_table import Column, FittedTable, Row
from nnjax.reporting.tables import differing_overrides
from nnjax.reporting.text import seconds_text, si_text

_MOST_ROWS = 20


@dataclass(frozen=True)
class PlanRow:
    """Jobs that cost the same.

    Attributes:
        jobs: their numbers.
        overrides: those that all of them have.
        num_params: trained values of one network.
        flops: operations of one job's training.
        memory: a lower bound of one job's memory, in bytes.
        seconds: predicted time of one job.
    """

    jobs: tuple[int, ...]
    overrides: tuple[str, ...]
    num_params: int
    flops: float
    memory: int
    seconds: float


def sweep_plan_table(rows: Sequence[PlanRow]) -> FittedTable:
    """A row for the jobs that cost the same, and one for the whole sweep; the dearest rows only, if there are many."""
    settings, keys = differing_overrides([row.overrides for row in rows])
    columns = [Column("jobs"), *(Column(key.rpartition(".")[2], breakable=True) for key in keys)]
    columns += [Column(name, right=True, whole=True) for name in ("parameters", "FLOPs", "memory ≥", "time ≈")]
    shown = sorted(range(len(rows)), key=lambda place: -rows[place].seconds)[:_MOST_ROWS]
    table = [
        Row(
            [
                numbers_text(rows[place].jobs),
                *(settings[place].get(key, "") for key in keys),
                f"{rows[place].num_params:,}",
                si_text(rows[place].flops),
                size_text(rows[place].memory),
                seconds_text(rows[place].seconds),
            ],
            ends_section=place == sorted(shown)[-1],
        )
        for place in sorted(shown)
    ]
    if len(rows) > _MOST_ROWS:
        table.append(Row([f"… {len(rows) - _MOST_ROWS} cheaper rows", *("" for _ in columns[1:])], ends_section=True))
    count = sum(len(row.jobs) for row in rows)
    flops = si_text(sum(len(row.jobs) * row.flops for row in rows))
    seconds = seconds_text(sum(len(row.jobs) * row.seconds for row in rows))
    most = size_text(max((row.memory for row in rows), default=0))
    table.append(Row([f"all {count}", *("" for _ in keys), "", flops, most, seconds], "bold"))
    return FittedTable(columns, table)


def numbers_text(numbers: Sequence[int]) -> str:
    """Numbers in ascending order with their ranges: ``"0–4, 7"``; the first ranges only, if there are many."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    texts = [str(first) if first == last else f"{first}–{last}" for first, last in ranges]
    return ", ".join(texts) if len(texts) <= 4 else f"{', '.join(texts[:3])}, … ({len(numbers)})"
