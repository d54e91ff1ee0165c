"""A trace's files: everything as JSON, the operations as CSV, and an interactive page.

paths = write_trace_files(run_dir, trace)    # trace.json, trace.csv, trace.html
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.reporting.files import replacing, to_json

COLUMNS = (
    "iteration",
    "example",
    "phase",
    "layer",
    "neuron",
    "input",
    "quantity",
    "symbol",
    "formula",
    "numbers",
    "value",
)


def write_trace_files(run_dir: Path, trace: Mapping[str, Any]) -> list[Path]:
    """Writes a trace's files and returns their paths, the most readable first.

    Args:
        run_dir: the folder; files of an earlier trace are replaced.
        trace: the content of `trace.json`; numbers that are not finite become null there, and nan in the CSV file.
    """
    from nnjax.reporting.trace_page import write_trace_page

    paths = [run_dir / name for name in ("trace.html", "trace.csv", "trace.json")]
    page, table, everything = paths
    with replacing(everything) as temporary:
        temporary.write_text(_json(trace), encoding="utf-8")
    with replacing(table) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(trace["rows"])
    write_trace_page(page, trace)
    return paths


def _json(trace: Mapping[str, Any]) -> str:
    """JSON with one line for each key and each list item, to be read and searched."""
    return "{\n" + ",\n".join(f"{to_json(key)}: {_lines(value)}" for key, value in trace.items()) + "\n}\n"


def _lines(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"  {to_json(item)}" for item in value) + "\n]"
    return to_json(value)
