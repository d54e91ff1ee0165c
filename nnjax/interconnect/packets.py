"""What a message is on the wire: packets, headers and acknowledgements.

    packing = pack(1_000_000, link)
    packing.packets, packing.wire_bytes          # 691 packets of Ethernet with TCP, 1 062 190 bytes

A wire carries more than an interface counts: `interface_bytes` leaves out an Ethernet frame's preamble, checksum and gap, and
adds the acknowledgements, which travel the other way: in a ring, each device sends both.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nnjax.config.link_options import Link

UNCOUNTED = 24
"""Bytes of an Ethernet frame that Linux's interface counters leave out: preamble 8, checksum 4, gap 12 (IEEE 802.3)."""

ETHERNET_FRAME = 38
"""Bytes on the wire around an IP packet: preamble 8, header 14, checksum 4, gap 12 (IEEE 802.3)."""


@dataclass(frozen=True)
class Packing:
    """A message as packets, in one direction.

    Attributes:
        data_bytes: of the message.
        packets: that carry it.
        wire_bytes: with all headers, frames and gaps.
        acks: packets that the receiver answers with.
        ack_bytes: of those, on the wire, in the other direction.
        messages: parts into which the data are divided.
    """

    data_bytes: int
    packets: int
    wire_bytes: int
    acks: int
    ack_bytes: int
    messages: int

    @property
    def message_packets(self) -> int:
        """Packets of a message, as if all were equal; 0 without any."""
        return math.ceil(self.packets / self.messages) if self.messages else 0

    @property
    def efficiency(self) -> float:
        """The share of the wire's bytes that are data; 1 for an empty message."""
        return self.data_bytes / self.wire_bytes if self.wire_bytes else 1.0


NOTHING = Packing(data_bytes=0, packets=0, wire_bytes=0, acks=0, ack_bytes=0, messages=0)
"""The packing for a link that an exchange does not use."""


def pack(data_bytes: float, link: Link, messages: int = 1, counts: Sequence[int] = (1,)) -> Packing:
    """Divides buffers into equal messages, and these into packets; the last packet of each may be short.

    packets = Σ messages · ⌈bytes of a buffer's message / payload⌉ over all buffers, wire bytes = data + packets · (header +
    frame), where payload = MTU − header.

    Args:
        data_bytes: of all buffers together.
        link: its MTU and headers.
        messages: of each buffer; a stream of TCP is one message.
        counts: numbers in each buffer; the buffers' bytes are in proportion to them.

    Raises:
        ValueError: if the headers leave no room for data.
    """
    if link.payload < 1:
        raise ValueError(f"link.mtu={link.mtu}: must be greater than link.header_bytes={link.header_bytes}")
    whole, total = math.ceil(data_bytes), max(1, sum(counts))
    # Rounded, so that the division of a full packet's bytes does not begin another packet.
    sizes = (round(data_bytes * count / total / messages, 3) for count in counts)
    packets = messages * sum(math.ceil(size / link.payload) for size in sizes)
    acks = math.ceil(packets / link.ack_every) if link.ack_bytes else 0
    wire = whole + packets * (link.header_bytes + link.frame_bytes)
    return Packing(whole, packets, wire, acks, acks * link.ack_bytes, messages * len(counts))


def wire_efficiency(
    data_bytes: float, packets: float, header_bytes: float, frame_bytes: float, acks: float = 0, ack_bytes: float = 0
) -> float:
    """The share of a device's bytes on the wire that are data; 1 for an empty message.

    data / (data + packets · (header + frame) + acks · ack), where a device that receives as much as it sends has the
    acknowledgements of what it receives on its own link.
    """
    wire = data_bytes + packets * (header_bytes + frame_bytes) + acks * ack_bytes
    return data_bytes / wire if wire else 1.0


def interface_bytes(packing: Packing, link: Link) -> int:
    """Bytes that a device's interface counts as sent, in an exchange in which it sends and receives the same.

    Data packets, and the acknowledgements of what it receives, with Ethernet's header of 14 bytes.
    """
    uncounted = UNCOUNTED if link.frame_bytes >= ETHERNET_FRAME else 0
    return packing.wire_bytes + packing.ack_bytes - uncounted * (packing.packets + packing.acks)
