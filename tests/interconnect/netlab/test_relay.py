"""When the relay passes packets on, without sockets or clocks."""

import random
import socket
from itertools import pairwise

import pytest

from nnjax.interconnect.netlab.relay import DelayLine, destination_of

HERE, THERE = "198.18.0.2", "198.18.1.2"


def test_a_packet_waits_for_the_delay_of_its_destination():
    line = DelayLine(random.Random(0))
    line.set({HERE: (0.002, 0.0, 0.0), THERE: (0.010, 0.0, 0.0)})
    assert line.due(1.0, HERE) == pytest.approx(1.002)
    assert line.due(1.0, THERE) == pytest.approx(1.010)
    assert line.due(1.0, "198.18.7.2") == 1.0


def test_jitter_spreads_evenly_and_keeps_the_order():
    line = DelayLine(random.Random(0))
    line.set({HERE: (0.010, 0.004, 0.0)})
    alone = [line.due(float(second), HERE) - second for second in range(1, 4001)]
    assert 0.006 <= min(alone) < 0.0062
    assert 0.0138 < max(alone) <= 0.014
    assert sum(alone) / len(alone) == pytest.approx(0.010, abs=2e-4)
    close = [line.due(5000 + 1e-5 * i, HERE) for i in range(1000)]
    assert close == sorted(close)


def test_losses_are_independent_and_drawn_from_the_seed():
    lines = [DelayLine(random.Random(seed)) for seed in (3, 3, 4)]
    for line in lines:
        line.set({HERE: (0.0, 0.0, 0.05)})
    lost, again, other = ([line.due(float(i), HERE) is None for i in range(1, 20_001)] for line in lines)
    assert lost == again != other
    # 4 standard deviations of a binomial distribution
    assert abs(sum(lost) - 1000) < 4 * (20_000 * 0.05 * 0.95) ** 0.5
    pairs = sum(a and b for a, b in pairwise(lost))
    assert abs(pairs - 50) < 4 * 50**0.5


def test_the_destination_stands_in_the_packet():
    packet = b"\x45" + bytes(15) + socket.inet_aton(THERE) + b"data"
    assert destination_of(packet) == THERE
    assert destination_of(b"\x60" + bytes(39)) == ""
    assert destination_of(b"\x45") == ""
