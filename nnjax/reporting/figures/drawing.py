"""matplotlib without a screen, independent of the environment and the user's settings.

with plain_matplotlib({"font.size": 9}):
    figure = Figure(figsize=(6, 4))

Figures need no interactive backend, so MPLBACKEND is hidden from matplotlib during the import and applied afterwards, if it is
valid. A user's matplotlibrc is read, for other drawing in the same process, but does not affect our figures.
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

_NOT_STYLE = frozenset({"backend", "date.epoch"})  # date.epoch can be set only once in a process


def import_matplotlib() -> None:
    """Imports matplotlib and its fonts, once; the environment is restored afterwards."""
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

            with suppress(ValueError):  # an unknown backend
                matplotlib.rcParams["backend"] = backend


@contextmanager
def plain_matplotlib(style: Mapping[str, Any]) -> Iterator[None]:
    """Sets matplotlib's defaults with the changes `style`, and restores the user's settings at the end.

    Args:
        style: values by name, as in `matplotlib.rcParams`.
    """
    import_matplotlib()
    import matplotlib

    with _quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)  # some settings are deprecated
        defaults = {name: matplotlib.rcParamsDefault[name] for name in matplotlib.rcParamsDefault if name not in _NOT_STYLE}
        settings: Any = {**defaults, **style}
        context = matplotlib.rc_context(settings)
        context.__enter__()
    try:
        with _quiet():
            yield
    finally:
        context.__exit__(None, None, None)


def _import_without_settings() -> None:
    """Imports matplotlib without the user's settings, and with a new folder for its font list."""
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
    """Silences matplotlib's warnings about fonts, folders and settings, which are of no use to a run."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
