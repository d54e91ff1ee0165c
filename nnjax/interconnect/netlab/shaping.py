"""What a link does to packets, and the commands that make it do so, with what the kernel has. Pure.

    conditions = LinkConditions(bandwidth=100e6, delay=2e-3, loss=1e-3)
    shape_commands(lab, rank=1, conditions, Means(netem=False, nft=True))

Bandwidth holds in both directions of a rank's link (tbf at both ends). Delay, jitter and loss meet the packets on their way to
the rank: the time there and back between ranks i and j is the sum of the delays of both links.

| | with netem | without |
|---|---|---|
| delay, jitter | netem | the relay (see `relay`) |
| loss | netem | nft, random drop at the rank's input; without nft the relay |
"""

from dataclasses import dataclass

from nnjax.interconnect.netlab.topology import LINK, TABLE, Command, Lab, in_namespace

_QUEUE = 4 * 2**20  # bytes that wait at a bandwidth limit: more than the ranks have on the way, so that only `loss` loses
_BURST_PACKETS = 2
_MILLION = 1_000_000


@dataclass(frozen=True)
class LinkConditions:
    """What a rank's link does.

    Attributes:
        bandwidth: bit/s in each direction, Ethernet headers included; None for no limit.
        delay: seconds that a packet takes to the rank.
        jitter: seconds, the half width of a uniform distribution around the delay; the order of packets is kept.
        loss: share of the packets to the rank that are lost, each by itself.
        cut: whether nothing passes.
    """

    bandwidth: float | None = None
    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    cut: bool = False


@dataclass(frozen=True)
class Means:
    """What this machine has.

    Attributes:
        netem: whether the kernel has the netem queueing discipline.
        nft: whether the nft command is there.
    """

    netem: bool
    nft: bool

    def of(self, conditions: LinkConditions) -> dict[str, str]:
        """By what each condition is applied, for the report."""
        drops = "netem" if self.netem else "nft" if self.nft else "relay"
        used = {
            "bandwidth": "tbf" if conditions.bandwidth else "",
            "delay": ("netem" if self.netem else "relay over TUN") if conditions.delay or conditions.jitter else "",
            "loss": drops if conditions.loss else "",
            "cut": "link down" if conditions.cut else "",
        }
        return {key: value for key, value in used.items() if value}


def needs_relay(conditions: LinkConditions, means: Means) -> bool:
    """Whether packets to the rank must go through the relay."""
    if means.netem:
        return False
    return bool(conditions.delay or conditions.jitter or (conditions.loss and not means.nft))


def shape_commands(lab: Lab, rank: int, conditions: LinkConditions, means: Means) -> list[Command]:
    """The commands that give a rank's link its conditions, whatever they were before; without those of the relay."""
    own, port = lab.namespace(rank), lab.port(rank)
    commands = [("tc", "-n", own, "qdisc", "replace", "dev", LINK, "root", *_discipline(conditions, lab.mtu))]
    if means.netem and (conditions.delay or conditions.jitter or conditions.loss):
        down = _netem(conditions)
    else:
        down = _discipline(conditions, lab.mtu)
    commands.append(("tc", "-n", lab.hub, "qdisc", "replace", "dev", port, "root", *down))
    if means.nft and not means.netem:
        commands.append(in_namespace(own, "nft", _ruleset(conditions.loss)))
    commands.append(("ip", "-n", lab.hub, "link", "set", "dev", port, "down" if conditions.cut else "up"))
    return commands


def relay_commands(lab: Lab) -> list[Command]:
    """The commands that lead all packets between ranks through the relay."""
    return [("ip", "-n", lab.hub, "rule", "add", "iif", lab.port(rank), "lookup", TABLE) for rank in range(lab.ranks)]


def unrelay_commands(lab: Lab) -> list[Command]:
    """The commands that take the rules of `relay_commands` away."""
    return [("ip", "-n", lab.hub, "rule", "del", "iif", lab.port(rank), "lookup", TABLE) for rank in range(lab.ranks)]


def _discipline(conditions: LinkConditions, mtu: int) -> tuple[str, ...]:
    if conditions.bandwidth is None:
        return ("pfifo", "limit", "10000")
    burst = _BURST_PACKETS * (mtu + 14)
    return ("tbf", "rate", f"{round(conditions.bandwidth)}bit", "burst", str(burst), "limit", str(_QUEUE))


def _netem(conditions: LinkConditions) -> tuple[str, ...]:
    words = ["netem", "limit", "100000"]
    if conditions.delay or conditions.jitter:
        words += ["delay", f"{conditions.delay * 1e6:.0f}us", f"{conditions.jitter * 1e6:.0f}us"]
    if conditions.loss:
        words += ["loss", f"{conditions.loss * 100:.6f}%"]
    if conditions.bandwidth is not None:
        words += ["rate", f"{round(conditions.bandwidth)}bit"]
    return tuple(words)


def _ruleset(loss: float) -> str:
    """Of a rank's namespace: drops a share of the TCP packets that arrive, each by itself."""
    begin = "table inet nnl; delete table inet nnl; table inet nnl "
    if not loss:
        return "table inet nnl; delete table inet nnl"
    share = round(loss * _MILLION)
    rule = f"meta l4proto tcp numgen random mod {_MILLION} < {share} counter drop"
    return f"{begin}{{ chain input {{ type filter hook input priority 0; iifname {LINK} {rule}; }}; }}"
