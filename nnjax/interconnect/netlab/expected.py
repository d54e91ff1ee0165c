"""What the prediction says of a training in the lab: seconds and bytes of a step. Pure.

    expected_step(collectives, conditions, ranks=2, computing=0.014, mtu=1500)       # Expected(step_time=…, …)

`nnjax.interconnect.collective_time` has the times of the exchanges. Added here is what is the lab's own: gloo's notes, which
need bandwidth besides the data, and what happens once a call of several steps and once a record. A call takes about 0.3 s, so
a slow link makes calls of fewer steps, and the sums that each call exchanges weigh more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nnjax.config.link_options import Device, Link
from nnjax.config.types import MemorySize
from nnjax.interconnect.collective import Collective
from nnjax.interconnect.collective_time import time_of
from nnjax.interconnect.gloo import ETHERNET, RingCost, all_reduce_cost, hidden_time
from nnjax.interconnect.netlab.points import STEPS_PER_RECORD
from nnjax.interconnect.netlab.shaping import LinkConditions

HEADERS = 52
"""Bytes of the headers of IP and TCP in a packet, with the time stamps that Linux sends."""

PURE_ACKS = 0.2
"""Packets that only acknowledge, for each packet of data received: 0.12 to 0.32 were measured, as most go with data."""

_UNLIMITED = 1e12  # bit/s, where the lab limits nothing
_SECONDS_PER_CALL = 0.3  # of `nnjax.training.runner`
_MOST_ROUNDS = 50

# One in each machine, which is all that the times of exchanges need.
_ALONE = Device(
    name="measured",
    peak_flops=1.0,
    flops_share=1.0,
    memory=MemorySize.parse("1GB"),
    run=None,
    step_time=None,
    overlap=False,
    spread=0.0,
    per_machine=1,
    inner_bandwidth=None,
    inner_latency=None,
    failure_hours=None,
    checkpoint_time=1.0,
    restart_time=0.0,
    price=None,
)


@dataclass(frozen=True)
class Expected:
    """A predicted step.

    Attributes:
        step_time: seconds.
        communicating: seconds of it that the links take.
        steps_per_call: steps of a compiled call.
        sent_bytes: of each rank, as its interface counts.
        sent_packets: of each rank, pure acknowledgements included.
    """

    step_time: float
    communicating: float
    steps_per_call: int
    sent_bytes: float
    sent_packets: float


def lab_link(conditions: LinkConditions, mtu: int) -> Link:
    """A link of the lab as the prediction takes it; interfaces and tbf count Ethernet's header, and no preamble or gap."""
    return Link(
        name="custom",
        bandwidth=conditions.bandwidth or _UNLIMITED,
        latency=conditions.delay,
        jitter=conditions.jitter / 3**0.5,  # the standard deviation of a uniform distribution
        loss=conditions.loss,
        mtu=mtu,
        header_bytes=HEADERS,
        frame_bytes=ETHERNET,
        ack_bytes=HEADERS + ETHERNET,
        ack_every=2,
        transport="tcp",
        window=None,
        timeout=0.2,
        lossless=False,
        oversubscription=1.0,
        incast=1,
        buffer=MemorySize.parse("4MiB"),
        round_latencies=2.0,
        call_overhead=0.0,
    )


def expected_step(
    collectives: Sequence[Collective],
    conditions: LinkConditions,
    ranks: int,
    computing: float,
    mtu: int,
    measured: float | None = None,
) -> Expected:
    """Predicts a step.

    Args:
        collectives: of the compiled program; those of a call, not of every step, included.
        conditions: of the slowest rank's link: a ring is as fast as that.
        ranks: N.
        computing: seconds of a step that the links do not hide: computing, and gloo's own work.
        mtu: bytes of an IP packet.
        measured: seconds of a step, where that is known, as for calibration: it sets the number of steps of a call.
    """
    link = lab_link(conditions, mtu)
    each_step = [collective for collective in collectives if collective.per_step]
    each_call = [collective for collective in collectives if not collective.per_step]
    step_seconds, call_seconds = (_communicating(some, link, ranks) for some in (each_step, each_call))
    meeting = link.round_trip  # once a record, all agree on the number of steps, and nothing hides that
    steps = steps_per_call(measured, 0.0) if measured else steps_per_call(computing + step_seconds, call_seconds)
    calls = -(-STEPS_PER_RECORD // steps) / STEPS_PER_RECORD
    communicating = step_seconds + calls * call_seconds + meeting / STEPS_PER_RECORD
    payload = mtu - HEADERS
    own, of_call = (costs(some, ranks, payload) for some in (each_step, each_call))
    return Expected(
        step_time=computing + communicating,
        communicating=communicating,
        steps_per_call=steps,
        sent_bytes=_bytes(own) + calls * _bytes(of_call),
        sent_packets=(1 + PURE_ACKS) * (_packets(own) + calls * _packets(of_call)),
    )


def computing_time(
    collectives: Sequence[Collective], conditions: LinkConditions, ranks: int, measured: float, mtu: int
) -> float:
    """Seconds of a step that the links do not hide, from a measured step: what is left of it without the links' time.

    Measured with a delay, since on links without any limit gloo's own work counts that otherwise runs while packets travel.
    """
    return max(0.0, measured - expected_step(collectives, conditions, ranks, 0.0, mtu, measured).communicating)


def steps_per_call(step_seconds: float, call_seconds: float) -> int:
    """How many steps the training puts into a call: as many as took 0.3 s the time before, at least one.

    Args:
        step_seconds: of a step.
        call_seconds: of what happens once a call.
    """
    steps = 1
    for _ in range(_MOST_ROUNDS):
        pace = max(1, int(steps * _SECONDS_PER_CALL / (steps * step_seconds + call_seconds)))
        pace = min(pace, 4 * steps, STEPS_PER_RECORD)
        if pace == steps:
            break
        steps = pace
    return steps


def costs(collectives: Sequence[Collective], ranks: int, payload: int) -> list[RingCost]:
    """What each buffer costs; gloo sends each by itself.

    A reduce-scatter and an all-gather count as the halves of a ring's all-reduce.
    """
    found: list[RingCost] = []
    for collective in collectives:
        item = collective.item_size
        whole = [all_reduce_cost(count * item, item, ranks, payload) for count in collective.buffer_counts]
        found += whole if collective.kind == "all_reduce" else [cost.half() for cost in whole]
    return found


def _communicating(collectives: Sequence[Collective], link: Link, ranks: int) -> float:
    """Seconds of some exchanges; gloo's notes included, and without what gloo hides by two segments at a time."""
    timed = [time_of(collective, link, _ALONE, devices=ranks, algorithm="ring") for collective in collectives]
    every = costs(collectives, ranks, link.payload)
    sent = sum(cost.wire_bytes(link.header_bytes) for cost in every)
    data = sum(one.wire_bytes for one in timed)
    hidden = sum(hidden_time(cost, link.round_trip, link.bandwidth, link.header_bytes) for cost in every)
    return sum(one.time for one in timed) + 8 * max(0.0, sent - data) / link.bandwidth - hidden


def _bytes(found: Sequence[RingCost]) -> float:
    return sum(cost.wire_bytes(HEADERS, PURE_ACKS) for cost in found)


def _packets(found: Sequence[RingCost]) -> float:
    return sum(cost.packets for cost in found)
