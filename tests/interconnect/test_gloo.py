"""gloo's messages, held to a packet capture of one step of 2 ranks on a link of the lab (MTU 1500)."""

import pytest

from nnjax.interconnect.gloo import all_reduce_cost, hidden_time


@pytest.mark.parametrize(
    ("size", "packets_of_segment"),
    # bytes of the buffer; packets of each of its 4 segments, seen with lengths 1514 … of headers 66 and payload
    [(40, 1), (12_000, 3), (1_200, 1), (76_800, 14)],
)
def test_packets_are_those_of_the_capture(size, packets_of_segment):
    cost = all_reduce_cost(size, 4, ranks=2, payload=1448)
    assert cost.messages == 4
    assert cost.packets == 4 * (packets_of_segment + 2)  # and two notes for each segment
    assert cost.payload_bytes == size
    assert cost.data_bytes == size + 4 * 3 * 48
    assert cost.rounds == 2


def test_bytes_of_a_step_are_those_that_the_interface_counted():
    # 4 tensors of 22 510 parameters, and the sums of a call of 20 steps; 101 455 and 101 543 bytes were counted.
    own = sum(all_reduce_cost(size, 4, 2, 1448).wire_bytes(52, 0.2) for size in (40, 12_000, 1_200, 76_800))
    call = 3 * all_reduce_cost(1365 * 4, 4, 2, 1448).wire_bytes(52, 0.2)
    assert own + call / 20 == pytest.approx(101_500, rel=0.01)


@pytest.mark.parametrize("ranks", [2, 3, 4, 7])
def test_a_ring_sends_its_share(ranks):
    cost = all_reduce_cost(10**6, 4, ranks, 1448)
    assert cost.payload_bytes == pytest.approx(2 * (ranks - 1) / ranks * 10**6, rel=1e-5)
    assert (cost.messages, cost.rounds) == (4 * (ranks - 1), 2 * (ranks - 1))


def test_large_buffers_have_more_segments():
    assert all_reduce_cost(2**23, 4, 2, 1448).messages == 8
    assert all_reduce_cost(2**23 + 4, 4, 2, 1448).messages == 10


def test_one_rank_sends_nothing():
    assert all_reduce_cost(1000, 4, 1, 1448).wire_bytes(52) == 0
    assert hidden_time(all_reduce_cost(1000, 4, 1, 1448), 1.0, 1e6, 52) == 0.0


def test_what_is_hidden_is_bound_by_the_round_trip_and_by_the_segment():
    cost = all_reduce_cost(76_800, 4, 2, 1448)
    segment = 8 * cost.wire_bytes(52) / 4 / 20e6
    assert hidden_time(cost, 1e-3, 20e6, 52) == pytest.approx(1e-3)  # a slow link hides all of the latency
    assert hidden_time(cost, 1.0, 20e6, 52) == pytest.approx(segment)
