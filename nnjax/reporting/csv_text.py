r"""CSV that programs read and that a spreadsheet may open: of texts from folders that anybody made, none becomes a formula.

csv_text(["name", "accuracy"], [["=HYPERLINK(…)", 0.9]])      # "name,accuracy\n'=HYPERLINK(…),0.9\n"
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from nnjax.cli.json_values import reads_as_number

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A line with the names, and one for each row.

    Args:
        names: of the columns.
        rows: a value for each column; None and NaN are left empty, lists and mappings are written as JSON.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([_cell(name) for name in names])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return file.getvalue()


def _cell(value: Any) -> Any:
    if value is None or value != value:
        return ""
    if isinstance(value, list | dict | bool):
        return json.dumps(value, ensure_ascii=False)
    # What begins so, a spreadsheet computes, and may ask the network; the apostrophe makes it a text.
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) and not reads_as_number(value) else value
