"""Refuses a data file that is larger than the memory, before it is read.

problems = list(file_problems(config.data, config.parallel.memory_limit))
# data.file=all.csv: has 60.0 GB, and this machine has 24.3 GB of memory free; …
"""

from collections.abc import Iterator
from pathlib import Path

from nnjax.checks.available_memory import Room, host_room
from nnjax.config.data_options import Data, SeriesData
from nnjax.config.diagnostics import Problem
from nnjax.config.parallel_options import MemoryLimit
from nnjax.config.storage import size_text
from nnjax.config.types import MemorySize

LIMIT_KEY = "parallel.memory_limit"


def file_problems(data: Data, limit: MemoryLimit) -> Iterator[Problem]:
    """Yields a problem if the person's own data file is larger than the memory.

    Args:
        data: the data options.
        limit: the value of `parallel.memory_limit`.
    """
    if not isinstance(data, SeriesData) or limit == "off":
        return
    try:
        size = Path(data.file).expanduser().stat().st_size
    except OSError:  # reading the file reports that
        return
    room = Room(limit.bytes, f"{LIMIT_KEY} allows {limit}") if isinstance(limit, MemorySize) else host_room()
    if size > room.bytes:
        reason = f"has {size_text(size)}, and {room.text}; keep the rows and columns that are needed"
        yield Problem("data.file", data.file, f"{reason}, or try all the same with {LIMIT_KEY}=off")
