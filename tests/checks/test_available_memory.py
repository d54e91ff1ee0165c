import subprocess
import sys
import warnings

import psutil
import pytest

from nnjax.checks.available_memory import host_room
from nnjax.config.storage import size_text

GB = 10**9


@pytest.fixture
def machine(monkeypatch):
    """A machine with 20 GB free and 1 GB of swap."""
    memory = psutil.virtual_memory()._replace(available=20 * GB)
    swap = psutil.swap_memory()._replace(free=GB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(psutil, "swap_memory", lambda: swap)


def write(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


def v2(folder, most, used, stat="inactive_file 0"):
    place = f"sys/fs/cgroup{folder}"
    return {f"{place}/memory.max": most, f"{place}/memory.current": used, f"{place}/memory.stat": stat}


def v1(folder, most, used, stat="total_inactive_file 0"):
    place = f"sys/fs/cgroup/memory{folder}"
    return {
        f"{place}/memory.limit_in_bytes": most,
        f"{place}/memory.usage_in_bytes": used,
        f"{place}/memory.stat": stat,
    }


CGROUPS = {
    "none": ({}, 21 * GB),
    "no limit": ({"proc/self/cgroup": "0::/job", **v2("/job", "max", 3 * GB)}, 21 * GB),
    "version 2": ({"proc/self/cgroup": "0::/job", **v2("/job", 8 * GB, 3 * GB)}, 6 * GB),
    "its cache of files is free": (
        {"proc/self/cgroup": "0::/job", **v2("/job", 8 * GB, 3 * GB, f"active_file {GB}\ninactive_file {GB}\nanon 5")},
        8 * GB,
    ),
    "the one around it": (
        {"proc/self/cgroup": "0::/slurm/job/step", **v2("/slurm/job/step", "max", GB), **v2("/slurm/job", 4 * GB, GB)},
        4 * GB,
    ),
    "used up": ({"proc/self/cgroup": "0::/job", **v2("/job", 3 * GB, 4 * GB)}, GB),
    "in a container, with the host's name": ({"proc/self/cgroup": "0::/docker/1234", **v2("", 8 * GB, 3 * GB)}, 6 * GB),
    "version 1": ({"proc/self/cgroup": "5:cpu:/\n4:memory:/job", **v1("/job", 8 * GB, 2 * GB)}, 7 * GB),
    "version 1, no limit": ({"proc/self/cgroup": "4:memory:/job", **v1("/job", 2**63 - 4096, 2 * GB)}, 21 * GB),
    "version 1, cache": (
        {"proc/self/cgroup": "4:cpu,memory:/", **v1("", 8 * GB, 2 * GB, f"total_inactive_file {GB}\ntotal_active_file 0")},
        8 * GB,
    ),
    "unreadable": ({"proc/self/cgroup": "0::/job", **v2("/job", "soon", "?")}, 21 * GB),
}


@pytest.mark.parametrize("name", CGROUPS)
def test_the_tightest_limit_counts(name, tmp_path, machine):
    files, expected = CGROUPS[name]
    room = host_room(write(tmp_path, files))
    assert room.bytes == expected
    assert ("cgroup" in room.text) == (expected < 21 * GB)
    assert size_text(expected) in room.text


def test_this_machine_has_something_free():
    assert 0 < host_room().bytes <= psutil.virtual_memory().total + psutil.swap_memory().total


def test_counters_of_swap_that_a_container_hides_are_no_matter(monkeypatch):
    swap = psutil.swap_memory()

    def warn():
        warnings.warn("'sin' and 'sout' swap memory stats couldn't be determined", RuntimeWarning, stacklevel=1)
        return swap

    monkeypatch.setattr(psutil, "swap_memory", warn)
    assert host_room().bytes > 0


@pytest.mark.parametrize(("limit", "flag"), [("RLIMIT_AS", "-v"), ("RLIMIT_DATA", "-d")])
def test_the_process_own_limit_counts(limit, flag):
    code = (
        f"import resource; resource.setrlimit(resource.{limit}, (4 * 10**9, 4 * 10**9))\n"
        "from nnjax.checks.available_memory import host_room\nroom = host_room(); print(room.bytes, room.text)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    size, text = done.stdout.split(maxsplit=1)
    libraries = 10**9 if flag == "-v" else 0  # of addresses, at least
    assert 10**9 < int(size) < 4 * 10**9 - libraries
    assert f"ulimit {flag}" in text
    assert ("taken off" in text) == (flag == "-v")


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1500, "1.5 kB"), (15 * 10**10, "150.0 GB")]
)
def test_sizes_are_written_for_readers(size, text):
    assert size_text(size) == text
