"""A process that reads and runs a model's file, so that a forged one can end it, or fill its memory, and nothing else.

    with ModelProcess(path, digest, facts) as process:
        process(inputs)                                            # [trials, n, num_outputs], as the model's own function
    ModelProcess(path, digest, facts, is_check=True).check()       # computes a batch of each size, and answers nothing

A check's process computes zeros and random inputs alone. A program that does harm for chosen inputs passes it, and then runs
in the caller's process: serve only files that you trust. `ModelProcess` itself keeps the program apart for good.

MLIR's reader of bytecode is not made for forged bytes: of 600 programs with changed bytes, four ended the process that read
them. The process has a bound on its memory, and runs on the CPU. Only it imports JAX: the caller, which prepares pictures
meanwhile, is none the slower.

The two speak in frames through pipes: a letter, a length in 8 bytes, the content. The caller sends inputs; the process sends
`r` (ready), `o` (outputs) or `e` (a line for the person).
"""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from nnjax.serving.facts import ModelFacts

_SECONDS = 240  # until a program is read; from a network's disk, the import of JAX alone can take a minute
_CHECK_SECONDS = 240  # until a check has compiled and computed a batch of each size
_ANSWER_SECONDS = 600  # until a batch is answered
HEAD = 9  # bytes of a frame's letter and length
READY, OUTPUTS, ERROR, INPUTS = b"r", b"o", b"e", b"i"


def framed(letter: bytes, content: bytes) -> bytes:
    """A frame: the letter, the length, the content."""
    return letter + len(content).to_bytes(HEAD - 1, "little") + content


class ModelProcess:
    """See the module.

    Args:
        path: of the file.
        digest: the file's checksum in hexadecimal, so that both read the same bytes.
        facts: of the model.
        is_check: whether the process only checks the program.
    """

    def __init__(self, path: Path, digest: str, facts: ModelFacts, *, is_check: bool = False) -> None:
        # The caller's own path: a checkout that is found by the current folder alone is found by the process, too.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "JAX_PLATFORMS": "cpu"}
        words = [sys.executable, "-P", "-m", "nnjax.serving.model_worker", str(path), digest, "check" if is_check else "run"]
        self._facts, self._is_ready = facts, False
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)
        try:
            self._process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=environment
            )
        except OSError as error:
            self._errors.close()
            raise ValueError(f"no process can be started to read it: {error.strerror}") from error

    def check(self) -> None:
        """Waits until the program is read and has computed a batch of each size.

        Raises:
            ValueError: in one line, if it is refused, or ends the process.
        """
        with self._limited(_CHECK_SECONDS):
            self._receive()

    def __call__(self, inputs: NDArray[np.generic]) -> NDArray[np.float32]:
        """[n, *shape] inputs of the stored type → [trials, n, num_outputs] outputs.

        Raises:
            ValueError: in one line, if the program is refused, or ends the process.
        """
        facts, wanted = self._facts, self._facts.inputs
        if inputs.shape[1:] != wanted.shape or inputs.dtype != wanted.dtype:
            raise ValueError(f"inputs must be [n, *{list(wanted.shape)}] {wanted.dtype}")
        stdin = self._process.stdin
        assert stdin is not None
        frame = framed(INPUTS, np.ascontiguousarray(inputs).tobytes())
        with self._limited(_ANSWER_SECONDS if self._is_ready else _SECONDS):
            # A pipe takes 64 KiB; the rest waits until the process reads it, so the time runs already.
            with suppress(BrokenPipeError):  # the answer tells why
                stdin.write(frame)
                stdin.flush()
            if not self._is_ready:
                self._receive()
                self._is_ready = True
        with self._limited(_ANSWER_SECONDS):
            content = self._receive()
        return np.frombuffer(content, "<f4").reshape(facts.num_trials, len(inputs), facts.num_outputs)

    @contextmanager
    def _limited(self, seconds: float) -> Iterator[None]:
        """Ends the process after some seconds: forged bytes can keep MLIR's reader busy for ever."""
        late = threading.Event()

        def end() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(seconds, end)
        timer.start()
        try:
            yield
        except ValueError as error:
            if late.is_set():
                raise ValueError(f"its program could not be read or run in {seconds:g} seconds") from error
            raise
        finally:
            timer.cancel()
            timer.join()

    def _receive(self) -> bytes:
        """The content of the next frame."""
        stdout = self._process.stdout
        assert stdout is not None
        head = stdout.read(HEAD)
        content = stdout.read(int.from_bytes(head[1:], "little"))
        letter = head[:1]
        if letter == ERROR:
            raise ValueError(content.decode(errors="replace"))
        if letter:
            return content
        raise ValueError(self._end())

    def _end(self) -> str:
        """How the process ended, in words."""
        code = self._process.wait()
        if code < 0:
            return f"its program ends the process that reads it (signal {-code})"
        self._errors.seek(0)
        last = self._errors.read()[-10_000:].decode(errors="replace").strip().splitlines()[-1:]
        return f"its program ends the process that reads it: {last[0] if last else f'exit code {code}'}"

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
