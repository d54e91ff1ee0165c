"""A progress bar on a terminal's stderr, and nothing anywhere else.

with progress_bar("decoding mnist", total=60_000) as advance:
    advance(1_000)
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(what: str, total: int, *, in_bytes: bool = False) -> Iterator[Callable[[int], None]]:
    """Shows a bar that vanishes at the end.

    Args:
        what: said in front of the bar.
        total: steps, or bytes, until it is full.
        in_bytes: count in MB and show the speed, as for a download.

    Yields:
        A function that advances the bar by so many steps.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import MofNCompleteColumn as CountColumn

    counts = (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (CountColumn(),)
    columns = (TextColumn("{task.description}"), BarColumn(), *counts, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda steps: progress.advance(task, steps)
