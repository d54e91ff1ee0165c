"""What gloo, JAX's collectives between CPU processes, makes of a ring all-reduce: messages, packets and bytes. Pure.

    cost = all_reduce_cost(size=76_800, item_size=4, ranks=2, payload=1448)
    cost.messages, cost.packets, cost.data_bytes          # 4, 64, 77 376: what each rank sends

gloo divides a buffer into at least 2N segments, a multiple of the N ranks, each of at most 1 MiB (gloo/allreduce.cc). A rank
sends 2(N − 1)/N of them. Each segment has a header of 48 bytes, and goes when the receiver has said that it waits: both sides
also send a note of 48 bytes for it, in a packet of its own (gloo/transport/tcp/pair.cc). So a tensor takes 2(N − 1) rounds, and
a round takes one round trip. Seen with a packet capture on the lab's links, too.

Two segments are on their way at once, so the second one's transfer hides part of the next round's latency (`hidden_time`).
"""

import math
from dataclasses import dataclass

HEADER = 48
"""Bytes before each message of gloo."""

NOTES = 2
"""Messages without data that a rank sends for each segment: that it has one to send, and that it waits for one."""

_LARGEST_SEGMENT = 2**20
ETHERNET = 14
"""Bytes of an Ethernet header, which interfaces count."""


@dataclass(frozen=True)
class RingCost:
    """What one rank sends for one all-reduce of one buffer.

    Attributes:
        payload_bytes: of the buffer alone, 2(N − 1)/N · S and padding.
        data_bytes: what TCP is given, headers of gloo and notes included.
        messages: segments.
        packets: that carry data; notes included, acknowledgements not.
        rounds: that follow one another; each takes a round trip.
    """

    payload_bytes: int
    data_bytes: int
    messages: int
    packets: int
    rounds: int

    def half(self) -> "RingCost":
        """The cost of a reduce-scatter or an all-gather alone."""
        return RingCost(self.payload_bytes // 2, self.data_bytes // 2, self.messages // 2, self.packets // 2, self.rounds // 2)

    def wire_bytes(self, header_bytes: int, pure_acks: float = 0.0) -> float:
        """Bytes as an interface counts them.

        Args:
            header_bytes: of IP and TCP, in each packet.
            pure_acks: packets without data, for each packet with data that the rank receives.
        """
        return self.data_bytes + self.packets * (1 + pure_acks) * (header_bytes + ETHERNET)


def all_reduce_cost(size: int, item_size: int, ranks: int, payload: int) -> RingCost:
    """The cost of an all-reduce of one buffer.

    Args:
        size: bytes of the buffer.
        item_size: bytes of a number.
        ranks: N; one has nothing to send.
        payload: bytes that a packet holds besides the headers of IP and TCP.
    """
    if ranks == 1 or not size:
        return RingCost(0, 0, 0, 0, 0)
    segments = ranks * math.ceil(max(math.ceil(size / _LARGEST_SEGMENT), 2 * ranks) / ranks)
    segment = item_size * math.ceil(math.ceil(size / segments) / item_size)
    messages = 2 * (ranks - 1) * segments // ranks
    # The last segments may be shorter, or empty: on average a rank sends its share of the buffer.
    shared = 2 * (ranks - 1) * size // ranks
    packets = messages * (math.ceil((min(segment, size) + HEADER) / payload) + NOTES)
    return RingCost(shared, shared + messages * (1 + NOTES) * HEADER, messages, packets, 2 * (ranks - 1))


def hidden_time(cost: RingCost, round_trip: float, bandwidth: float, header_bytes: int) -> float:
    """Seconds by which a ring's all-reduce is shorter than its latencies and its transfer one after another.

    (R − 1) · min(s, RTT), with R rounds and s seconds for one segment. Derived here: a round sends two segments; the first of
    the next round can go when the first of this one has come and its receiver has said so, RTT + s later, but not before both
    have left the link, 2s later. So a round takes max(RTT + s, 2s) in place of RTT + 2s.

    Args:
        cost: of the buffer.
        round_trip: RTT in seconds.
        bandwidth: bits a second.
        header_bytes: of IP and TCP, in each packet.
    """
    if not cost.messages:
        return 0.0
    segment = 8 * cost.wire_bytes(header_bytes) / cost.messages / bandwidth
    return max(0, cost.rounds - 1) * min(segment, round_trip)
