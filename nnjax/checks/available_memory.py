"""Measures how much memory this process may still take: the machine's, its cgroups' and its own limit; without JAX.

    room = host_room()                       # Room(24272031744, "this machine has 24.3 GB of memory free")
    room.bytes, size_text(room.bytes)

Containers and Slurm limit a process by cgroups, version 1 or 2. psutil does not read their files.
"""

import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nnjax.config.storage import size_text

_ADDRESSES = 1_300 * 10**6  # bytes of address space (not of memory) that loading JAX, XLA and Orbax takes
_UNLIMITED = 2**60  # version 1 writes a huge number where there is no limit


@dataclass(frozen=True)
class Room:
    """Memory that may still be taken.

    Attributes:
        bytes: its size.
        text: where it is and how much, for a message: "this machine has 24.3 GB of memory free".
    """

    bytes: int
    text: str


def host_room(root: Path = Path("/")) -> Room:
    """Returns the host memory and swap that this process may still take: the smallest of all limits.

    Args:
        root: the folder that holds /proc and /sys; for tests.
    """
    import psutil  # its import takes 20 ms, which --help does not need

    with warnings.catch_warnings():  # psutil warns about counters that a container hides; they are not needed here
        warnings.simplefilter("ignore", RuntimeWarning)
        swap = psutil.swap_memory().free
    free = psutil.virtual_memory().available + swap
    rooms = [Room(free, f"this machine has {size_text(free)} of memory free")]
    groups = [max(0, left) + swap for left in _cgroups_left(root)]
    if groups:
        rooms.append(Room(min(groups), f"the limit of this container or job (its cgroup) leaves {size_text(min(groups))}"))
    rooms += _own_limits()
    return min(rooms, key=lambda room: room.bytes)


def _own_limits() -> Iterator[Room]:
    """Yields the memory that `ulimit -v` and `ulimit -d` leave."""
    if sys.platform == "win32":
        return
    import resource

    import psutil

    used = psutil.Process().memory_info()
    addresses = used.vms + (0 if "jax" in sys.modules else _ADDRESSES)
    limits = {"v": (resource.RLIMIT_AS, addresses), "d": (resource.RLIMIT_DATA, getattr(used, "data", 0))}
    for flag, (limit, taken) in limits.items():
        most, _ = resource.getrlimit(limit)
        if most != resource.RLIM_INFINITY:
            left = max(0, most - taken)
            libraries = ", the addresses of JAX's libraries taken off" if flag == "v" and "jax" not in sys.modules else ""
            yield Room(left, f"its limit (ulimit -{flag}) leaves this process {size_text(left)}{libraries}")


def _cgroups_left(root: Path) -> Iterator[int]:
    """Yields the bytes that each cgroup of this process, and each cgroup above, leaves; its file cache counts as free."""
    for folder in _cgroups(root):
        for limit, usage, cached in (
            ("memory.max", "memory.current", ("active_file", "inactive_file")),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_active_file", "total_inactive_file")),
        ):
            most, used = _number(folder / limit), _number(folder / usage)
            if most is not None and used is not None and most < _UNLIMITED:
                yield most - used + _cached(folder / "memory.stat", cached)


def _cgroups(root: Path) -> Iterator[Path]:
    """Yields the folders of this process's cgroups and of the cgroups above them."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if number == "0" or "memory" in controllers.split(","):
            mount = root / "sys/fs/cgroup" / ("" if number == "0" else "memory")
            # In a container the name may be the host's, whose folders are missing there; then the mounted folder is its own.
            folder = mount / name.strip("/")
            yield from (place for place in (folder, *folder.parents) if place.is_relative_to(mount) and place.is_dir())


def _number(path: Path) -> int | None:
    """Reads a file that holds one number; returns None for "max" and for a missing file."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _cached(path: Path, names: tuple[str, ...]) -> int:
    try:
        pairs = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return 0
    return sum(int(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] in names)
