"""Decodes the images of a dataset in two processes, where there are two cores: Pillow holds Python's lock most of the time.

    with ImageDecoder(images, "of split train") as decoder:       # images: [n, h, w, c] uint8, to be filled
        decoder.decode(files, first=0)                            # the files of the examples 0 to len(files) − 1
        decoder.finish()

The other process gets files whenever it has decoded the last ones; the others are decoded here. What it cannot decode, or does
not answer because it has ended or hangs, is decoded here, too, so that the result and its errors do not depend on it. It is no
process of `multiprocessing`, which would run the caller's script once more.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from nnjax.config.cores import num_cores
from nnjax.data.image_files import decode_images

_LEAST = 20_000  # images; fewer take not much longer than the start of a process
_AT_ONCE = 100  # images that are decoded here before the other process is looked at again
_PATIENCE = 60.0  # seconds without a byte from the other process
_MARK = b"nnjax images"
_HEADER = len(_MARK) + 8  # the mark, and the number of bytes that follow
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from nnjax.data.image_decoder import main; main()"


class ImageDecoder:
    """Fills an array with the images of files.

    Args:
        images: [n, h, w, c] uint8.
        what: the examples, in words, for an error.

    Attributes:
        what: as given, for errors of the examples' other parts.
    """

    def __init__(self, images: NDArray[np.uint8], what: str) -> None:
        self._images, self.what = images, what
        self._other = _Other() if len(images) >= _LEAST and num_cores() > 1 and sys.platform != "win32" else None
        self._sent: tuple[Sequence[bytes], int] | None = None  # to the other process: files, and the first one's place

    def __enter__(self) -> Self:
        """Begins."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends the other process; in place of an error, an earlier one is raised if a file that was sent to it is damaged."""
        try:
            if isinstance(error, Exception):
                self.finish()
        finally:
            if self._other is not None:
                self._other.end()

    def decode(self, files: Sequence[bytes], first: int) -> None:
        """Decodes files, and sends what is left of them to the other process as soon as that has nothing to do.

        Args:
            files: PNG or JPEG.
            first: the place of the first one's image.

        Raises:
            ValueError: for the first that is damaged or does not fit the shape.
        """
        for start in range(0, len(files), _AT_ONCE):
            if self._other is not None and self._other.is_free():
                self.finish()
                if self._other.send(files[start:], self._images.shape[1:]):
                    self._sent = files[start:], first + start
                    return
            self._decode_here(files[start : start + _AT_ONCE], first + start)

    def finish(self) -> None:
        """Waits for the other process; afterwards all images are there.

        Raises:
            ValueError: as `decode`.
        """
        if self._other is None or self._sent is None:
            return
        (files, first), self._sent = self._sent, None
        images = self._other.receive()
        shape = (len(files), *self._images.shape[1:])
        if len(images) == np.prod(shape):
            self._images[first : first + len(files)] = np.frombuffer(images, np.uint8).reshape(shape)
        else:
            self._decode_here(files, first)

    def _decode_here(self, files: Sequence[bytes], first: int) -> None:
        self._images[first : first + len(files)] = decode_images(files, self._images.shape[1:], first, self.what)


class _Other:
    """The other process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: Literal["", "greeting", "images"] = "greeting"  # what it will answer next
        paths = [*(path for path in sys.path if isinstance(path, str)), str(Path(__file__).parents[2])]
        if not sys.executable or getattr(sys, "frozen", False):  # which is no Python
            return
        with suppress(OSError, ValueError):  # there may be no room for a process
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, *paths],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                process_group=0,  # Ctrl-C is for this process
            )

    def is_free(self) -> bool:
        """Whether it has decoded all it was sent; its answer waits then. Takes its greeting, when it has started."""
        if self._process is None:
            return False
        if self._answers and not wait([self._process.stdout], 0):  # type: ignore[list-item]
            return False
        if self._answers == "greeting":
            self.receive()
        return self._process is not None

    def send(self, files: Sequence[bytes], shape: tuple[int, ...]) -> bool:
        """Sends files to decode, when it is free; returns whether that could be done."""
        if self._process is None:
            return False
        self._answers = "images"
        rest = memoryview(pickle.dumps((files, shape)))
        try:
            while rest:
                rest = rest[self._process.stdin.write(rest) :]  # type: ignore[union-attr]
        except OSError:  # it has ended
            self.end()
        return self._process is not None

    def receive(self) -> bytes:
        """Waits for its answer, the images that were sent last; empty if there are none."""
        self._answers = ""
        header = self._exactly(_HEADER)
        if len(header) == _HEADER and header.startswith(_MARK):
            size = int.from_bytes(header[len(_MARK) :], "little")
            images = self._exactly(size)
            if len(images) == size:
                return images
        self.end()  # it has ended by itself, or hangs, or Python's start printed something
        return b""

    def end(self) -> None:
        """Ends it, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.stdin.close()  # type: ignore[union-attr]
            self._process.stdout.close()  # type: ignore[union-attr]
            self._process.wait()
            self._process = None

    def _exactly(self, count: int) -> bytes:
        """The next bytes; fewer if it has ended, or hangs."""
        parts: list[bytes] = []
        while count and self._process is not None and wait([self._process.stdout], _PATIENCE):  # type: ignore[list-item]
            part = self._process.stdout.read(count)  # type: ignore[union-attr]
            if not part:
                break
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


def main() -> None:
    """The other process: decodes what comes on stdin until that ends, and writes the images to stdout."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def answer(images: bytes) -> None:
        answers.write(_MARK + len(images).to_bytes(8, "little") + images)
        answers.flush()

    answer(b"")
    while True:
        try:
            request: Any = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            images = decode_images(*request).tobytes()
        except Exception:  # whatever it is, the first process finds it, too, and says what it is
            images = b""
        answer(images)
