"""Decisions of several processes: one process's signal and process 0's numbers count for all."""

import pytest

from nnjax.config.errors import UserError
from nnjax.config.processes import Processes
from nnjax.parallel.agreement import SharedStop, stop_signal
from nnjax.parallel.peers import Peers, Timeouts
from nnjax.parallel.preemption import StopSignal
from nnjax.training.clock import Clock


class Twins(Peers):
    """Process 1 of 2, whose process 0 says what a test tells it to."""

    def __init__(self):
        super().__init__(Processes(1, 2, "test"), Timeouts())
        self.other = {"steps": 7, "seconds": 12.5, "mark": "", "signal": None, "overdue": False, "saved": 300}

    def exchange(self, own):
        return [{**dict.fromkeys(own), **self.other}, dict(own)]


@pytest.fixture
def stop():
    return SharedStop(Twins())


def test_one_process_decides_by_itself():
    stop = stop_signal()
    assert type(stop) is StopSignal
    assert stop.agree(40, Clock()) == 40
    assert stop.train_seconds(Clock({"train": 3.0})) == 3.0


def test_the_steps_and_the_time_are_those_of_process_0(stop):
    assert stop.agree(40, Clock({"train": 99.0})) == 7
    assert stop.train_seconds(Clock({"train": 99.0})) == 12.5
    assert stop._joined.saved == 300


def test_a_signal_counts_from_the_next_exchange_on(stop):
    stop._raise_flag("SIGTERM")
    assert stop.requested is None
    stop.agree(40, Clock())
    assert stop.requested == "SIGTERM"


def test_a_signal_of_another_process_counts_too(stop):
    stop._joined.other["signal"] = "SIGINT"
    stop.agree(40, Clock())
    assert stop.requested == "SIGINT"


def test_an_evaluation_is_given_up_by_all(stop):
    assert not stop.is_overdue
    stop._joined.other["overdue"] = True
    assert stop.is_overdue


def test_other_numbers_than_those_of_process_0_are_an_error(stop):
    stop.agree(1, Clock(), "")
    with pytest.raises(UserError, match="process 1: has other losses"):
        stop.agree(1, Clock(), "f00d")
