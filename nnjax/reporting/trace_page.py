"""An interactive page of a trace: one HTML file that needs no network and no other file.

write_trace_page(run_dir / "trace.html", trace)      # the dict of trace.json

The page's source is in live_page/; this module inserts the trace.
"""

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.reporting.files import replacing, script_json
from nnjax.reporting.page_source import page_source


def write_trace_page(path: Path, trace: Mapping[str, Any]) -> None:
    """Writes a trace's page: the network drawn, every number of every step, and all of them to be changed.

    The element `trace-data` holds the trace as JSON; numbers that are not finite become null.

    Args:
        path: the HTML file; replaced atomically.
        trace: the content of trace.json: title, settings, network, examples, iterations, final, rows, checks, exchange.

    Raises:
        TypeError: for a value without a counterpart in JSON.
    """
    text = page_source({"TITLE": html.escape(trace["title"]), "TRACE": script_json(trace)})
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
