"""Where nnjax keeps what it can make again.

cache_directory() / "compiled"
"""

import os
from pathlib import Path


def expanded(name: str | Path) -> Path:
    """A path, its ``~`` or ``~user`` replaced; left as it is where there is no such user, for which `Path` raises."""
    return Path(os.path.expanduser(name))  # noqa: PTH111


def cache_directory() -> Path:
    """`$NNJAX_CACHE`, else `$XDG_CACHE_HOME/nnjax`, else `~/.cache/nnjax`."""
    if own := os.environ.get("NNJAX_CACHE"):
        return expanded(own)
    return expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "nnjax"
