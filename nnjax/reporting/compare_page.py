"""The page of a comparison: one HTML file with tables that sort and curves that can be shown and hidden.

write_compare_page(run_dir / "comparison.html", "5 groups by test accuracy", notes, sheets, curves, groups, commands)

It needs no network and no other file; its program is in compare_page.html.
"""

import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nnjax.reporting.files import replacing, script_json
from nnjax.reporting.sheets import Sheet

_TEMPLATE = Path(__file__).with_name("compare_page.html")


def write_compare_page(
    path: Path,
    title: str,
    notes: Sequence[str],
    sheets: Sequence[Sheet],
    curves: Sequence[Mapping[str, Any]],
    groups: Sequence[tuple[str, str]],
) -> None:
    """Writes the page.

    Args:
        path: the HTML file; replaced atomically.
        title: the heading.
        notes: lines that a reader has to know.
        sheets: tables.
        curves: mappings with group (a letter), name, metric, and lists of equal length: epoch, step, seconds, y, and perhaps
            low and high.
        groups: the letter and the name of each group.

    Raises:
        StorageError: if it cannot be written.
    """
    data = {
        "tables": [_plain(sheet) for sheet in sheets],
        "curves": list(curves),
        "groups": [{"letter": letter, "name": name} for letter, name in groups],
        "notes": list(notes),
    }
    before, between, after = re.split("@TITLE@|@DATA@", _TEMPLATE.read_text(encoding="utf-8"))
    heading = html.escape(title)
    with replacing(path) as temporary:
        text = before + heading + between.replace("@HEADING@", heading) + script_json(data) + after
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def _plain(sheet: Sheet) -> dict[str, Any]:
    return {
        "title": sheet.title,
        "note": sheet.note,
        "columns": [{"head": column.name, "number": column.right} for column in sheet.columns],
        "rows": [[{"text": cell.text, "value": cell.value, "bold": cell.bold} for cell in row] for row in sheet.rows],
    }
