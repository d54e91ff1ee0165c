"""A launcher's worker process: its part of the cores and GPUs, and requests to stop."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.cli import worker
from nnjax.cli.worker import Share, part_of, run_in_worker


@given(st.integers(0, 40), st.integers(1, 12))
def test_parts_are_disjoint_and_take_everything(count, places):
    things = [f"gpu{number}" for number in range(count)]
    parts = [part_of(things, place, places) for place in range(places)]
    if count >= places:
        assert [thing for part in parts for thing in part] == things
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    elif count:
        assert all(len(part) == 1 for part in parts)
        shared = [sum(thing in part for part in parts) for thing in things]
        assert max(shared) - min(shared) <= 1
    else:
        assert parts == [[]] * places


PROGRAM = """
import json, os, sys
from nnjax.cli.worker import Share, run_in_worker
def job():
    names = ("CUDA_VISIBLE_DEVICES", "XLA_PYTHON_CLIENT_PREALLOCATE")
    print(json.dumps([sorted(os.sched_getaffinity(0)), *(os.environ.get(name) for name in names)]), flush=True)
share = Share("", int(sys.argv[1]), sys.argv[2], tuple(sys.argv[3:]), stops_with_parent=False)
run_in_worker(share, job, lambda: None)
sys.stdin.read()
"""


def workers(tmp_path, count, at_a_time, *gpus):
    """What some worker processes that live at the same time have, and what one has that comes after the first has ended."""
    command = [sys.executable, "-c", PROGRAM, str(at_a_time), str(tmp_path), *gpus]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("CUDA", "XLA"))}

    def start():
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        return process, json.loads(process.stdout.readline())

    running = [start() for _ in range(count)]
    running[0][0].kill()
    running[0][0].wait()
    running.append(start())
    for process, _ in running:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
    return [found for _, found in running]


def test_each_worker_has_its_part(tmp_path):
    cores = sorted(os.sched_getaffinity(0))
    first, second, later = workers(tmp_path, 2, 2, "4", "7", "9")
    if len(cores) > 1:
        assert sorted([*first[0], *second[0]]) == cores
    assert [first[1:], second[1:]] == [["4", None], ["7,9", None]]
    assert later == first  # the place of a worker that has ended is free again


def test_workers_that_share_a_gpu_take_memory_as_they_need_it(tmp_path):
    found = workers(tmp_path, 3, 3, "GPU-a", "GPU-b")
    assert [gpu for _, gpu, _ in found[:3]] == ["GPU-a", "GPU-b", "GPU-a"]
    assert {preallocate for _, _, preallocate in found} == {"false"}


@pytest.fixture
def fresh(monkeypatch):
    """This process as a worker that has taken its share."""
    monkeypatch.setattr(worker, "_worker", worker._Worker(ready=True))
    return worker._worker


SHARE = Share("", 1)


def test_a_worker_that_was_told_to_stop_starts_no_job(fresh):
    seen = []
    run_in_worker(SHARE, lambda: seen.append("first"), lambda: seen.append("skipped"))
    worker._stop(signal.SIGTERM, None)
    run_in_worker(SHARE, lambda: seen.append("second"), lambda: seen.append("skipped"))
    assert seen == ["first", "skipped"]


def test_a_signal_ends_a_job_that_does_not_train(fresh):
    seen = []

    def job():
        worker._stop(signal.SIGTERM, None)
        seen.append("goes on")

    run_in_worker(SHARE, job, lambda: None)
    assert seen == []
    assert fresh.stopping
    assert not fresh.busy


def test_submitits_word_that_the_time_is_nearly_up_stops_the_job(monkeypatch):
    monkeypatch.setattr(worker, "_worker", worker._Worker())
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)}
    seen = []

    def job():
        os.kill(os.getpid(), signal.SIGUSR2)
        time.sleep(5)
        seen.append("goes on")

    try:
        run_in_worker(Share("", 1, stops_with_parent=False), job, lambda: None)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert seen == []
    assert worker._worker.stopping


def test_a_preempted_job_does_not_end_the_process_and_no_further_one_starts(fresh):
    def job():
        raise SystemExit(75)

    run_in_worker(SHARE, job, lambda: None)
    skipped = []
    run_in_worker(SHARE, lambda: None, lambda: skipped.append(True))
    assert skipped == [True]


def test_an_error_of_a_job_is_not_a_request_to_stop(fresh):
    def job():
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        run_in_worker(SHARE, job, lambda: None)
    assert not fresh.stopping
