"""Where nnjax keeps what it can make again.

cache_directory() / "compiled"
"""

import os
import tempfile
from pathlib import Path


def cache_directory() -> Path:
    """`$NNJAX_CACHE`, else `$XDG_CACHE_HOME/nnjax`, else `~/.cache/nnjax`; it need not be there.

    A person without a home has `nnjax-NUMBER` in the folder for temporary files.
    """
    own, base = os.environ.get("NNJAX_CACHE"), os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return Path(own).expanduser() if own else Path(base).expanduser() / "nnjax"
    except RuntimeError:  # no HOME, and the system knows of none
        return Path(tempfile.gettempdir()) / f"nnjax-{os.getuid() if hasattr(os, 'getuid') else 0}"
