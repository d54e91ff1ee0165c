"""A traffic report's collectives as CSV, one row each, with the columns of nccl-tests among them.

write_csv(run_dir / "traffic.csv", report["collectives"])
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nnjax.reporting.files import replacing

COLUMNS = (
    "number",
    "per",
    "collective",
    "phase",
    "layers",
    "tensors",
    "size",
    "count",
    "type",
    "redop",
    "group_size",
    "buffers",
    "rounds",
    "sent_bytes",
    "packets",
    "wire_bytes",
    "time",
    "algbw",
    "busbw",
)
"""size, sent_bytes and wire_bytes in bytes, time in seconds, algbw and busbw in GB/s (10⁹ bytes)."""


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes collectives; layers and tensors ("layer/tensor:count") are separated by spaces."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            tensors = [f"{part['layer']}/{part['tensor']}:{part['count']}".lstrip("/") for part in row["tensors"]]
            writer.writerow({**row, "layers": " ".join(row["layers"]), "tensors": " ".join(tensors)})
