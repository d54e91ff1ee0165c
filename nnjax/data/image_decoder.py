"""Decodes the images of a dataset in two processes, where there are two cores: Pillow holds Python's lock most of the time.

    with ImageDecoder(images, "of split train") as decoder:       # images: [n, h, w, c] uint8, to be filled
        decoder.decode(files, first=0)                            # the files of the examples 0 to len(files) − 1
        decoder.finish()

The other process gets files whenever it has decoded the last ones; the others are decoded here. What it cannot decode, or does
not answer because it has ended, is decoded here, too, so that the result and its errors do not depend on it. It is no process
of `multiprocessing`, which would run the script of somebody who calls `nnjax.fit` a second time.
"""

import os
import pickle
import select
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from nnjax.config.cores import num_cores
from nnjax.data.image_files import decode_images

_LEAST = 10_000  # images, which take about as long as the start of a process
_AT_ONCE = 100  # images that are decoded here before the other process is looked at again
_MARK = b"nnjax images"
_HEADER = len(_MARK) + 8  # the mark, and the number of bytes that follow
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from nnjax.data.image_decoder import main; main()"


class ImageDecoder:
    """Fills an array with the images of files.

    Args:
        images: [n, h, w, c] uint8.
        what: the examples, in words, for an error.

    Attributes:
        what: as given.
    """

    def __init__(self, images: NDArray[np.uint8], what: str) -> None:
        self._images, self.what = images, what
        self._other = _Other() if len(images) >= _LEAST and num_cores() > 1 and sys.platform != "win32" else None
        self._sent: tuple[Sequence[bytes], int] | None = None  # to the other process: files, and the first one's place

    def __enter__(self) -> Self:
        """Begins."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends the other process."""
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
                self._sent = files[start:], first + start
                self._other.send(self._sent[0], self._images.shape[1:])
                return
            try:
                self._decode_here(files[start : start + _AT_ONCE], first + start)
            except ValueError:
                self.finish()  # an earlier one may be damaged, too
                raise

    def finish(self) -> None:
        """Waits for the other process; afterwards all images are there.

        Raises:
            ValueError: as `decode`.
        """
        if self._sent is None or self._other is None:
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
        paths = [str(Path(__file__).parents[2]), *(path for path in sys.path if path)]
        with suppress(OSError, ValueError):  # there may be no room for a process, or no Python to start
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, *paths],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                process_group=0,  # Ctrl-C is for this process
            )

    def is_free(self) -> bool:
        """Whether it has decoded all it was sent, or has just begun; its answer may be waiting."""
        if self._process is None:
            return False
        if self._answers and not select.select([self._process.stdout], [], [], 0)[0]:  # type: ignore[type-var]
            return False
        if self._answers == "greeting":
            self.receive()
        return self._process is not None

    def send(self, files: Sequence[bytes], shape: tuple[int, ...]) -> None:
        """Sends files to decode; call it when it is free."""
        if self._process is None:
            return
        self._answers = "images"
        rest = memoryview(pickle.dumps((files, shape)))
        try:
            while rest:
                rest = rest[self._process.stdin.write(rest) :]  # type: ignore[union-attr]
        except OSError:  # it has ended
            self.end()

    def receive(self) -> bytes:
        """Waits for its answer, the images that were sent last; empty if there are none."""
        self._answers = ""
        header = self._exactly(_HEADER)
        if len(header) == _HEADER and header.startswith(_MARK):
            size = int.from_bytes(header[len(_MARK) :], "little")
            images = self._exactly(size)
            if len(images) == size:
                return images
        self.end()  # it has ended by itself, or Python's start printed something
        return b""

    def end(self) -> None:
        """Ends it; it has nothing that would be lost."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _exactly(self, count: int) -> bytes:
        """The next bytes; fewer if it has ended."""
        parts: list[bytes] = []
        while count and self._process is not None:
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
