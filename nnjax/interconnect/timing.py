"""The times of a step: one exchange on a link, computing, and exchanges that run beside the backward pass.

alpha_beta(rounds=6, latency=1e-5, sent_bytes=1.5e6, bandwidth=1e10, overhead=0)        # 0.00126 seconds
timeline(computing=1.0, exchanges=[Exchange(0.2, backward=True, share=1.0)], overlap=True).end      # 1.2
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

BACKWARD_SHARE = 2 / 3
"""The share of computing that is the backward pass: twice the forward pass's operations, for the gradients by weights and for
those by inputs (Kaplan et al., arXiv:2001.08361, section 2.1)."""


def alpha_beta(
    rounds: float, latency: float, sent_bytes: float, bandwidth: float, overhead: float = 0.0, buffers: float = 1
) -> float:
    """Seconds that an exchange takes: overhead + buffers · rounds · α + 8 · bytes / bandwidth.

    Hockney's model, in which a message takes α + bytes · β; Thakur, Rabenseifner and Gropp, 2005, for collectives. As a
    ring's N → ∞, the transfer of an all-reduce tends to 16 · size / bandwidth, while its latency grows with N.

    Args:
        rounds: messages that follow one another.
        latency: α, seconds of a round whose message is empty.
        sent_bytes: of data, by the busiest device, in all rounds and buffers together.
        bandwidth: bits of data a second; at 0 the time is infinite.
        overhead: seconds of the call itself.
        buffers: how many are sent one after another, each with its rounds.
    """
    return overhead + buffers * rounds * latency + (8 * sent_bytes / bandwidth if bandwidth else math.inf)


def two_levels(inner: float, outer: float, overhead: float = 0.0) -> float:
    """Seconds of a hierarchical exchange: inside the machines, then between them."""
    return overhead + inner + outer


def parallel_links(inner: float, outer: float, links: float) -> float:
    """Bits of data a second through all links of a machine, whose devices share their bytes: min(inner, links · outer)."""
    return min(inner, links * outer)


def data_rate(bandwidth: float, efficiency: float, goodput: float, oversubscription: float = 1, incast: float = 1) -> float:
    """Bits of data a second that a link carries: bandwidth · efficiency · goodput / (oversubscription · incast).

    Args:
        bandwidth: bits a second on the wire.
        efficiency: share of the wire's bytes that are data.
        goodput: share of the packets that are not sent in vain.
        oversubscription: how many times more all devices can send than the switches carry.
        incast: senders that share the receiver's bandwidth.
    """
    return bandwidth * efficiency * goodput / (oversubscription * incast)


def computing_time(flops: float, peak_flops: float, flops_share: float) -> float:
    """Seconds that a device computes in a step: flops / (peak · share).

    Args:
        flops: floating-point operations of one device in a step.
        peak_flops: operations a second at most.
        flops_share: share of the peak that training reaches.
    """
    return flops / (peak_flops * flops_share)


def measured_time(step_time: float) -> float:
    """Seconds that a device computes in a step, as measured."""
    return step_time


def total(seconds: float) -> float:
    """Seconds of all exchanges of a step, one after another."""
    return seconds


def exposed_time(end: float, computing: float) -> float:
    """Seconds of a step after the computing."""
    return end - computing


def step_time(computing: float, exposed: float) -> float:
    """Seconds of a step: computing and the communication that nothing hides."""
    return computing + exposed


def utilisation(computing: float, step: float) -> float:
    """The share of a step in which the device computes."""
    return computing / step if step else 1.0


def weak_efficiency(alone: float, step: float) -> float:
    """Scaling efficiency where each device keeps its batch: the step of one device alone / the step of N devices."""
    return alone / step if step else 1.0


def strong_efficiency(alone: float, step: float, devices: float) -> float:
    """Scaling efficiency where the devices share one batch: the step of one device alone / (N · the step of N devices)."""
    return alone / (devices * step) if step else 1.0


def run_time(step: float, steps: float, goodput: float = 1.0) -> float:
    """Seconds of a whole run: step · steps / goodput."""
    return step * steps / goodput if goodput else math.inf


def cost(seconds: float, devices: float, price: float) -> float:
    """The price of a run, in the currency of `price`: hours · devices · price of a device for an hour."""
    return seconds / 3600 * devices * price


@dataclass(frozen=True)
class Exchange:
    """An exchange as the timeline needs it.

    Attributes:
        seconds: that it takes.
        backward: whether it is issued in the backward pass.
        share: of the backward pass, after which its gradients are there (0 to 1).
    """

    seconds: float
    backward: bool
    share: float


@dataclass(frozen=True)
class Timeline:
    """One step.

    Attributes:
        computing: seconds of both passes without any waiting.
        forward: seconds, when the forward pass ends.
        backward: seconds, when the backward pass ends.
        spans: (start, end) of each exchange, in seconds since the step's start.
        end: of the step.
    """

    computing: float
    forward: float
    backward: float
    spans: tuple[tuple[float, float], ...]
    end: float

    @property
    def exposed(self) -> float:
        """Seconds in which the device only communicates."""
        return self.end - self.computing


def timeline(computing: float, exchanges: Sequence[Exchange], *, overlap: bool) -> Timeline:
    """Places exchanges beside the backward pass: each begins when its gradients are there and the one before has ended.

    Modelled, not measured: that communicating slows down computing (by its use of memory and processors) is left out, and the
    optimizer's update counts as part of the backward pass. Exchanges before the first of the backward pass are BatchNorm's
    statistics: the forward pass waits for each of them. Its sums in the backward pass are placed like gradients. Later ones
    that are not of the backward pass come after it.

    Args:
        computing: seconds of forward and backward pass.
        exchanges: in the order in which they are issued.
        overlap: whether the platform runs both at once; without, all exchanges come after the backward pass.
    """
    first = next((number for number, one in enumerate(exchanges) if one.backward), 0) if overlap else 0
    own = (1 - BACKWARD_SHARE) * computing
    free, spans = 0.0, []
    for exchange in exchanges[:first]:
        start = free + own / (first + 1)
        free = start + exchange.seconds
        spans.append((start, free))
    held = sum(exchange.seconds for exchange in exchanges[:first])
    forward, backward = own + held, computing + held
    for exchange in exchanges[first:]:
        early = overlap and exchange.backward
        ready = forward + exchange.share * BACKWARD_SHARE * computing if early else backward
        start = max(ready, free)
        free = start + exchange.seconds
        spans.append((start, free))
    return Timeline(computing, forward, backward, tuple(spans), max(backward, free))
