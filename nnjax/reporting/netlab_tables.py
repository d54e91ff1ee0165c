"""The tables of `experiments.netlab`, from its rows of plain numbers.

console.print(point_table(rows))
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table


def point_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Each point: the link, the time of a step and its bytes, measured and predicted; Mb and kB are powers of ten."""
    columns = ("ranks", "tensors", "Mb/s", "ms", "loss", "measured ms", "predicted", "error", "kB a step", "error")
    table = Table("", *columns, padding=(0, 0, 0, 1), pad_edge=False)
    for row in rows:
        timed = row["kind"] != "bytes"
        table.add_row(
            row["kind"],
            str(row["processes"]),
            str(row["tensors"]),
            "–" if row["bandwidth"] is None else f"{row['bandwidth'] / 1e6:g}",
            f"{row['delay'] * 1e3:g}",
            f"{row['loss'] * 100:g} %" if row["loss"] else "0",
            f"{row['measured'] * 1e3:.1f}",
            f"{row['predicted'] * 1e3:.1f}" if timed else "",
            f"{row['error']:+.1%}" if timed else "",
            f"{sum(row['sent_bytes']) / len(row['sent_bytes']) / 1e3:.1f}",
            f"{row['bytes_error']:+.1%}",
        )
    return table


def link_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The use of each rank's link: the slow one is busy, and the others wait for it."""
    ranks = max(len(row["link_use"]) for row in rows)
    table = Table("slowest link", "step", *(f"link of rank {rank}" for rank in range(ranks)))
    for row in rows:
        table.add_row(row["label"], f"{row['measured'] * 1e3:.1f} ms", *(f"{share:.0%} busy" for share in row["link_use"]))
    return table


def fault_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """How trainings ended."""
    table = Table("rank 1", "all others ended after", "peer_timeout", "exit codes", "last line of rank 0")
    for row in rows:
        seconds = "never" if row["seconds"] is None else f"{row['seconds']:.1f} s"
        codes = ", ".join("–" if code is None else str(code) for code in row["codes"])
        table.add_row(
            {"cut": "link cut"}.get(row["fault"], row["fault"]), seconds, f"{row['peer_timeout']:g} s", codes, row["line"]
        )
    return table
