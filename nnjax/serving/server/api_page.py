"""The API's description as a page without scripts, which needs no network; the usual pages load theirs from elsewhere.

headers, body = api_page(document)                     # GET /docs
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 0 auto; padding: 1rem; }
h2 { border-top: 1px solid #8886; padding-top: 1rem; font-size: 1.1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { overflow-x: auto; padding: .75rem; background: #8882; border-radius: .4rem; }
.way { display: inline-block; min-width: 3.5rem; font-weight: 700; }
table { border-collapse: collapse; } td { padding: .1rem .8rem .1rem 0; vertical-align: top; }
"""

_EXAMPLES = """\
curl -F image=@photo.png ADDRESS/predict
curl --data-binary @photo.png -H 'Content-Type: image/png' 'ADDRESS/predict?explain=true'
curl --data-binary @new.csv -H 'Content-Type: text/csv' ADDRESS/predict
curl --json '{"rows": [[5.1, 3.5, 1.4, 0.2]]}' ADDRESS/predict"""


def api_page(document: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
    """The page's headers and body.

    Args:
        document: of `nnjax.serving.server.openapi`.
    """
    style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": f"default-src 'none'; style-src 'sha256-{style}'; frame-ancestors 'none'",
    }
    return headers, "\n".join(_lines(document)).encode()


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>nnjax: API</title><style>{_STYLE}</style>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1"></head><body><h1>nnjax: API</h1>'
    yield f"<p>{escape(document['info']['description'])}</p>"
    yield '<p>For programs: <a href="openapi.json">openapi.json</a>. For people: <a href="./">the page</a>.</p>'
    yield f"<pre>{escape(_EXAMPLES)}</pre>"
    for path, ways in document["paths"].items():
        for way, operation in ways.items():
            yield f'<h2><span class="way">{way.upper()}</span> <code>{escape(path)}</code></h2>'
            yield f"<p>{escape(operation['summary'])}</p>"
            yield from _table(
                "Parameters", {one["name"]: one.get("description", "") for one in operation.get("parameters", ())}
            )
            if "requestBody" in operation:
                yield f"<p>Body: {', '.join(f'<code>{kind}</code>' for kind in operation['requestBody']['content'])}</p>"
            yield from _table("Answers", {code: one["description"] for code, one in operation["responses"].items()})
    yield "<h2>Forms of JSON</h2>"
    for name, schema in document["components"]["schemas"].items():
        yield f"<details><summary><code>{name}</code></summary><pre>{escape(json.dumps(schema, indent=2))}</pre></details>"
    yield "</body></html>"


def _table(title: str, rows: Mapping[str, str]) -> Iterator[str]:
    if rows:
        cells = "".join(f"<tr><td><code>{escape(name)}</code></td><td>{escape(text)}</td></tr>" for name, text in rows.items())
        yield f"<p>{title}</p><table>{cells}</table>"
