"""A profile of what the devices do, for Perfetto or TensorBoard; a run does not depend on it.

with profiled(run_dir / "profile", console.warn):
    ...
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jax


@contextmanager
def profiled(folder: Path, warn: Callable[[str], None]) -> Iterator[None]:
    """Records what is computed in the context; one that cannot be written is named in a warning.

    Args:
        folder: where it is written, at the end.
        warn: called with a line if that fails.
    """
    jax.profiler.start_trace(str(folder))
    try:
        yield
    finally:
        try:
            jax.profiler.stop_trace()
        except Exception as error:  # of several libraries, a full disk among them
            warn(f"{folder}: no profile was written: {str(error).partition(chr(10))[0]}")
