"""What a lab has made, in a file, so that the next start clears it if this process is killed.

    with recorded("1f3a", ["nnl-1f3a-hub", …], hosts) as record:
        record.add_process(pid)
        …
    clear_leftovers()                                   # ["nnl-77aa-hub", …]: removed

A lab that lives holds a lock on its file; the lock of a dead one is free, however it died. Nothing is removed, and no process
is ended, that such a file does not name; a process counts only with the start time that stands there, since numbers are reused.
"""

import fcntl
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from nnjax.config.errors import UserError
from nnjax.interconnect.netlab.topology import PREFIX

STATE_DIR = Path("/run/nnjax-netlab")
_NAMESPACE = re.compile(rf"{PREFIX}[0-9a-f]+-(hub|\d+)")


class Record:
    """The file of a lab that lives.

    Args:
        path: the file.
        namespaces: that the lab makes.
        hosts: content of the lab's /etc/hosts, which lies beside the record.
    """

    def __init__(self, path: Path, namespaces: Sequence[str], hosts: str) -> None:
        self._path, self.namespaces = path, list(namespaces)
        self.hosts_file = _hosts_file(path)
        self._processes: list[tuple[int, int]] = []
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_suffix(".new")  # it has the lock and its content before a start elsewhere sees it
        self._file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._write()
        os.link(new, path)  # fails where another lab has the name
        new.unlink()
        self.hosts_file.write_text(hosts)

    def add_process(self, pid: int) -> None:
        """Notes a process of the lab."""
        if (started := start_time(pid)) is not None:
            self._processes.append((pid, started))
            self._write()

    def clear(self) -> None:
        """Ends the lab's processes, removes its namespaces with all interfaces in them, and the file; once."""
        if self._file < 0:
            return
        remove(self.namespaces, self._processes)
        self.hosts_file.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)
        os.close(self._file)
        self._file = -1

    def _write(self) -> None:
        content = json.dumps({"namespaces": self.namespaces, "processes": self._processes}).encode()
        os.pwrite(self._file, content, 0)
        os.ftruncate(self._file, len(content))
        os.fsync(self._file)


@contextmanager
def recorded(token: str, namespaces: Sequence[str], hosts: str) -> Iterator[Record]:
    """Opens a lab's record; clears everything in it at the end."""
    record = Record(STATE_DIR / f"{token}.json", namespaces, hosts)
    try:
        yield record
    finally:
        record.clear()


def clear_leftovers() -> list[str]:
    """Removes what labs left whose process is gone; returns the names of the namespaces that were there."""
    cleared: list[str] = []
    for path in sorted(STATE_DIR.glob("*.json")) if STATE_DIR.is_dir() else []:
        with suppress(OSError):
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails for a lab that lives
                cleared += _clear_file(path)
            finally:
                os.close(file)
    return cleared


def remove(namespaces: Sequence[str], processes: Sequence[tuple[int, int]]) -> list[str]:
    """Ends processes and removes namespaces; returns the names of those that were there.

    Processes inside of a namespace end first: it would live on with them.
    """
    for pid, started in processes:
        if start_time(pid) == started:
            _kill(pid)
    present = [name for name in namespaces if _NAMESPACE.fullmatch(name) and Path("/run/netns", name).exists()]
    for name in present:
        found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False)
        for word in found.stdout.split():
            _kill(int(word))
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return present


def start_time(pid: int) -> int | None:
    """When a process started, in ticks since the machine did; None if there is none."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def left_namespaces() -> list[str]:
    """The namespaces with the lab's prefix that are there now."""
    folder = Path("/run/netns")
    return sorted(path.name for path in folder.iterdir() if _NAMESPACE.fullmatch(path.name)) if folder.is_dir() else []


def _clear_file(path: Path) -> list[str]:
    try:
        content = json.loads(path.read_text())
        namespaces = [str(name) for name in content["namespaces"]]
        processes = [(int(pid), int(started)) for pid, started in content["processes"]]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: is damaged; look at `ip netns list` for names with {PREFIX}, and remove both") from None
    cleared = remove(namespaces, processes)
    _hosts_file(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    return cleared


def _hosts_file(path: Path) -> Path:
    return path.with_suffix(".hosts")


def _kill(pid: int) -> None:
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)
