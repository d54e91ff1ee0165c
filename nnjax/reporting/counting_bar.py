"""A bar that counts up to a known number, on a terminal only.

with counting(console, len(pictures)) as advance:
    advance()                                    # after each
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from nnjax.reporting.console import RunConsole

_FEW = 20  # done before a bar could be read


@contextmanager
def counting(console: RunConsole, total: int) -> Iterator[Callable[[], None]]:
    """Shows the bar while the context lasts, and removes it at the end; nothing for a few.

    Yields:
        A function that moves the bar by one.
    """
    if not console.live or total < _FEW:
        yield lambda: None
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console.rich, transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda: progress.advance(task)
