import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

from nnjax.parallel.host_memory import keep_freed_memory

_TAKEN_AND_FREED = """
import ctypes, resource, threading
from nnjax.parallel.host_memory import keep_freed_memory

def take_and_free(times):
    for _ in range(times):
        memory = libc.malloc(size)
        ctypes.memset(memory, 1, size)
        libc.free(memory)

def measure():
    take_and_free(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    take_and_free(5)
    # the page faults of taking, filling and freeing 40 MiB five times
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

libc, size = ctypes.CDLL(None), 40 * 2**20
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
"""
_IN_A_THREAD = "thread = threading.Thread(target=measure); thread.start(); thread.join()"

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")


def printed(program, **environment):
    """The number that a program prints."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", _TAKEN_AND_FREED + program]
    return int(subprocess.run(command, env=usual | environment, capture_output=True, text=True, check=True).stdout)


@glibc
@pytest.mark.parametrize("measure", ["measure()", _IN_A_THREAD], ids=["main thread", "another"])
def test_a_large_buffer_that_is_taken_again_and_again_costs_page_faults_once(measure):
    assert printed(measure) > 5000
    assert printed(f"keep_freed_memory(); {measure}") < 100


@glibc
@pytest.mark.parametrize(
    "environment",
    [{"MALLOC_MMAP_THRESHOLD_": "1000000"}, {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=1000000"}],
    ids=lambda said: next(iter(said)),
)
def test_what_the_environment_says_stays(environment):
    assert printed("keep_freed_memory(); measure()", **environment) > 5000


@glibc
def test_memory_with_a_limit_is_not_reserved_ahead():
    limited = "resource.setrlimit(resource.RLIMIT_DATA, (2**32, resource.getrlimit(resource.RLIMIT_DATA)[1])); "
    assert printed(f"{limited}keep_freed_memory(); measure()") > 5000


@glibc
def test_what_an_earlier_training_kept_goes_back():
    resident = "int(open('/proc/self/statm').read().split()[1]) * resource.getpagesize()"
    kept = f"keep_freed_memory(); take_and_free(1); before = {resident}; "
    freed = printed(f"{kept}keep_freed_memory(); print(before - {resident})")
    assert freed > 30 * 2**20


def test_an_old_glibc_that_refuses_the_threshold_keeps_adapting_it(monkeypatch):
    asked = []

    def mallopt(option, value):
        asked.append((option, value))
        return 0

    libc = SimpleNamespace(mallopt=mallopt, malloc_trim=None)
    monkeypatch.setattr("nnjax.parallel.host_memory.ctypes.CDLL", lambda _: libc)
    monkeypatch.setattr("nnjax.parallel.host_memory._is_limited", lambda: False)
    monkeypatch.setattr("nnjax.parallel.host_memory._ENVIRONMENT", ())
    keep_freed_memory()
    assert asked == [(-3, 2**30)]


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr("nnjax.parallel.host_memory.ctypes.CDLL", lambda _: object())
    keep_freed_memory()
