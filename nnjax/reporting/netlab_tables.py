"""The tables of `experiments.netlab`, from its rows of plain numbers.

console.print(point_table(rows))
"""

from collections.abc import Mapping, Sequence
from typing import Any

from nnjax.reporting.fitted_table import Column, FittedTable, Row


def point_table(rows: Sequence[Mapping[str, Any]]) -> FittedTable:
    """Each point: the link, the time of a step and its bytes, measured and predicted; Mb and kB are powers of ten."""
    names = ("ranks", "tensors", "Mb/s", "ms", "loss", "measured ms", "predicted", "error", "kB a step", "error")

    def cells(row: Mapping[str, Any]) -> list[str]:
        timed = row["kind"] != "bytes"
        return [
            row["kind"],
            str(row["processes"]),
            str(row["tensors"]),
            "–" if row["bandwidth"] is None else f"{row['bandwidth'] / 1e6:g}",
            f"{row['delay'] * 1e3:g}",
            f"{row['loss'] * 100:g}%" if row["loss"] else "0",
            f"{row['measured'] * 1e3:.1f}",
            f"{row['predicted'] * 1e3:.1f}" if timed else "–",
            f"{row['error']:+.1%}" if timed else "–",
            f"{sum(row['sent_bytes']) / len(row['sent_bytes']) / 1e3:.1f}",
            f"{row['bytes_error']:+.1%}",
        ]

    columns = [Column("point", whole=True), *(Column(name, right=True) for name in names)]
    return FittedTable(columns, [Row(cells(row)) for row in rows])


def link_table(rows: Sequence[Mapping[str, Any]]) -> FittedTable:
    """The use of each rank's link: the slow one is busy, and the others wait for it."""
    ranks = max(len(row["link_use"]) for row in rows)
    columns = [Column("slowest link"), Column("step", right=True), *(Column(f"link of rank {rank}") for rank in range(ranks))]
    times = [f"{row['measured'] * 1e3:.1f} ms" for row in rows]
    uses = [[f"{share:.0%} busy" for share in row["link_use"]] for row in rows]
    return FittedTable(columns, [Row([row["label"], time, *use]) for row, time, use in zip(rows, times, uses, strict=True)])


def fault_table(rows: Sequence[Mapping[str, Any]]) -> FittedTable:
    """How trainings ended."""
    names = ("rank 1", "all others ended after", "peer_timeout", "exit codes", "last line of rank 0")

    def cells(row: Mapping[str, Any]) -> list[str]:
        seconds = "never" if row["seconds"] is None else f"{row['seconds']:.1f} s"
        codes = ", ".join("–" if code is None else str(code) for code in row["codes"])
        fault = {"cut": "link cut"}.get(row["fault"], row["fault"])
        return [fault, seconds, f"{row['peer_timeout']:g} s", codes, row["line"]]

    columns = [Column(name, breakable=name == names[-1]) for name in names]
    return FittedTable(columns, [Row(cells(row)) for row in rows])
