import pytest

from nnjax.training import clock as clock_module
from nnjax.training.clock import Clock


@pytest.fixture
def now(monkeypatch):
    time = [0.0]
    monkeypatch.setattr(clock_module.time, "perf_counter", lambda: time[0])

    def advance(seconds):
        time[0] += seconds

    return advance


def test_phases_nest_and_do_not_count_twice(now):
    clock = Clock({"train": 10.0})
    now(1)
    with clock("train"):
        now(2)
        with clock("eval"):
            now(3)
            assert clock.read("train") == 12
        now(4)
        assert clock.read("train") == 16
    now(5)
    assert dict(clock.seconds) == {"train": 16.0, "eval": 3.0}


def test_time_counts_when_the_phase_fails(now):
    clock = Clock()

    def fail():
        with clock("data"):
            now(2)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert clock.read("data") == 2
