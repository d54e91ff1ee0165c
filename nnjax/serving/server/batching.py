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
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def busy_for(self) -> float:
        """Seconds since the present batch was handed over; 0 if none is computed."""
        return 0.0 if self._sent is None else time.monotonic() - self._sent

    @contextmanager
    def coming(self) -> Iterator[None]:
        """While the context is open, a request is being prepared, for which a batch may wait."""
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1
            self._begin()

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
        task = asyncio.get_running_loop().create_task(self._run(self._next()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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

    async def _run(self, batch: list[_Waiting]) -> None:
        try:
            await self._answer(batch)
        finally:
            self._sent = None
            self._begin()

    async def _answer(self, batch: list[_Waiting]) -> None:
        start = time.perf_counter()
        try:
            inputs = batch[0].inputs if len(batch) == 1 else np.concatenate([waiting.inputs for waiting in batch])
            answers = await asyncio.get_running_loop().run_in_executor(self._executor, self._compute, inputs)
        except Exception as error:
            if len(batch) == 1:
                with suppress(asyncio.InvalidStateError):
                    batch[0].done.set_exception(error)
                return
            for waiting in batch:  # one request's inputs must not fail the others
                await self._answer([waiting])
            return
        self._observe(len(inputs), time.perf_counter() - start)
        place = 0
        for waiting in batch:
            if not waiting.done.done():
                waiting.done.set_result(answers[place : place + len(waiting.inputs)])
            place += len(waiting.inputs)
