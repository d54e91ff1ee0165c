"""What loss does to a transport: TCP's rate, and the share of a link that RDMA's retransmissions leave.

    mathis(mss=1448, rtt=0.02, loss=0.001, acks=2)          # 15.86e6 bits a second
    go_back_n(loss=0.01, window=66)                         # 0.6

Every packet is lost with the same probability, independently of the others. Losses in bursts differ: a full buffer drops
neighbours, which costs one retransmission in go-back-N, and a timeout in TCP.
"""

import math

from nnjax.config.link_options import Link


def mathis(mss: float, rtt: float, loss: float, acks: float = 2) -> float:
    """TCP's rate under loss without timeouts, in bits a second: mss / rtt · √(3 / (2 · b · p)).

    Mathis, Semke, Mahdavi and Ott, "The macroscopic behavior of the TCP congestion avoidance algorithm", 1997, for Reno.
    Linux's CUBIC is faster on long paths, and BBR does not react to single losses.

    Args:
        mss: bytes of data in a packet.
        rtt: round trip, in seconds.
        loss: probability p that a packet is lost; without loss the rate is unlimited.
        acks: packets b that an acknowledgement answers.
    """
    return math.inf if loss == 0 or rtt == 0 else 8 * mss / rtt * math.sqrt(3 / (2 * acks * loss))


def pftk(mss: float, rtt: float, loss: float, timeout: float, acks: float = 2, window: float = math.inf) -> float:
    """TCP's rate under loss with timeouts and a largest window W, in bits a second.

    min(W · mss / rtt, mss / (rtt · √(2bp/3) + T₀ · min(1, 3 · √(3bp/8)) · p · (1 + 32p²))): Padhye, Firoiu, Towsley and Kurose,
    "Modeling TCP throughput", 1998, equation 30. A lost packet takes the rest of its window with it there.

    Args:
        mss: bytes of data in a packet.
        rtt: round trip, in seconds.
        loss: probability p of the first loss in a window.
        timeout: T₀, the first retransmission timeout, in seconds.
        acks: packets b that an acknowledgement answers.
        window: W, the largest window in packets.
    """
    seconds = rtt * math.sqrt(2 * acks * loss / 3) + timeout_time(loss, timeout, acks)
    unlimited = 8 * mss / seconds if seconds else math.inf
    return min(unlimited, 8 * mss * window / rtt if rtt else math.inf)


def tcp_goodput(mss: float, rtt: float, loss: float, timeout: float, acks: float, bandwidth: float) -> float:
    """The share of a link's data rate that TCP reaches in a long transfer: min(1, `pftk` / bandwidth).

    Args:
        mss: bytes of data in a packet.
        rtt: round trip, in seconds.
        loss: probability of a loss.
        timeout: the first retransmission timeout, in seconds.
        acks: packets that an acknowledgement answers.
        bandwidth: bits of data a second without loss.
    """
    return min(1.0, pftk(mss, rtt, loss, timeout, acks) / bandwidth)


def timeout_time(loss: float, timeout: float, acks: float = 2) -> float:
    """Seconds that TCP's timeouts add to a packet on average: the second term of `pftk`'s denominator."""
    return timeout * min(1.0, 3 * math.sqrt(3 * acks * loss / 8)) * loss * (1 + 32 * loss**2)


def go_back_n(loss: float, window: float) -> float:
    """The share of a link's packets that are not sent in vain: (1 − p) / (1 − p + p · W).

    After a loss, everything from the lost packet on is sent again: W packets, those that were on their way when the sender
    learned of it. Bertsekas and Gallager, "Data Networks", 1992, section 2.4.

    Args:
        loss: probability p.
        window: W ≥ 1, packets sent from a lost one on until its loss is answered.
    """
    return (1 - loss) / (1 - loss + loss * window)


def go_back_0(loss: float, packets: float) -> float:
    """The share of a link's packets that count where each loss starts a message of n packets again: n · p / ((1 − p)⁻ⁿ − 1).

    ((1 − p)⁻ⁿ − 1) / p is the expected number of packets until n in a row arrive (Feller, "Introduction to Probability Theory
    and Its Applications", volume 1, XIII.7). Packets on their way behind a lost one make it worse. Guo et al., "RDMA over
    Commodity Ethernet at Scale", SIGCOMM 2016, section 4.1, saw the livelock: 4 MB as 4 000 packets, 1 in 256 lost.
    """
    if loss == 0 or packets == 0:
        return 1.0
    log_growth = -packets * math.log1p(-loss)
    return packets * loss / math.expm1(log_growth) if log_growth < 700 else 0.0


def selective_repeat(loss: float) -> float:
    """The share of a link's packets that count where only lost packets are sent again: 1 − p.

    Bertsekas and Gallager, "Data Networks", 1992, section 2.4; the window must hold all packets of a round trip.
    """
    return 1 - loss


def window_of(link: Link) -> float:
    """Packets between a packet and the answer to it: `link.window`, or bandwidth · round trip and the packet itself."""
    if link.window is not None:
        return link.window
    bits = 8 * (link.mtu + link.frame_bytes)
    return 1 + link.bandwidth * link.round_trip / bits


def tcp_message_time(
    packets: float, mss: float, bandwidth: float, rtt: float, loss: float, timeout: float, acks: float = 2
) -> float:
    """Seconds in which TCP delivers a message: a long one as `pftk`; one within a window is not held back by that window.

    max(n · mss / bandwidth, n · rtt · √(2bp/3) − rtt) + n · (pftk's time of timeouts). The second term is that of a window of
    √(3 / (2bp)) packets a round trip, of which the first needs no answer. Derived here from Padhye et al., 1998, for
    connections that stay open, as between steps; for messages of many windows it is `pftk`.

    Args:
        packets: n.
        mss: bytes of data in a packet.
        bandwidth: bits of data a second without loss.
        rtt: round trip, in seconds.
        loss: probability p that a packet is lost.
        timeout: the first retransmission timeout, in seconds.
        acks: packets b that an acknowledgement answers.
    """
    windows = packets * math.sqrt(2 * acks * loss / 3)
    return max(8 * packets * mss / bandwidth, (windows - 1) * rtt) + packets * timeout_time(loss, timeout, acks)
