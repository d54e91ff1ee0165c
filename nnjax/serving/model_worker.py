"""The process of `nnjax.serving.model_process`: reads a model, then answers inputs until there are no more.

python -m nnjax.serving.model_worker model.nnjax 3f9a… check
"""

import gc
import os
import select
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.config.errors import UserError
from nnjax.serving.facts import InputFacts
from nnjax.serving.model_file import ModelFile
from nnjax.serving.model_process import ERROR, HEAD, OUTPUTS, READY, framed
from nnjax.serving.program import SIZES

_MEMORY = 2**32  # bytes that this process may take besides four times the file, and the stacks of threads
_STACK = 2**23  # bytes of a thread's, where the system has no limit
_STACKS = 4  # for each core: XLA has two threads for each, and NumPy's linear algebra may have another


def _main(path: Path, digest: str, what: str) -> None:
    """The process: reads the model, then answers inputs until there are no more."""
    _bound_memory(path)
    threading.Thread(target=_end_with_the_caller, daemon=True).start()
    gc.disable()  # what is imported stays: the search for garbage takes a fifth of JAX's import
    # What a library prints must not come between the frames.
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)

        def send(letter: bytes, content: bytes) -> None:
            out.write(framed(letter, content))
            out.flush()

        try:
            _answer(path, digest, what, send)
        except UserError as error:
            send(ERROR, str(error).encode())
        except MemoryError:
            send(ERROR, b"its program takes more memory than a model may")


def _answer(path: Path, digest: str, what: str, send: Callable[[bytes, bytes], None]) -> None:
    file = ModelFile(path)
    if file.digest != digest:
        raise UserError("it was changed while it was read")
    run = file.program()
    if what == "check":
        _compute_all_sizes(run, file.facts.inputs)
        send(READY, b"")
        return
    send(READY, b"")
    gc.freeze()
    gc.enable()
    inputs = file.facts.inputs
    while head := sys.stdin.buffer.read(HEAD):
        content = sys.stdin.buffer.read(int.from_bytes(head[1:], "little"))
        array = np.frombuffer(content, inputs.dtype).reshape(-1, *inputs.shape)
        send(OUTPUTS, np.ascontiguousarray(run(array), "<f4").tobytes())


def _compute_all_sizes(run: Callable[[NDArray[Any]], Any], inputs: InputFacts) -> None:
    """Computes each batch that the caller may, twice: a forged program may have no end, or take all memory."""
    rng = np.random.default_rng()
    for size in SIZES:
        shape = (size, *inputs.shape)
        run(np.zeros(shape, inputs.dtype))
        run(rng.integers(0, 256, shape, np.uint8).astype(inputs.dtype))


def _end_with_the_caller() -> None:
    """Ends this process when the caller's has ended, and so the pipe: a program without an end would run on."""
    if hasattr(select, "poll"):  # not on Windows
        hangup = select.poll()
        hangup.register(sys.stdin.fileno(), 0)
        hangup.poll()
        os._exit(1)


def _cores() -> int:
    """For how many cores XLA starts threads."""
    told = os.environ.get("NPROC", "")
    return max(int(told) if told.isdecimal() else 1, os.cpu_count() or 1)


def _bound_memory(path: Path) -> None:
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return
    stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
    stack = _STACK if stack == resource.RLIM_INFINITY else stack
    most = _MEMORY + 4 * path.stat().st_size + _STACKS * stack * _cores()
    with suppress(ValueError, OSError):  # a lower limit is set already
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), *sys.argv[2:4])
    sys.stdout.flush()
    os._exit(0)
