"""Atomic file writes, and strict JSON.

with replacing(run_dir / "summary.json") as temporary:
    temporary.write_text(to_json(summary))
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nnjax.config.storage import writing
from nnjax.config.stored_files import replaced

# Inside <script> only "<" can end the element or open a comment; the others are escaped for XML and JavaScript parsers.
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, and moves it to `path` at the end.

    On an exception the old file at `path` stays, and the temporary file is deleted.

    Raises:
        StorageError: if a file cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as temporary:
            yield temporary


def to_json(value: Any, *, indent: int | None = None) -> str:
    """`value` as strict JSON: NaN and infinities become null, arrays become lists, paths become text.

    Raises:
        TypeError: for a value without a counterpart in JSON.
    """
    text = json.dumps(_plain(value), indent=indent, allow_nan=False, ensure_ascii=False)
    # A file name that is not UTF-8 contains half a surrogate pair: it cannot be encoded, but JSON can escape it.
    return text.encode("utf-8", "backslashreplace").decode()


def script_json(value: Any) -> str:
    """`value` as `to_json` writes it, for a <script> element of a page.

    Raises:
        TypeError: for a value without a counterpart in JSON.
    """
    return to_json(value).translate(_ESCAPES)


def _plain(value: Any) -> Any:
    match value:
        case float():
            return float(value) if math.isfinite(value) else None
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case Path():
            return str(value)
    return _plain(value.tolist()) if hasattr(value, "tolist") else value
