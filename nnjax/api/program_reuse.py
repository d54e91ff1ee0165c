"""Keeps the programs of the last trainings, and frees what JAX keeps of others, for the jobs of a sweep or a search's trials.

with reused_programs():
    run_training(config, run_dir, console)
"""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nnjax.parallel.program_store import PROGRAMS, LoadedCode

MOST = 16
"""Trainings after which JAX's own caches are emptied: 9 to 14 MB each for a small network, and its data on the device."""

_KEPT = 24  # programs; a training has five

_trainings = [0]  # since programs were last freed; here, since a launcher sends its workers copies of what a script holds


@contextmanager
def reused_programs(code: Callable[[], str | None] | None = None) -> Iterator[None]:
    """A training inside takes the programs of earlier ones that needed equal ones; others of them are freed if there are many.

    Not for `nnjax.fit`: between two calls of it a person may have changed the code that a program was made from.

    Args:
        code: says which version of the code this process has loaded, if programs of other processes count, too.
    """
    _trainings[0] += 1
    if _trainings[0] > MOST and (jax := sys.modules.get("jax")) is not None:
        jax.clear_caches()
        gc.collect()
        _trainings[0] = 1
    with PROGRAMS.kept(_KEPT, None if code is None else LoadedCode(code)):
        yield
