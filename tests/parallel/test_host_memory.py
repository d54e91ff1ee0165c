import os
import platform
import subprocess
import sys

import pytest

from nnjax.parallel.host_memory import keep_freed_memory

_TAKEN_AND_FREED = """
import ctypes, resource
from nnjax.parallel.host_memory import keep_freed_memory

def take_and_free():
    memory = libc.malloc(size)
    ctypes.memset(memory, 1, size)
    libc.free(memory)

libc, size = ctypes.CDLL(None), 40 * 2**20
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
keep_freed_memory() if {keep} else None
take_and_free()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    take_and_free()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")


def page_faults(*, keep, **environment):
    """The page faults of taking, filling and freeing 40 MiB five times."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", _TAKEN_AND_FREED.format(keep=keep)]
    return int(subprocess.run(command, env=usual | environment, capture_output=True, text=True, check=True).stdout)


@glibc
def test_a_large_buffer_that_is_taken_again_and_again_costs_page_faults_once():
    assert page_faults(keep=False) > 5000
    assert page_faults(keep=True) < 100


@glibc
@pytest.mark.parametrize(
    "environment",
    [{"MALLOC_MMAP_THRESHOLD_": "1000000"}, {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=1000000"}],
    ids=lambda said: next(iter(said)),
)
def test_what_the_environment_says_stays(environment):
    assert page_faults(keep=True, **environment) > 5000


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr("nnjax.parallel.host_memory.ctypes.CDLL", lambda _: object())
    assert not keep_freed_memory()
