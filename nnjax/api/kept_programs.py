"""Frees what JAX keeps of earlier programs, for a process that trains again and again: the jobs of a sweep, a search's trials.

free_programs()                           # before each training
"""

import gc
import sys

MOST = 16
"""Trainings whose programs are kept: 9 to 14 MB each for a small network, and its data on the device."""

_trainings = [0]  # since programs were last freed; here, since a launcher sends its workers copies of what a script holds


def free_programs() -> None:
    """Frees the programs of earlier trainings if there are many; equal ones are then read from the disk again."""
    _trainings[0] += 1
    if _trainings[0] > MOST and (jax := sys.modules.get("jax")) is not None:
        jax.clear_caches()
        gc.collect()
        _trainings[0] = 1
