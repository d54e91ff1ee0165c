"""An interactive page of a trace: one HTML file that needs no network and no other file.

write_trace_page(run_dir / "trace.html", trace)      # the dict of trace.json

The page's program is in trace_page.html; this module inserts the trace.
"""

import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.reporting.files import replacing, script_json

_TEMPLATE = Path(__file__).with_name("trace_page.html")


def write_trace_page(path: Path, trace: Mapping[str, Any]) -> None:
    """Writes a trace's page: a drawing of the network, sliders over iterations and steps, and a table of all rows.

    The element `trace-data` holds the trace as JSON; numbers that are not finite become null.

    Args:
        path: the HTML file; replaced atomically.
        trace: the content of trace.json: title, settings, network, examples, iterations, final, rows, checks, exchange.

    Raises:
        TypeError: for a value without a counterpart in JSON.
    """
    before, between, after = re.split("@TITLE@|@TRACE@", _TEMPLATE.read_text(encoding="utf-8"))
    data = script_json(trace)
    with replacing(path) as temporary:
        temporary.write_text(before + html.escape(trace["title"]) + between + data + after, encoding="utf-8")
