"""Progress bars on a terminal's stderr that vanish at the end, and nothing anywhere else.

    for record in track(records, "decoding mnist", total=60_000): ...

Imports rich: import this module inside the function that needs it.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import BinaryIO, TypeVar

from rich import progress
from rich.console import Console

T = TypeVar("T")


def track(items: Iterable[T], what: str, total: int) -> Iterable[T]:
    """Yields the items, and shows how many of `total` have been taken."""
    console = Console(stderr=True)
    return progress.track(items, what, total, console=console, transient=True, disable=not console.is_terminal)


def track_reading(file: BinaryIO, what: str, total: int) -> AbstractContextManager[BinaryIO]:
    """Returns the file, and shows how many of `total` bytes have been read, and how fast."""
    console = Console(stderr=True)
    return progress.wrap_file(file, total, description=what, console=console, transient=True, disable=not console.is_terminal)
