"""What is made of the moments of a training, and of the ends of its processes."""

import pytest

from nnjax.config.errors import UserError
from nnjax.interconnect.netlab.lab_network import Counters, parse_counters
from nnjax.interconnect.netlab.measuring import Ended, summarized
from nnjax.interconnect.netlab.ranks import Mark


def mark(step, time, *sent, late=0.0):
    counters = tuple(Counters(count, count // 1000, 0, 0, 0) for count in sent)
    return Mark(step, time, counters, tuple(time + late for _ in sent))


def test_a_step_is_the_mean_between_the_first_and_the_last_moment():
    found = summarized([mark(40, 10.0, 5_000, 0), mark(60, 11.0, 9_000, 0), mark(80, 14.0, 45_000, 80_000)])
    assert (found.steps, found.step_time, found.median_time) == (40, 0.1, pytest.approx(0.1))
    assert (found.sent_bytes, found.sent_packets) == ((1000.0, 2000.0), (1.0, 2.0))


def test_bytes_that_are_sent_until_the_counters_are_read_belong_to_no_step():
    found = summarized([mark(0, 10.0, 10_000), mark(10, 11.0, 26_000, late=0.6)])
    assert (found.sent_bytes, found.sent_packets) == ((pytest.approx(1000.0),), (pytest.approx(1.0),))


def test_the_counters_are_those_of_iproute2():
    text = '[{"ifname":"nnl-link","stats64":{"rx":{"bytes":7,"packets":2},"tx":{"bytes":9,"packets":3,"dropped":1}}}]'
    assert parse_counters(text) == Counters(9, 3, 7, 2, 1)
    with pytest.raises(UserError, match="no counters"):
        parse_counters("[{}]")


@pytest.mark.parametrize(
    ("fault", "codes", "seconds", "longest"),
    [
        ("killed", (1, -9), (0.2, 0.0), 0.2),
        ("frozen", (1, None), (6.1, None), 6.1),
        ("cut", (1, 1), (6.1, 6.3), 6.3),
        ("cut", (1, None), (6.1, None), None),
        ("killed", (None, -9), (None, 0.0), None),
    ],
)
def test_behind_a_cut_link_both_sides_must_end(fault, codes, seconds, longest):
    assert Ended(fault, 1, codes, seconds, "").longest == longest
