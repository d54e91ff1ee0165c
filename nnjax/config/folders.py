"""Where nnjax keeps what it can make again.

cache_directory() / "compiled"
"""

import os
from pathlib import Path


def cache_directory() -> Path:
    """`$NNJAX_CACHE`, else `$XDG_CACHE_HOME/nnjax`, else `~/.cache/nnjax`."""
    if own := os.environ.get("NNJAX_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "nnjax"
