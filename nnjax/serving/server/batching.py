"""Dynamic batching: requests that arrive while a batch is computed are the next batch.

batcher = Batcher(compute, executor, most=64, wait=0.002)
answers = await batcher.answer(inputs)                 # of these inputs, computed together with others'

A batch begins as soon as the worker is free. It waits for more examples, at most `wait` seconds, only where others are on their
way (their pictures are being decoded): so a single client waits for nobody, and under load the batches grow by themselves.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.serving.model import Answer

Compute = Callable[[NDArray[Any]], Sequence[Answer]]
Observe = Callable[[int, float], None]
"""Called with a batch's examples and its seconds."""


@dataclass(frozen=True)
class _Waiting:
    inputs: NDArray[Any]
    since: float
    done: "asyncio.Future[Sequence[Answer]]"


class Batcher:
    """Gathers the inputs of one model's requests into batches; of one event loop.

    Args:
        compute: answers [n, ...] inputs; it runs in `executor`.
        executor: with one thread: batches of all models are computed one after another.
        most: examples of a batch; a single request may have more.
        wait: seconds.
        observe: told each batch.
    """

    def __init__(self, compute: Compute, executor: Executor, most: int, wait: float, observe: Observe | None = None) -> None:
        self._compute, self._executor, self._most, self._wait = compute, executor, most, wait
        self._observe = observe or (lambda examples, seconds: None)
        self._queue: deque[_Waiting] = deque()
        self._coming = 0
        self._timer: asyncio.TimerHandle | None = None
        self._sent: float | None = None

    @property
    def busy_for(self) -> float:
        """Seconds since the present batch was handed over; 0 if none is computed."""
        return 0.0 if self._sent is None else time.monotonic() - self._sent

    @contextmanager
    def coming(self) -> Iterator[None]:
        """While the context is open, a request is being prepared, for which a batch may wait; `answer` must come next."""
        self._coming += 1
        try:
            yield
        except BaseException:
            self._coming -= 1
            self._begin()
            raise
        self._coming -= 1

    async def answer(self, inputs: NDArray[Any]) -> Sequence[Answer]:
        """Answers [n, ...] inputs, as `compute` does.

        Raises:
            Exception: the one of `compute` for these inputs alone.
        """
        waiting = _Waiting(inputs, time.monotonic(), asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._begin()
        return await waiting.done

    def _begin(self) -> None:
        """Begins a batch if the worker is free, and nothing is to be gained by waiting."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._queue and self._queue[0].done.done():  # the request was cancelled
            self._queue.popleft()
        if self._sent is not None or not self._queue:
            return
        left = self._wait - (time.monotonic() - self._queue[0].since)
        if self._coming and left > 0 and sum(len(waiting.inputs) for waiting in self._queue) < self._most:
            self._timer = asyncio.get_running_loop().call_later(left, self._begin)
            return
        self._sent = time.monotonic()
        self._executor.submit(self._work, self._next(), asyncio.get_running_loop())

    def _next(self) -> list[_Waiting]:
        """Takes the next batch from the queue: whole requests, at least one."""
        batch, examples = [self._queue.popleft()], 0
        examples = len(batch[0].inputs)
        while self._queue and examples + len(self._queue[0].inputs) <= self._most:
            waiting = self._queue.popleft()
            if not waiting.done.done():
                batch.append(waiting)
                examples += len(waiting.inputs)
        return batch

    def _work(self, batch: list[_Waiting], loop: asyncio.AbstractEventLoop) -> None:
        """Computes a batch, in the worker's thread."""
        start = time.perf_counter()
        results = self._results(batch)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._finish, batch, results, time.perf_counter() - start)

    def _results(self, batch: list[_Waiting]) -> list[Sequence[Answer] | Exception]:
        """The answers of each request, or the exception that its inputs raise; nothing ends the thread."""
        ends = list(accumulate(len(waiting.inputs) for waiting in batch))
        try:
            inputs = batch[0].inputs if len(batch) == 1 else np.concatenate([waiting.inputs for waiting in batch])
            answers = self._compute(inputs)
            if len(answers) != ends[-1]:
                raise RuntimeError(f"the model gave {len(answers)} answers to {ends[-1]} inputs")
            return [answers[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        except BaseException as error:
            if len(batch) > 1:
                return [result for waiting in batch for result in self._results([waiting])]  # one must not fail the others
            if isinstance(error, Exception) and not isinstance(error, StopIteration):
                return [error]
            made = RuntimeError(f"the model raised {type(error).__name__}")  # a future takes no such exception
            made.__cause__ = error
            return [made]

    def _finish(self, batch: list[_Waiting], results: list[Sequence[Answer] | Exception], seconds: float) -> None:
        """Hands the results to the requests, and begins the next batch."""
        self._sent = None
        for waiting, result in zip(batch, results, strict=True):
            if waiting.done.done():
                continue
            if isinstance(result, Exception):
                waiting.done.set_exception(result)
            else:
                waiting.done.set_result(result)
        self._begin()
        self._observe(sum(len(waiting.inputs) for waiting in batch), seconds)
