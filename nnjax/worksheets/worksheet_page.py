"""Worksheets as a page that prints: one HTML file without scripts and requests; each sheet begins on a page of its own.

write_html(run_dir / "worksheet.html", "Two neurons", exercises=sheets, answers=sheets, paper="a4")
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from nnjax.reporting.files import replacing
from nnjax.worksheets.markup import to_html
from nnjax.worksheets.network_points import network_points
from nnjax.worksheets.sheet_parts import Sheet

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATE = Path(__file__).with_name("worksheet_page.html")


def write_html(path: Path, title: str, *, exercises: Sequence[Sheet], answers: Sequence[Sheet], paper: str) -> None:
    """Writes a page; equal sheets give equal bytes.

    Args:
        path: the HTML file; replaced atomically.
        title: of the page.
        exercises: the sheets whose exercises it shows, first.
        answers: those whose answers it shows.
        paper: "a4" or "letter".

    Raises:
        StorageError: if it cannot be written.
    """
    size = {"a4": "A4", "letter": "letter"}[paper]
    text = _template().render(title=title, exercises=exercises, answers=answers, paper=size)
    with replacing(path) as temporary:
        temporary.write_text(text.lstrip() + "\n", encoding="utf-8")


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["math"] = to_html  # which escapes all else
    environment.filters["points"] = network_points
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
