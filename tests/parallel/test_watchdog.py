"""The watchdog, with a clock that the test sets; one test in real time, without an assertion about it."""

import threading

import pytest

from nnjax.parallel.watchdog import Watchdog


class Time:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def said():
    return []


def passing(watchdog, time, seconds):
    for _ in range(round(seconds)):
        time.now += 1.0
        watchdog.look()


def trained(watchdog, time, calls=5, seconds=1):
    for call in range(calls):
        passing(watchdog, time, seconds)
        watchdog.beat(f"step {10 * call}")


def test_a_stall_is_said_once_and_its_end_too(said, time, tmp_path):
    watchdog = Watchdog(said.append, tmp_path / "train.log", clock=time)
    watchdog.look()
    with watchdog.watching("training"):
        trained(watchdog, time)
        passing(watchdog, time, 29)
        assert said == []
        passing(watchdog, time, 60)
        assert said == [
            f"training, after step 40, has taken 31 s so far; the longest before took 1.0 s; where every thread is: "
            f"{tmp_path / 'train.log'}"
        ]
        assert "passing" in (tmp_path / "train.log").read_text()  # this function, on the main thread's stack
        watchdog.beat("step 50")
        passing(watchdog, time, 1)
        assert said[1:] == ["training, after step 40, continued after 90 s"]


def test_slow_steps_are_compared_with_slow_steps(said, time):
    watchdog = Watchdog(said.append, clock=time)
    with watchdog.watching("training"):
        trained(watchdog, time, seconds=20)
        passing(watchdog, time, 199)
        assert said == []
        passing(watchdog, time, 2)
        assert len(said) == 1


def test_the_first_time_takes_as_long_as_it_does(said, time):
    watchdog = Watchdog(said.append, clock=time)
    with watchdog.watching("compilation"):
        passing(watchdog, time, 299)
        assert said == []
        passing(watchdog, time, 3)
        assert said == ["compilation has taken 301 s so far"]


@pytest.mark.parametrize("gap", [3600, 31, 10**6])
def test_a_laptop_that_slept_and_a_stopped_process_are_no_stall(said, time, gap):
    watchdog = Watchdog(said.append, clock=time)
    with watchdog.watching("training"):
        trained(watchdog, time)
        for _ in range(5):
            time.now += gap
            watchdog.look()
        assert said == []


def test_what_is_inside_does_not_count_for_what_is_outside(said, time):
    watchdog = Watchdog(said.append, clock=time)
    with watchdog.watching("training"):
        trained(watchdog, time)
        for _ in range(4):
            with watchdog.watching("evaluation"):
                passing(watchdog, time, 25)
        assert said == []
        passing(watchdog, time, 29)
        assert said == []


def test_the_limit_stops(said, time):
    stopped = []
    watchdog = Watchdog(said.append, clock=time, limit=100, stop=stopped.append)
    with watchdog.watching("training"):
        trained(watchdog, time)
        passing(watchdog, time, 99)
        assert stopped == []
        passing(watchdog, time, 3)
        assert stopped[0] == "training, after step 40, has taken 101 s: stopped"


def test_its_thread_looks_and_ends():
    heard = threading.Event()
    with (
        Watchdog(lambda text: heard.set(), floor=0.01, tick=0.01) as watchdog,
        watchdog.watching("training"),
    ):
        assert heard.wait(30)
    assert not any(thread.name == "watchdog" for thread in threading.enumerate())
