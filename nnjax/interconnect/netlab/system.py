"""The commands that the lab runs, and what this machine lacks for them.

check_machine()                                     # UserError: netlab: needs root; …
commands = Commands()
commands.run(("ip", "netns", "add", "nnl-1f3a-0"))
commands.done                                       # ["ip netns add nnl-1f3a-0"]
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from nnjax.config.errors import UserError
from nnjax.interconnect.netlab.shaping import Means
from nnjax.interconnect.netlab.topology import Command, in_namespace

TUN = Path("/dev/net/tun")
_TOOLS = {"ip": "iproute2", "tc": "iproute2", "unshare": "util-linux", "hostname": "hostname", "mount": "mount"}
_PROBE = "nnl-probe"
_LONGEST = 30.0  # seconds


class Commands:
    """Runs commands and keeps them.

    Attributes:
        done: every command, as a shell takes it.
    """

    def __init__(self) -> None:
        self.done: list[str] = []

    def run(self, command: Command) -> str:
        """Runs one command; returns what it prints.

        Raises:
            UserError: if it fails.
        """
        self.done.append(shlex.join(command))
        try:
            found = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_LONGEST, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UserError(f"{shlex.join(command)}: {error}") from error
        if found.returncode:
            said = next(iter((found.stderr or found.stdout).strip().splitlines()), f"exit code {found.returncode}")
            raise UserError(f"{shlex.join(command)}: {said}")
        return found.stdout

    def run_all(self, commands: Iterable[Command]) -> None:
        """Runs several commands, in order."""
        for command in commands:
            self.run(command)


def missing_here() -> str:
    """What the lab needs and this machine lacks, in one line; empty for nothing."""
    if not sys.platform.startswith("linux"):
        return f"needs Linux, which has network namespaces; this is {sys.platform}"
    if os.geteuid():
        return "needs root, which may make network namespaces: sudo .venv/bin/python -m experiments.netlab"
    for tool, package in _TOOLS.items():
        if shutil.which(tool) is None:
            return f"needs the command {tool}, which is not here; on Debian: apt install {package}"
    if not TUN.exists():
        return f"needs {TUN}, which is not here: modprobe tun, or let the container have the device"
    return ""


def check_machine() -> None:
    """Checks that the lab can be built here.

    Raises:
        UserError: for what is missing.
    """
    if missing := missing_here():
        raise UserError(f"netlab: {missing}")


def probe(commands: Commands, namespace: str) -> Means:
    """Finds what the kernel has, in a namespace of the lab: by trying, since a module may be loaded then.

    Raises:
        UserError: if it cannot limit a bandwidth.
    """
    inside = ("-n", namespace)
    commands.run(("ip", *inside, "link", "add", _PROBE, "type", "veth", "peer", "name", f"{_PROBE}-2"))
    try:
        netem = _works(commands, ("tc", *inside, "qdisc", "add", "dev", _PROBE, "root", "netem", "delay", "1ms"))
        tbf = (
            "tc",
            *inside,
            "qdisc",
            "replace",
            "dev",
            _PROBE,
            "root",
            "tbf",
            "rate",
            "1mbit",
            "burst",
            "3000",
            "limit",
            "9000",
        )
        if not _works(commands, tbf):
            raise UserError("netlab: needs the queueing discipline tbf, which this kernel does not have (CONFIG_NET_SCH_TBF)")
    finally:
        commands.run(("ip", *inside, "link", "del", _PROBE))
    numgen = "table inet nnl { chain input { type filter hook input priority 0; numgen random mod 9 < 0 drop; }; }"
    nft = shutil.which("nft") is not None and _works(commands, in_namespace(namespace, "nft", numgen))
    if nft:
        commands.run(in_namespace(namespace, "nft", "delete table inet nnl"))
    return Means(netem, nft)


def congestion_controls() -> list[str]:
    """The congestion controls that a namespace may be given."""
    allowed = Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
    return allowed.read_text().split() if allowed.exists() else []


def _works(commands: Commands, command: Command) -> bool:
    try:
        commands.run(command)
    except UserError:
        return False
    return True
