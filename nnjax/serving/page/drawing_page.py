"""The drawing page, as a server sends it: one HTML file that asks for nothing but the server's own answers.

    status, headers, body = page_response()                # for GET /

The page sends these requests to the server that it came from, and expects these answers:

    GET models          {"models": [{"name", "task", "labels", "num_outputs", "num_trials", "metrics", "inputs": {"shape",
                        "dtype", "preparation", "features"}}, …]}: fields of `ModelFacts`; more of them do no harm
    POST predict?model=NAME&explain=true, the body a picture
                        {"model": NAME, "answers": [{
                          "label": "7", "probability": 0.998, "probabilities": [k numbers], "spread": [k numbers],
                          (for regression "values": [k numbers] instead of label and probabilities)
                          "warnings": [text, …], "notes": [text, …],
                          "steps": [{"name": text, "image": "data:image/png;base64,…"}, …], the last as the network sees it,
                          "looked": [[h × w numbers]], > 0 where the picture speaks for the label, < 0 against it
                        }]}
    400 and above       {"error": text}; the page shows the text. After 429 and 503 it asks again, after Retry-After seconds
                        if they are given. After 401 it asks the person for the token and sends "Authorization: Bearer TOKEN".

Paths are relative, so that the page works behind a proxy's prefix, too.
"""

import base64
import functools
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_PAGE = Path(__file__).with_name("page.html")


class PageResponse(NamedTuple):
    """A response as any web framework takes it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@functools.cache
def page_response() -> PageResponse:
    """The response to `GET /`; without authentication, since the page holds nothing secret.

    The policy allows the page's own script and style by their hashes, and requests to the page's own server alone.
    """
    body = _PAGE.read_bytes()
    policy = {
        "default-src": "'none'",
        "script-src": _hashes(body, b"script"),
        "style-src": _hashes(body, b"style"),
        "img-src": "data: blob:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }
    return PageResponse(200, headers, body)


def _hashes(page: bytes, tag: bytes) -> str:
    """The sources of a policy that allow the page's elements `tag`, by SHA-256 of their text."""
    texts = re.findall(rb"<" + tag + rb">(.*?)</" + tag + rb">", page, re.DOTALL)
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'" for text in texts)
