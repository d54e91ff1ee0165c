"""Signs of work that takes long, on a terminal only: a bar that counts up to a known number, or the time that passes.

with counting(console, len(pictures)) as advance:
    advance()                                    # after each
with waiting(console, "simulating"):
    ...
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

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


@contextmanager
def waiting(console: RunConsole, what: str) -> Iterator[None]:
    """Shows what is done and for how long while the context lasts, and removes it at the end.

    Args:
        console: of the run.
        what: is done.
    """
    if not console.live:
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console.rich, transient=True) as progress:
        progress.add_task(what, total=None)
        yield
