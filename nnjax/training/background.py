"""A function that runs in a thread, with its result or its error.

hashing = Background(lambda: content_hash(dataset))
hashing.result()             # waits for it
"""

from collections.abc import Callable
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """Calls a function in a thread at once.

    Args:
        function: takes nothing.
        daemon: whether the process may end before the function has.
    """

    def __init__(self, function: Callable[[], T], *, daemon: bool = False) -> None:
        self._function = function
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=daemon)
        self._thread.start()

    def result(self) -> T:
        """Waits, and returns what the function returned.

        Raises:
            BaseException: whatever the function raised.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _run(self) -> None:
        try:
            self._results.append(self._function())
        except BaseException as error:
            self._error = error
