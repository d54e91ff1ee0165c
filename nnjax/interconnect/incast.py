"""Many senders to one receiver: a queue in the switch, and, where it overflows, lost packets or stopped senders.

    queue = incast_queue(senders=32, window_bytes=64_000)               # 1 984 000 bytes
    incast_loss(senders=32, window_bytes=64_000, buffer=1_000_000)      # 0.48 of the packets

All senders begin at once and have the receiver's bandwidth each, which is the worst case. Rings have no incast; parameter
servers, all-to-all and reading checkpoints do.
"""


def incast_queue(senders: float, window_bytes: float) -> float:
    """Bytes that wait in the switch once every sender has sent its window: (n − 1) · w.

    n · w bytes arrive in the time in which the receiver's port sends w on.
    """
    return max(0.0, senders - 1) * window_bytes


def incast_loss(senders: float, window_bytes: float, buffer: float) -> float:
    """The share of the packets that the switch drops in that burst: max(0, (n − 1) · w − B) / (n · w).

    Args:
        senders: n.
        window_bytes: w, bytes that a sender sends before the first answer.
        buffer: B, bytes that the switch holds for this receiver.
    """
    excess = incast_queue(senders, window_bytes) - buffer
    return max(0.0, excess) / (senders * window_bytes) if senders * window_bytes > 0 else 0.0


def incast_time(senders: float, size: float, bandwidth: float, timeouts: float = 0, timeout: float = 0.2) -> float:
    """Seconds in which a receiver has `size` bytes from each of n senders: 8 · n · size / bandwidth + k · T₀.

    Phanishayee et al., "Measurement and analysis of TCP throughput collapse in cluster-based storage systems", FAST 2008: a
    sender that loses a whole window, or the end of it, is silent for a timeout, and all others wait for it.

    Args:
        senders: n.
        size: bytes of each sender.
        bandwidth: of the receiver, in bits a second.
        timeouts: k, timeouts that follow one another; 0 where the switch stops the senders instead of dropping.
        timeout: T₀, in seconds.
    """
    return 8 * senders * size / bandwidth + timeouts * timeout
