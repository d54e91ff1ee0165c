"""Keeps the memory that the process frees, for its next use.

XLA's convolutions on the CPU take a buffer at each call, tens of megabytes for a CIFAR CNN, and free it. glibc hands such
a buffer, and the free end of a heap, back to the system, which clears every page before it gives it out again: 3 000 page
faults in a step, and a tenth of its time::

    keep_freed_memory()          # once, before threads start
"""

import ctypes
import os

from nnjax.config.cores import num_cores

_MALLOC_H = {"MALLOC_TRIM_THRESHOLD_": -1, "MALLOC_TOP_PAD_": -2, "MALLOC_MMAP_THRESHOLD_": -3, "MALLOC_ARENA_MAX": -8}
"""Numbers of glibc's options for `mallopt`, by the variables of the environment that set them, too."""


def keep_freed_memory() -> bool:
    """Sets glibc's malloc, for the whole process, to keep what it has; a CIFAR CNN then takes a quarter more.

    What the environment says, by these variables or GLIBC_TUNABLES, stays.

    Returns:
        Whether the allocator could be set; False with another C library.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    values = {
        "MALLOC_TRIM_THRESHOLD_": 2**31 - 1,  # free bytes at the end of a heap before they go back: the largest number it takes
        "MALLOC_TOP_PAD_": 2**26,  # the heap of a thread has 64 MiB, and goes back when it is empty; with this it does not
        "MALLOC_MMAP_THRESHOLD_": 2**30,  # smaller buffers are parts of a heap
        "MALLOC_ARENA_MAX": max(2, num_cores()),  # heaps: each keeps what it had, so threads share them
    }
    if "glibc.malloc" not in os.environ.get("GLIBC_TUNABLES", ""):
        for name, value in values.items():
            if name not in os.environ:
                mallopt(_MALLOC_H[name], value)
    return True
