"""The config of `experiments.netlab`, in a module of its own because `schema` is long enough.

config = parse(NetlabConfig, values)
config.parts, config.bandwidths                 # ("bytes", "grid", "faults", "straggler"), (2e7, 1e8)
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from nnjax.config.types import Bounds, NonNegativeFloat, PositiveFloat, PositiveInt, Probability, Seed

NetlabPart = Literal["bytes", "grid", "faults", "straggler"]
Ranks = Annotated[int, Bounds(at_least=2, at_most=64)]
Mtu = Annotated[int, Bounds(at_least=576, at_most=1500)]


@dataclass(frozen=True, kw_only=True)
class NetlabConfig:
    """`python -m experiments.netlab`: real trainings over network namespaces, and the prediction beside them.

    Attributes:
        parts: what is measured. `bytes`: what the interfaces count, for 2, 3 and 4 processes. `grid`: the time of a step at
            each point. `faults`: how a training ends when a process is killed or frozen, or a link is cut. `straggler`: three
            processes, of which one has a slow link.
        processes: of the grid.
        bandwidths: bits a second of each link, both ways; the first axis of the grid.
        delays: seconds that a packet takes from one rank to another.
        losses: share of the packets that are lost.
        hidden_layers: of the network; one with n of them has 2 · (n + 1) tensors.
        parameters: about how many numbers each network has, whatever its layers.
        jitter: seconds around the delay.
        mtu: bytes of an IP packet.
        congestion_control: of TCP, one that the kernel allows in a namespace; BBR hardly reacts to random loss.
        seconds: how long each point is measured; one with loss four times as long.
        peer_timeout: of the trainings in `faults`.
        seed: draws the relay's jitter and losses.
        train: further overrides of `experiments.train` for all trainings.
    """

    parts: tuple[NetlabPart, ...]
    processes: Ranks
    bandwidths: tuple[PositiveFloat, ...]
    delays: tuple[NonNegativeFloat, ...]
    losses: tuple[Probability, ...]
    hidden_layers: tuple[PositiveInt, ...]
    parameters: PositiveInt
    jitter: NonNegativeFloat
    mtu: Mtu
    congestion_control: str
    seconds: PositiveFloat
    peer_timeout: PositiveFloat
    seed: Seed
    train: tuple[str, ...]
