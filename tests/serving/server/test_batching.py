"""Requests that arrive together are computed together, and each gets its own answers."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest

from nnjax.serving.server.batching import Batcher


class Worker:
    """Doubles inputs; a batch takes as long as the test says."""

    def __init__(self):
        self.batches, self.free = [], threading.Event()
        self.free.set()

    def __call__(self, inputs):
        self.batches.append(len(inputs))
        assert self.free.wait(10)
        if np.any(inputs < 0):
            raise ValueError("below zero")
        return [float(2 * value) for value in inputs]


def run(test, most=8, wait=0.0):
    """Runs an async test with a worker and a batcher."""
    worker = Worker()

    async def within():
        with ThreadPoolExecutor(1) as executor:
            try:
                await asyncio.wait_for(test(worker, Batcher(worker, executor, most, wait)), 10)
            finally:
                worker.free.set()

    asyncio.run(within())


def numbers(*values):
    return np.array(values, np.float32)


def test_a_single_request_waits_for_nobody():
    async def test(worker, batcher):
        assert await batcher.answer(numbers(1, 2)) == [2, 4]
        assert worker.batches == [2]

    run(test, wait=1000)


def test_requests_that_arrive_meanwhile_are_the_next_batch():
    async def test(worker, batcher):
        worker.free.clear()
        asked = [asyncio.create_task(batcher.answer(numbers(value))) for value in range(6)]
        while not worker.batches:
            await asyncio.sleep(0.01)
        assert worker.batches == [1]
        worker.free.set()
        assert await asyncio.gather(*asked) == [[2 * value] for value in range(6)]
        assert worker.batches == [1, 5]

    run(test)


def test_a_batch_is_never_larger_than_the_most_except_for_one_larger_request():
    async def test(worker, batcher):
        worker.free.clear()
        asked = [asyncio.create_task(batcher.answer(np.full(size, size, np.float32))) for size in (1, 3, 5, 20, 2, 6, 1)]
        await asyncio.sleep(0.01)
        worker.free.set()
        assert [len(answers) for answers in await asyncio.gather(*asked)] == [1, 3, 5, 20, 2, 6, 1]
        assert worker.batches == [1, 8, 20, 8, 1]

    run(test)


def test_a_batch_waits_for_a_request_that_is_being_prepared():
    async def test(worker, batcher):
        with batcher.coming():
            first = asyncio.create_task(batcher.answer(numbers(1)))
            await asyncio.sleep(0.01)
            assert worker.batches == []
        assert await batcher.answer(numbers(2)) == [4]
        assert await first == [2]
        assert worker.batches == [2]

    run(test, wait=1000)


def test_but_no_longer_than_the_wait():
    async def test(worker, batcher):
        with batcher.coming():
            assert await batcher.answer(numbers(1)) == [2]

    run(test, wait=0.01)


def test_nobody_waits_for_a_request_that_is_refused():
    async def test(worker, batcher):
        with suppress(ValueError), batcher.coming():
            first = asyncio.create_task(batcher.answer(numbers(1)))
            await asyncio.sleep(0.01)
            raise ValueError("no picture")
        assert await first == [2]

    run(test, wait=1000)


def test_a_full_batch_waits_for_nobody():
    async def test(worker, batcher):
        with batcher.coming():
            assert await batcher.answer(np.ones(8, np.float32)) == [2] * 8

    run(test, wait=1000)


def test_inputs_that_fail_do_not_fail_those_in_the_same_batch():
    async def test(worker, batcher):
        worker.free.clear()
        asked = [asyncio.create_task(batcher.answer(numbers(value))) for value in (1, 2, -3, 4)]
        await asyncio.sleep(0.01)
        worker.free.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [answers[0], answers[1], answers[3]] == [[2], [4], [8]]
        assert isinstance(answers[2], ValueError)
        assert worker.batches == [1, 3, 1, 1, 1]
        assert await batcher.answer(numbers(5)) == [10]  # it goes on

    run(test)


def test_a_request_that_was_cancelled_is_not_computed():
    async def test(worker, batcher):
        worker.free.clear()
        asked = [asyncio.create_task(batcher.answer(numbers(value))) for value in (1, 2, 3)]
        await asyncio.sleep(0.01)
        asked[1].cancel()
        await asyncio.sleep(0)
        worker.free.set()
        assert await asked[2] == [6]
        assert worker.batches == [1, 1]
        with pytest.raises(asyncio.CancelledError):
            await asked[1]

    run(test)


def test_the_time_of_a_batch_that_is_stuck_can_be_seen():
    async def test(worker, batcher):
        assert batcher.busy_for == 0
        worker.free.clear()
        asked = asyncio.create_task(batcher.answer(numbers(1)))
        await asyncio.sleep(0.01)
        assert batcher.busy_for > 0
        worker.free.set()
        await asked
        await asyncio.sleep(0.01)
        assert batcher.busy_for == 0

    run(test)


@pytest.mark.parametrize("raised", [SystemExit, StopIteration, KeyboardInterrupt, GeneratorExit])
def test_nothing_that_a_model_raises_ends_the_worker(raised):
    async def test(worker, batcher):
        def quit_once(inputs):
            batcher._compute = worker
            raise raised

        batcher._compute = quit_once
        with pytest.raises(RuntimeError, match=f"^the model raised {raised.__name__}$"):
            await batcher.answer(numbers(1))
        assert await batcher.answer(numbers(2)) == [4]

    run(test)


def test_inputs_that_do_not_fit_each_other_fail_alone():
    async def test(worker, batcher):
        worker.free.clear()
        first = asyncio.create_task(batcher.answer(numbers(1)))
        await asyncio.sleep(0.01)
        asked = [asyncio.create_task(batcher.answer(given)) for given in (numbers(2), np.zeros((1, 2), np.float32), numbers(3))]
        await asyncio.sleep(0.01)
        worker.free.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert (await first, answers[0], answers[2]) == ([2], [4], [6])
        assert isinstance(answers[1], Exception)

    run(test)


def test_a_model_that_gives_too_few_answers_fails_its_request():
    async def test(worker, batcher):
        batcher._compute = lambda inputs: [0.0]
        with pytest.raises(RuntimeError, match=r"^the model gave 1 answers to 2 inputs$"):
            await batcher.answer(numbers(1, 2))

    run(test)
