"""Files that are whole or not there, and JSON that every reader takes.

with replacing(run_dir / "summary.json") as temporary:
    temporary.write_text(to_json(summary))
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to, which takes its place on leaving.

    On an exception what stood at `path` stays as it was, and the temporary file goes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def to_json(value: Any, *, indent: int | None = None) -> str:
    """`value` as strict JSON: NaN and infinities, which JSON lacks, become null; arrays become lists, paths text.

    Raises:
        TypeError: for what has no counterpart in JSON.
    """
    text = json.dumps(_plain(value), indent=indent, allow_nan=False, ensure_ascii=False)
    # A file's name that is no UTF-8 is half a surrogate pair, which no file can hold and JSON can escape.
    return text.encode("utf-8", "backslashreplace").decode()


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
