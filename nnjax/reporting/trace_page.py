"""The page that walks through a trace: one HTML file that needs no network and no other file.

write_trace_page(run_dir / "trace.html", trace)      # the dict of trace.json

What the page does is in trace_page.html; here the trace is put into it.
"""

import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.reporting.files import replacing, to_json

_TEMPLATE = Path(__file__).with_name("trace_page.html")
# Inside <script> only "<" can end the element or open a comment; the others keep the data plain to every parser.
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def write_trace_page(path: Path, trace: Mapping[str, Any]) -> None:
    """Writes the page of a trace: the network drawn, sliders over iterations and steps, every row in a table.

    The trace stands in the page as JSON, in the element `trace-data`; numbers that are not finite are null there.

    Args:
        path: the HTML file; an older one is replaced once the new one is whole.
        trace: what trace.json holds: title, settings, network, examples, iterations, final, rows, checks, exchange.

    Raises:
        TypeError: for what has no counterpart in JSON.
    """
    before, between, after = re.split("@TITLE@|@TRACE@", _TEMPLATE.read_text(encoding="utf-8"))
    data = to_json(trace).translate(_ESCAPES)
    with replacing(path) as temporary:
        temporary.write_text(before + html.escape(trace["title"]) + between + data + after, encoding="utf-8")
