"""A table of a network's answers.

console.print(answer_table(records, "picture"))
"""

from collections.abc import Mapping, Sequence
from typing import Any

from nnjax.reporting.fitted_table import Column, FittedTable, Row
from nnjax.reporting.text import number_text

_COLUMN = 4  # of the remarks


def answer_table(records: Sequence[Mapping[str, Any]], what: str) -> FittedTable:
    """A row for each input: its class with its probability, the next classes, and warnings or the error.

    A narrow terminal has no room for the next classes.

    Args:
        records: as from `nnjax.serving.answer_records`.
        what: the word for an input.
    """
    if any("values" in record for record in records):
        return FittedTable(
            [Column(what, breakable=True), Column("values", right=True), Column("remarks")],
            [Row([record["source"], _values(record), _remarks(record)], styles=_styles(record, 2)) for record in records],
        )
    columns = [Column(what, breakable=True), Column("answer"), Column("probability", right=True), Column("then", optional=True)]
    return FittedTable(
        [*columns, Column("remarks")],
        [Row([record["source"], *_classes(record), _remarks(record)], styles=_styles(record, _COLUMN)) for record in records],
    )


def share_text(probability: float, spread: float = 0.0) -> str:
    """A probability in percent, with its standard deviation over the trials where there are several: "97.3% ± 0.4"."""
    text = f"{100 * probability:.1f}%"
    return f"{text} ± {100 * spread:.1f}" if spread else text


def _classes(record: Mapping[str, Any]) -> list[str]:
    if not record.get("top"):  # an error, or outputs that are no finite numbers
        return ["", "", ""]
    first, *others = record["top"]
    then = ", ".join(f"{each['label']}\N{NO-BREAK SPACE}{share_text(each['probability'])}" for each in others)
    return [first["label"], share_text(first["probability"], first["spread"]), then]


def _values(record: Mapping[str, Any]) -> str:
    pairs = zip(record.get("values", ()), record.get("spread", ()), strict=True)
    return ", ".join(f"{_value(value)} ± {number_text(spread)}" if spread else _value(value) for value, spread in pairs)


def _value(value: float) -> str:
    """A value with as many digits as tell it from others, however large."""
    return number_text(value) if abs(value) < 1e9 else f"{value:.15g}"


def _remarks(record: Mapping[str, Any]) -> str:
    if "error" in record:
        return str(record["error"]).removeprefix(f"{record['source']}: ")  # the name stands in the first column
    return "; ".join(record["warnings"])


def _styles(record: Mapping[str, Any], column: int) -> Sequence[tuple[int, str]]:
    return ((column, "red"),) if "error" in record else ((column, "yellow"),) if record.get("warnings") else ()
