"""The relay: holds packets between the ranks for a delay, in a process of its own at the hub's TUN interface.

    ip netns exec nnl-1f3a-hub python -m nnjax.interconnect.netlab.relay nnl-relay 0

Each line of its input is JSON: by destination address, [delay, jitter, loss] in seconds, seconds and 0 to 1; the newest line
holds. The relay answers each with a line. It ends with its input, so it never outlives the process that started it.

`DelayLine` decides, without sockets or clocks, when each packet is due::

    line = DelayLine(random.Random(0))
    line.set({"198.18.1.2": (0.002, 0.0, 0.0)})
    line.due(now=1.0, destination="198.18.1.2")      # 1.002; None for a packet that is lost
"""

import fcntl
import heapq
import json
import os
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Mapping
from contextlib import suppress

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_BATCH = 64  # packets that are read before those that are due are written
_LARGEST = 65_536
_FOREVER = 3600.0


class DelayLine:
    """When packets are due. Packets to one destination keep their order, with jitter, too, as on most real links.

    Args:
        chance: draws jitter and losses.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._links: dict[str, tuple[float, float, float]] = {}
        self._last: dict[str, float] = {}

    def set(self, links: Mapping[str, tuple[float, float, float]]) -> None:
        """Sets the delay, jitter and loss of each destination; others pass at once."""
        self._links = dict(links)

    def due(self, now: float, destination: str) -> float | None:
        """When a packet that arrives now is to be passed on; None if it is lost."""
        delay, jitter, loss = self._links.get(destination, (0.0, 0.0, 0.0))
        if loss and self._chance.random() < loss:
            return None
        held = max(0.0, delay + (self._chance.uniform(-jitter, jitter) if jitter else 0.0))
        due = max(self._last.get(destination, 0.0), now + held)
        self._last[destination] = due
        return due


def destination_of(packet: bytes) -> str:
    """The destination address of an IPv4 packet; empty for any other."""
    return socket.inet_ntoa(packet[16:20]) if len(packet) >= 20 and packet[0] >> 4 == 4 else ""


def open_tun(name: str) -> int:
    """Opens the end of a TUN interface of this namespace that programs read and write."""
    number = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(number, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return number


def relay(tun: int, settings: int, line: DelayLine) -> None:
    """Passes packets on until `settings` ends."""
    waiting: list[tuple[float, int, bytes]] = []
    number, text = 0, b""
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else _FOREVER
        readable, _, _ = select.select([tun, settings], [], [], pause)
        if settings in readable:
            said = os.read(settings, _LARGEST)
            if not said:
                return
            *lines, text = (text + said).split(b"\n")
            for content in lines:
                line.set({address: tuple(values) for address, values in json.loads(content).items()})
                os.write(1, b"set\n")
        if tun in readable:
            with suppress(BlockingIOError):
                for _ in range(_BATCH):
                    packet = os.read(tun, _LARGEST)
                    due = line.due(time.monotonic(), destination_of(packet))
                    if due is not None:
                        number += 1
                        heapq.heappush(waiting, (due, number, packet))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            with suppress(OSError):  # the link is cut
                os.write(tun, heapq.heappop(waiting)[2])


def main(name: str, seed: int) -> None:
    """The process."""
    with suppress(OSError):  # it must not wait for the ranks' computing
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    tun = open_tun(name)
    os.write(1, b"ready\n")
    relay(tun, 0, DelayLine(random.Random(seed)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
