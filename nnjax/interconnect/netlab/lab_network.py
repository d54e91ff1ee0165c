"""A lab that is built: links that can be shaped while processes use them, their counters, and the end of it all.

with open_network(Lab(new_token(), ranks=2), "reno") as network:
    network.shape({0: conditions, 1: conditions})
    network.start(0, [sys.executable, "-m", "experiments.train", …], environment)
    network.counters(0)                             # Counters(sent_bytes=…, …)
"""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import IO

from nnjax.config import leaving
from nnjax.config.errors import ConfigError, UserError
from nnjax.interconnect.netlab.lab_state import Record, clear_leftovers, recorded
from nnjax.interconnect.netlab.shaping import (
    LinkConditions,
    Means,
    needs_relay,
    relay_commands,
    shape_commands,
    unrelay_commands,
)
from nnjax.interconnect.netlab.system import Commands, check_machine, congestion_controls, probe
from nnjax.interconnect.netlab.topology import LINK, RELAY, Lab, as_machine, build_commands, in_namespace

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Counters:
    """What an interface has counted since it was made; Ethernet headers included, check sums and preambles not."""

    sent_bytes: int
    sent_packets: int
    received_bytes: int
    received_packets: int
    dropped_packets: int

    def since(self, earlier: "Counters") -> "Counters":
        """The difference to an earlier count."""
        return Counters(*(now - before for now, before in zip(astuple(self), astuple(earlier), strict=True)))


class Network:
    """The lab's namespaces, links and relay. Made by `open_network`.

    Attributes:
        lab: names and addresses.
        means: what the kernel has.
        commands: all that was run.
    """

    def __init__(self, lab: Lab, record: Record, seed: int) -> None:
        self.lab, self.commands = lab, Commands()
        self._record, self._seed = record, seed
        self._relay: subprocess.Popen[bytes] | None = None
        self._relayed = False
        self.means = Means(netem=False, nft=False)

    def build(self, congestion_control: str) -> None:
        """Makes namespaces and links."""
        self.commands.run_all(build_commands(self.lab, congestion_control))
        self.means = probe(self.commands, self.lab.hub)

    def shape(self, conditions: Mapping[int, LinkConditions]) -> None:
        """Gives each rank's link its conditions; a rank that is not named has a perfect link."""
        every = {rank: conditions.get(rank, LinkConditions()) for rank in range(self.lab.ranks)}
        for rank, own in every.items():
            self.commands.run_all(shape_commands(self.lab, rank, own, self.means))
        relayed = any(needs_relay(own, self.means) for own in every.values())
        if relayed:
            self._set_relay(every)
        if relayed != self._relayed:
            self.commands.run_all(relay_commands(self.lab) if relayed else unrelay_commands(self.lab))
        self._relayed = relayed

    def start(
        self, rank: int, command: Sequence[str], environment: Mapping[str, str], output: IO[bytes], keep: Sequence[int] = ()
    ) -> subprocess.Popen[bytes]:
        """Starts a process as on a machine of its own, at the rank's address.

        Args:
            rank: which.
            command: with its arguments.
            environment: of the process.
            output: a file for what it prints.
            keep: file numbers that it inherits.
        """
        words = as_machine(self.lab, rank, str(self._record.hosts_file), *command)
        process = subprocess.Popen(
            words, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=keep, cwd=Path.cwd()
        )
        self._record.add_process(process.pid)
        return process

    def counters(self, rank: int) -> Counters:
        """What the rank's interface has counted."""
        said = subprocess.run(
            ("ip", "-n", self.lab.namespace(rank), "-j", "-s", "link", "show", "dev", LINK),
            capture_output=True,
            text=True,
            check=False,
        )
        return parse_counters(said.stdout)

    def congestion_control(self) -> str:
        """What TCP connections of rank 0 use."""
        path = "/proc/sys/net/ipv4/tcp_congestion_control"
        return self.commands.run(in_namespace(self.lab.namespace(0), "cat", path)).strip()

    def close(self) -> None:
        """Ends the relay; the rest ends with the record."""
        if self._relay is not None:
            self._relay.kill()
            self._relay.communicate()
            self._relay = None

    def _set_relay(self, every: Mapping[int, LinkConditions]) -> None:
        if self._relay is None or self._relay.poll() is not None:
            words = (sys.executable, "-m", "nnjax.interconnect.netlab.relay", RELAY, str(self._seed))
            self._relay = subprocess.Popen(
                in_namespace(self.lab.hub, *words),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
            self._record.add_process(self._relay.pid)
            self._hear("ready")
        drops = not self.means.nft
        links = {self.lab.address(rank): (own.delay, own.jitter, own.loss if drops else 0.0) for rank, own in every.items()}
        assert self._relay.stdin is not None
        self._relay.stdin.write(json.dumps(links).encode() + b"\n")
        self._relay.stdin.flush()
        self._hear("set")

    def _hear(self, word: str) -> None:
        assert self._relay is not None
        assert self._relay.stdout is not None
        if self._relay.stdout.readline().strip() != word.encode():
            raise UserError(f"netlab: the relay ended, with exit code {self._relay.wait()}")


@contextmanager
def open_network(lab: Lab, congestion_control: str, seed: int = 0) -> Iterator[Network]:
    """Builds a lab, after it has cleared what a killed one left; removes it at the end, and at a signal.

    Raises:
        UserError: if something is missing here, or a command fails.
        ConfigError: if the congestion control is not to be had.
    """
    check_machine()
    if congestion_control not in (known := congestion_controls()):
        raise ConfigError(
            f"congestion_control={congestion_control}: must be one of {', '.join(known)}, which this kernel allows in a "
            "namespace (net.ipv4.tcp_allowed_congestion_control)"
        )
    clear_leftovers()
    with recorded(lab.token, lab.namespaces, lab.hosts) as record, leaving.on_leaving(lambda name: record.clear()):
        network = Network(lab, record, seed)
        try:
            network.build(congestion_control)
            yield network
        finally:
            network.close()


def new_token() -> str:
    """A name for a lab, unlike those of others that run now."""
    return secrets.token_hex(2)


def parse_counters(text: str) -> Counters:
    """Counters from what `ip -j -s link show` prints.

    Raises:
        UserError: if there is no such interface.
    """
    try:
        stats = json.loads(text)[0]["stats64"]
    except (ValueError, IndexError, KeyError):
        raise UserError(f"ip -j -s link show: printed no counters: {text.strip()[:100]}") from None
    sent, received = stats["tx"], stats["rx"]
    return Counters(sent["bytes"], sent["packets"], received["bytes"], received["packets"], sent["dropped"])
