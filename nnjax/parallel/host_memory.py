"""Keeps the memory that a training frees, for its next use.

XLA's convolutions on the CPU take a buffer at each call, tens of megabytes for a CIFAR CNN, and free it. glibc hands such
a buffer, and the free end of a heap, back to the system, which clears every page before it gives it out again: 3 000 page
faults in a step, and a tenth of its time::

    keep_freed_memory()          # when a training starts
"""

import ctypes
import os
from collections.abc import Callable

from nnjax.config.cores import num_cores

_ENVIRONMENT = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_ARENA_MAX", "GLIBC_TUNABLES")
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8  # from glibc's malloc.h


def keep_freed_memory() -> None:
    """Sets glibc's malloc, for the whole process, to keep what it has from now on; what was freed earlier goes back.

    A CIFAR CNN then takes a quarter more memory. In a thread, buffers above 64 MiB go back as before. Nothing is set where the
    environment sets malloc, or limits the process's memory, as the heaps then reserve more than they use; nor with another
    C library, or an old glibc.
    """
    try:
        libc = ctypes.CDLL(None)
        mallopt, malloc_trim = libc.mallopt, libc.malloc_trim
    except (AttributeError, OSError, TypeError):
        return
    if any(name in os.environ for name in _ENVIRONMENT) or _is_limited():
        return
    if _set_to_keep(mallopt):
        malloc_trim(ctypes.c_size_t(0))


def _set_to_keep(mallopt: Callable[[int, int], int]) -> bool:
    # The first of these is refused by an old glibc. The others alone would do harm: each ends the adaption of the threshold.
    return bool(
        mallopt(_MMAP_THRESHOLD, 2**30)  # smaller buffers are parts of a heap
        and mallopt(_TRIM_THRESHOLD, 2**31 - 1)  # free bytes at the end of the heap before they go back
        and mallopt(_TOP_PAD, 2**26)  # the heap of a thread has 64 MiB, and goes back when it is empty; with this it does not
        and mallopt(_ARENA_MAX, max(2, num_cores()))  # at most so many heaps, as each keeps what it had
    )


def _is_limited() -> bool:
    """Whether the process has a limit on its memory."""
    import resource

    return any(resource.getrlimit(limit)[0] != resource.RLIM_INFINITY for limit in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
