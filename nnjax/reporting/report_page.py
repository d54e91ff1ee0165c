"""Writes a page of a report: one HTML file that needs no network, no other file and no script.

write_page(run_dir / "report.html", Page("cnn on mnist", "99.1 % right", ("completed", True), sections=[…]))

The page opens where scripts are forbidden, as in a mail program, and prints. Its layout is in report_page.html; Jinja escapes
all text.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from nnjax.reporting.files import replacing
from nnjax.reporting.page_blocks import Page

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATE = Path(__file__).with_name("report_page.html")
MOST_BYTES = 1_000_000
"""A page's largest size; parts that grow with the run are cut to a fixed number before."""


def write_page(path: Path, page: Page) -> None:
    """Writes a page.

    Args:
        path: the HTML file; replaced atomically.
        page: its content.

    Raises:
        StorageError: if it cannot be written.
    """
    text = _template().render(page=page)
    with replacing(path) as temporary:
        # A file name that is not UTF-8 contains half a surrogate pair, which cannot be encoded.
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
