"""The time of one exchange on a link, and inside a machine.

    timed = time_of(gradients, link, device, devices=8, algorithm="ring")
    timed.time, timed.busbw               # seconds, GB/s

A buffer travels as one message a round. Exchanges within a machine use the device's inner link. Where machines have several
devices, each with its own link, all links of a machine share the buffer, as with the channels of NCCL, and each round
has the latency of the links that it crosses.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from nnjax.config.link_options import Algorithm, Device, Link
from nnjax.interconnect import algorithms, transport
from nnjax.interconnect.catalogue import figure
from nnjax.interconnect.collective import Collective, Kind
from nnjax.interconnect.formula import Figure
from nnjax.interconnect.packets import NOTHING, Packing, pack
from nnjax.interconnect.predicted import CollectiveTime

_NVLINK_DATA, _NVLINK_HEADER = 256, 16  # bytes of a packet; conf/link/nvlink.yaml has the source


@dataclass(frozen=True)
class Level:
    """An exchange's part on one link.

    Attributes:
        packing: the packets of the busiest device.
        latency: seconds of one round whose message is empty.
        rate: bits of data a second, with loss; 0 where nothing arrives.
        waiting: seconds of timeouts after an overflow of the switch's buffer.
        figures: with formulas and inputs.
    """

    packing: Packing
    latency: float
    rate: float
    waiting: float
    figures: tuple[Figure, ...]


def inner_link(link: Link, device: Device) -> Link:
    """The link between devices of one machine: without loss and jitter; `link` itself if the device states none."""
    inside = link
    if device.inner_bandwidth is not None:
        inside = replace(
            link,
            bandwidth=device.inner_bandwidth,
            mtu=_NVLINK_DATA,
            header_bytes=0,
            frame_bytes=_NVLINK_HEADER,
            ack_bytes=0,
            loss=0.0,
            jitter=0.0,
            lossless=True,
            oversubscription=1.0,
            incast=1,
            round_latencies=1.0,
        )
    return inside if device.inner_latency is None else replace(inside, latency=device.inner_latency)


def time_of(collective: Collective, link: Link, device: Device, *, devices: int, algorithm: Algorithm) -> CollectiveTime:
    """Predicts an exchange; its `start` is 0.

    Args:
        collective: its `group_size` is replaced by `devices`, its buffers keep their sizes.
        link: between machines.
        device: its machines, and the links inside.
        devices: N.
        algorithm: of an all-reduce, and of its halves if hierarchical.

    Raises:
        ValueError: if a hierarchical exchange cannot be divided into equal machines.
    """
    kind, size, buffers, counts = collective.kind, collective.size, collective.buffers, collective.buffer_counts
    sent = algorithms.bytes_sent(kind, algorithm, size, devices, device.per_machine)
    rounds = algorithms.rounds(kind, algorithm, devices, device.per_machine)
    machines = -(-devices // device.per_machine)
    inside = inner_link(link, device)
    known: tuple[Figure, ...] = (_bytes_figure(kind, algorithm, size, devices, device.per_machine),)
    packing, times = NOTHING, (0.0, 0.0, 0.0)
    if devices == 1:
        pass
    elif algorithm == "hierarchical" and kind in algorithms.HALVES | {"all_reduce"} and 1 < machines < devices:
        parts = algorithms.inner_and_outer(kind, size, devices, device.per_machine)
        steps = algorithms.inner_and_outer_rounds(kind, devices, device.per_machine)
        inner = level(inside, parts[0], steps[0], device.per_machine, counts)
        outer = level(link, parts[1], steps[1], machines, counts)
        beta = [_alpha_beta(one, part, step, buffers) for one, part, step in zip((inner, outer), parts, steps, strict=True)]
        latency = buffers * (steps[0] * inner.latency + steps[1] * outer.latency)
        packing = outer.packing
        waiting = outer.waiting + link.call_overhead
        total = figure("time", "two_levels", inner=beta[0].value, outer=beta[1].value, overhead=waiting)
        known += (*inner.figures, beta[0], *outer.figures, beta[1], total)
        times = (
            waiting,
            latency,
            sum(part / one.rate * 8 if one.rate else inf for one, part in zip((inner, outer), parts, strict=True)),
        )
    else:
        links = device.per_machine if 1 < machines < devices else 1
        one = level(link if machines > 1 else inside, sent / links, rounds, devices, counts)
        known += one.figures
        rate, crossing, within = one.rate, rounds, 0.0
        if links > 1:
            crossing = min(rounds, algorithms.rounds(kind, algorithm, machines))
            within = (rounds - crossing) * inside.latency * inside.round_latencies
            inner_rate = level(inside, sent, rounds, devices, counts).rate
            both = figure("data rate of all links", "parallel_links", inner=inner_rate, outer=rate, links=links)
            known, rate = (*known, both), both.value
        latency = buffers * (within + crossing * one.latency)
        waiting = one.waiting + link.call_overhead
        total = _alpha_beta(replace(one, latency=latency / buffers / rounds, rate=rate), sent, rounds, buffers, waiting)
        known += (total,)
        if machines > 1:
            packing = one.packing
        times = waiting, latency, 8 * sent / rate if rate else inf
    seconds = sum(times)
    if devices > 1:
        known += (figure("algbw", "algbw", size=size, seconds=seconds),)
    busbw = algorithms.busbw(kind, size, seconds, devices)
    return CollectiveTime(
        collective=collective,
        algorithm=algorithm,
        devices=devices,
        rounds=rounds,
        sent_bytes=sent,
        packing=packing,
        overhead=times[0],
        latency=times[1],
        transfer=times[2],
        time=seconds,
        start=0.0,
        end=seconds,
        algbw=algorithms.algbw(size, seconds),
        busbw=busbw,
        figures=known,
    )


def level(link: Link, sent: float, messages: int, devices: int, counts: Sequence[int] = (1,)) -> Level:
    """What a link makes of the bytes that a device sends.

    Args:
        link: of the exchange.
        sent: bytes of data.
        messages: equal parts in which each buffer is sent.
        devices: that wait for each other in a round.
        counts: numbers in each buffer.
    """
    packing = pack(sent, link, messages, counts)
    efficiency = figure(
        "wire efficiency",
        "wire_efficiency",
        data_bytes=packing.data_bytes,
        packets=packing.packets,
        header_bytes=link.header_bytes,
        frame_bytes=link.frame_bytes,
        acks=packing.acks,
        ack_bytes=link.ack_bytes,
    )
    kept = None if link.transport == "tcp" else goodput_of(link, packing.message_packets)
    rate = figure(
        "data rate",
        "data_rate",
        bandwidth=link.bandwidth,
        efficiency=efficiency.value,
        goodput=kept.value if kept else 1.0,
        oversubscription=link.oversubscription,
        incast=link.incast,
    )
    latency = _latency(link, devices)
    known = [efficiency, *([kept] if kept else []), rate, latency]
    bits = rate.value
    if link.transport == "tcp" and link.loss and packing.packets:
        known.append(
            figure(
                "transfer with loss",
                "tcp_message_time",
                packets=packing.packets,
                mss=sent / packing.packets,
                bandwidth=rate.value,
                rtt=link.round_trip,
                loss=link.loss,
                timeout=link.timeout,
                acks=link.ack_every,
            )
        )
        bits = 8 * sent / known[-1].value
    waiting = 0.0
    if link.incast > 1 and not link.lossless:
        window = min(transport.window_of(link) * link.payload, sent / packing.messages)
        known.append(figure("incast loss", "incast_loss", senders=link.incast, window_bytes=window, buffer=link.buffer.bytes))
        waiting = link.timeout if known[-1].value else 0.0
    return Level(packing, latency.value * link.round_latencies, bits, waiting, tuple(known))


def goodput_of(link: Link, packets: float) -> Figure:
    """The share of the packets that count, by the link's transport; for TCP, PFTK's share of the link's data rate.

    Args:
        link: its transport, loss and window.
        packets: of a message, for go-back-0.
    """
    match link.transport:
        case "go_back_n":
            return figure("goodput", "go_back_n", loss=link.loss, window=transport.window_of(link))
        case "go_back_0":
            return figure("goodput", "go_back_0", loss=link.loss, packets=packets)
        case "selective_repeat":
            return figure("goodput", "selective_repeat", loss=link.loss)
    payload = link.payload
    share = payload / (payload + link.header_bytes + link.frame_bytes + link.ack_bytes / link.ack_every)
    return figure(
        "goodput",
        "tcp_goodput",
        mss=payload,
        rtt=link.round_trip,
        loss=link.loss,
        timeout=link.timeout,
        acks=link.ack_every,
        bandwidth=link.bandwidth * share,
    )


def _latency(link: Link, devices: int) -> Figure:
    return figure("latency", "round_with_jitter", latency=link.latency, jitter=link.jitter, devices=devices)


def _alpha_beta(one: Level, sent: float, rounds: int, buffers: int, overhead: float = 0.0) -> Figure:
    inputs = {"rounds": rounds, "latency": one.latency, "sent_bytes": sent, "bandwidth": one.rate}
    return figure("time", "alpha_beta", **inputs, overhead=overhead, buffers=buffers)


def _bytes_figure(kind: Kind, algorithm: Algorithm, size: float, devices: int, per_machine: int) -> Figure:
    if algorithm == "hierarchical" and kind == "all_reduce":
        return figure("bytes sent", "hierarchical_bytes", size=size, devices=devices, per_machine=per_machine)
    if algorithm == "hierarchical" and kind in algorithms.HALVES:
        return figure("bytes sent", "hierarchical_share_bytes", size=size, devices=devices, per_machine=per_machine)
    name = f"{algorithm}_bytes" if kind == "all_reduce" else "share_bytes"
    return figure("bytes sent", "whole_bytes" if kind in algorithms.WHOLE else name, size=size, devices=devices)
