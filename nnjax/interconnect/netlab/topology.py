"""The lab's network as the commands that build it: one namespace a rank, and a hub between them. Pure.

    lab = Lab("1f3a", ranks=2)
    lab.namespaces                                   # ("nnl-1f3a-hub", "nnl-1f3a-0", "nnl-1f3a-1")
    for command in build_commands(lab, "reno"):      # ("ip", "netns", "add", "nnl-1f3a-hub"), …
        run(command)

    namespace 0                 hub                          namespace 1
    nnl-link ====== veth ====== nnl-0    nnl-1 ====== veth ====== nnl-link
    198.18.0.2             198.18.0.1    198.18.1.1             198.18.1.2
                                 nnl-relay (TUN)

The hub routes. With a delay, packets that come from a rank go through the TUN interface, where a relay holds them (see
`relay`). Every interface is made inside of a namespace, so the machine's own network never sees one. The addresses are those
that RFC 2544 sets aside for measurements.
"""

from dataclasses import dataclass

PREFIX = "nnl-"
LINK, RELAY = "nnl-link", "nnl-relay"
"""The interface of a rank, and the hub's TUN interface."""

TABLE = "77"
"""The hub's routing table that leads into the relay."""

Command = tuple[str, ...]


@dataclass(frozen=True)
class Lab:
    """Names and addresses.

    Attributes:
        token: distinguishes labs that run at the same time.
        ranks: how many namespaces, besides the hub's.
        mtu: bytes of an IP packet.
    """

    token: str
    ranks: int
    mtu: int = 1500

    @property
    def hub(self) -> str:
        """The hub's namespace."""
        return f"{PREFIX}{self.token}-hub"

    def namespace(self, rank: int) -> str:
        """A rank's namespace."""
        return f"{PREFIX}{self.token}-{rank}"

    @property
    def namespaces(self) -> tuple[str, ...]:
        """All of them, the hub's first."""
        return (self.hub, *map(self.namespace, range(self.ranks)))

    def port(self, rank: int) -> str:
        """The hub's end of a rank's link."""
        return f"{PREFIX}{rank}"

    def address(self, rank: int) -> str:
        """A rank's address."""
        return f"198.18.{rank}.2"

    def gateway(self, rank: int) -> str:
        """The hub's address on a rank's link."""
        return f"198.18.{rank}.1"

    def host(self, rank: int) -> str:
        """The name of a rank's machine."""
        return f"rank-{rank}"

    @property
    def hosts(self) -> str:
        """Content of /etc/hosts: gloo listens at the address of the machine's name."""
        return "127.0.0.1 localhost\n" + "".join(f"{self.address(rank)} {self.host(rank)}\n" for rank in range(self.ranks))


def build_commands(lab: Lab, congestion_control: str) -> list[Command]:
    """The commands that make the namespaces, the links and the routes, in order.

    Segments leave TCP as packets of the MTU (`gso_max_segs 1`): otherwise a veth pair passes up to 64 KiB as one packet, no
    header is paid for, and a loss hits 44 packets at once. IPv6 is off, since its own packets would count.
    """
    commands: list[Command] = [("ip", "netns", "add", name) for name in lab.namespaces]
    commands += [in_namespace(name, "sh", "-c", _settings(congestion_control)) for name in lab.namespaces]
    commands += [("ip", "-n", name, "link", "set", "lo", "up") for name in lab.namespaces]
    for rank in range(lab.ranks):
        own, port = lab.namespace(rank), lab.port(rank)
        size = ("mtu", str(lab.mtu), "gso_max_size", str(max(lab.mtu, 1500)), "gso_max_segs", "1")
        commands += [
            ("ip", "-n", lab.hub, "link", "add", port, "type", "veth", "peer", "name", LINK, "netns", own),
            ("ip", "-n", lab.hub, "link", "set", "dev", port, *size, "up"),
            ("ip", "-n", own, "link", "set", "dev", LINK, *size, "up"),
            ("ip", "-n", lab.hub, "addr", "add", f"{lab.gateway(rank)}/24", "dev", port),
            # With the link cut, packets to the rank vanish; without this route the hub would answer that it has none.
            ("ip", "-n", lab.hub, "route", "add", "blackhole", f"{lab.gateway(rank)[:-1]}0/24", "metric", "1000"),
            ("ip", "-n", own, "addr", "add", f"{lab.address(rank)}/24", "dev", LINK),
            ("ip", "-n", own, "route", "add", "default", "via", lab.gateway(rank)),
        ]
    return [
        *commands,
        ("ip", "-n", lab.hub, "tuntap", "add", "dev", RELAY, "mode", "tun"),
        ("ip", "-n", lab.hub, "link", "set", "dev", RELAY, "mtu", str(lab.mtu), "txqueuelen", "10000", "up"),
        ("ip", "-n", lab.hub, "route", "add", "default", "dev", RELAY, "table", TABLE),
    ]


def in_namespace(name: str, *command: str) -> Command:
    """A command, to be run in a namespace."""
    return ("ip", "netns", "exec", name, *command)


def as_machine(lab: Lab, rank: int, hosts_file: str, *command: str) -> Command:
    """A command, to be run as on a machine of its own: in a rank's namespace, with its host name and /etc/hosts.

    Both hold for the command and its children only; nothing outside changes, and nothing needs to be restored.
    """
    script = 'hostname "$1" && mount --bind "$2" /etc/hosts && shift 2 && exec "$@"'
    return in_namespace(
        lab.namespace(rank), "unshare", "--uts", "--mount", "sh", "-c", script, "sh", lab.host(rank), hosts_file, *command
    )


def _settings(congestion_control: str) -> str:
    """A shell script with a namespace's settings."""
    settings = {
        "ipv6/conf/all/disable_ipv6": "1",
        "ipv6/conf/default/disable_ipv6": "1",
        "ipv4/ip_forward": "1",
        "ipv4/conf/all/rp_filter": "0",
        "ipv4/conf/default/rp_filter": "0",
        "ipv4/conf/all/send_redirects": "0",
        "ipv4/conf/default/send_redirects": "0",
        "ipv4/tcp_congestion_control": congestion_control,
        "ipv4/tcp_no_metrics_save": "1",  # a connection knows nothing of the one before
    }
    optional = ("ipv6/conf/all/disable_ipv6", "ipv6/conf/default/disable_ipv6")
    lines = [
        f"echo {value} > /proc/sys/net/{key}" + (" 2>/dev/null || true" if key in optional else " || exit 1")
        for key, value in settings.items()
    ]
    return "\n".join(lines)
