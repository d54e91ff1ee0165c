"""Keeps the programs of the last trainings, and frees what JAX keeps of others, for the jobs of a sweep or a search's trials.

reuse_programs()                          # before each training
"""

import gc
import sys

from nnjax.parallel.program_store import PROGRAMS

MOST = 16
"""Trainings after which JAX's own caches are emptied: 9 to 14 MB each for a small network, and its data on the device."""

_KEPT = 16  # programs; a training has four

_trainings = [0]  # since programs were last freed; here, since a launcher sends its workers copies of what a script holds


def reuse_programs() -> None:
    """Keeps compiled programs for trainings that need equal ones, and frees those of earlier trainings if there are many.

    Not for `nnjax.fit`: between two calls of it a person may have changed the code that a program was made from.
    """
    PROGRAMS.keep(_KEPT)
    _trainings[0] += 1
    if _trainings[0] > MOST and (jax := sys.modules.get("jax")) is not None:
        jax.clear_caches()
        gc.collect()
        _trainings[0] = 1
