"""matplotlib as a run needs it: without a screen, and whatever the environment and a person's own settings say.

with plain_matplotlib({"font.size": 9}):
    figure = Figure(figsize=(6, 4))

Figures are drawn without a backend for screens, so MPLBACKEND is kept from matplotlib while it is imported, and handed on
afterwards where it names one. A matplotlibrc is read, for whoever draws in the same process, and has no say in our figures.
"""

import atexit
import logging
import os
import shutil
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

_LOCK = threading.RLock()  # a thread imports it ahead of the first figure

_NO_LOOK = frozenset({"backend", "date.epoch"})  # the latter can be chosen once in a process


def import_matplotlib() -> None:
    """Imports matplotlib and its fonts, if nobody has; afterwards the environment is what it was."""
    with _LOCK, _quiet():
        if "matplotlib.font_manager" in sys.modules:
            return
        backend = os.environ.pop("MPLBACKEND", None)
        try:
            try:
                import matplotlib.font_manager
            except Exception:  # a matplotlibrc of bytes, a folder for settings that is a circle of links
                _import_without_settings()
        finally:
            if backend is not None:
                os.environ["MPLBACKEND"] = backend
        if backend:
            import matplotlib

            with suppress(ValueError):  # no such backend, here
                matplotlib.rcParams["backend"] = backend


@contextmanager
def plain_matplotlib(look: Mapping[str, Any]) -> Iterator[None]:
    """The settings that matplotlib comes with, and these changes, whatever a person's are; theirs return at the end.

    Args:
        look: from the names of `matplotlib.rcParams` to values.
    """
    import_matplotlib()
    import matplotlib

    with _quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)  # some settings are on their way out
        defaults = {name: matplotlib.rcParamsDefault[name] for name in matplotlib.rcParamsDefault if name not in _NO_LOOK}
        settings: Any = {**defaults, **look}
        context = matplotlib.rc_context(settings)
        context.__enter__()
    try:
        with _quiet():
            yield
    finally:
        context.__exit__(None, None, None)


def _import_without_settings() -> None:
    """Imports matplotlib as if nobody had set anything: its package only, and a new folder for its list of fonts."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        del sys.modules[name]
    folder = tempfile.mkdtemp(prefix="matplotlib-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    before = os.environ.get("MPLCONFIGDIR")
    exists, this_thread = os.path.exists, threading.get_ident()

    def no_settings(path: Any) -> bool:
        named = str(path).endswith("matplotlibrc") or path == os.environ.get("MATPLOTLIBRC")
        hidden = named and "mpl-data" not in str(path) and threading.get_ident() == this_thread
        return not hidden and exists(path)

    os.environ["MPLCONFIGDIR"] = folder
    os.path.exists = no_settings
    try:
        import matplotlib.font_manager  # noqa: F401
    finally:
        os.path.exists = exists
        if before is None:
            del os.environ["MPLCONFIGDIR"]
        else:
            os.environ["MPLCONFIGDIR"] = before


@contextmanager
def _quiet() -> Iterator[None]:
    """Has matplotlib's warnings of fonts, folders and settings left unsaid: none of them is of use to a run."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
