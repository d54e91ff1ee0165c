"""The links between devices, and the devices: the groups `link` and `device` of `experiments.traffic`.

    python -m experiments.traffic link=roce_100g link.loss=1e-4 device=a100

All rates are in bits a second and all times in seconds; k, M, G stand for powers of ten (10⁹ bit/s is 1 Gb/s, 10⁹ bytes are
1 GB). `conf/link/*.yaml` and `conf/device/*.yaml` have the presets, with the source of each number.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from nnjax.config.types import Bounds, MemorySize, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Probability

Transport = Literal["tcp", "go_back_n", "go_back_0", "selective_repeat"]
"""How lost packets are sent again: `nnjax.interconnect.transport` has the formulas."""

Algorithm = Literal["ring", "tree", "halving_doubling", "hierarchical"]
"""How a collective is divided into messages: `nnjax.interconnect.algorithms` has the formulas."""

LinkName = Literal["nvlink", "infiniband_400g", "roce_400g", "roce_100g", "ethernet_10g", "ethernet_1g", "wifi", "custom"]
DeviceName = Literal["a100", "h100", "h200", "tpu_v5e", "cpu", "measured", "custom"]
AtLeastOne = Annotated[float, Bounds(at_least=1)]
PositiveShare = Annotated[float, Bounds(above=0, at_most=1)]


@dataclass(frozen=True, kw_only=True)
class Link:
    """The link of each device to all others, in one direction; both directions work at once.

    Attributes:
        name: the preset's name.
        bandwidth: bits a second on the wire, headers included.
        latency: seconds from one device to another, without the time that the bits themselves take (half of a ping).
        jitter: standard deviation of the latency, in seconds.
        loss: share of the packets that are lost, each independently of the others.
        mtu: bytes that a packet holds at most, as the technology counts: of IP's packet for Ethernet with TCP, of data alone
            for InfiniBand, RoCE and NVLink.
        header_bytes: bytes of the MTU that are no data: the headers of IP and TCP, or 0.
        frame_bytes: bytes on the wire that a packet takes beside the MTU: frame, preamble, gap, all headers outside the MTU.
        ack_bytes: bytes on the wire of an acknowledgement, in the other direction; 0 where none is counted.
        ack_every: data packets that an acknowledgement answers.
        transport: how lost packets are sent again.
        window: packets that may be sent before the first is acknowledged; null is what fills the link (bandwidth × round trip).
        timeout: seconds after which a packet that nothing answers is sent again.
        lossless: whether a full buffer stops the senders (PFC, credits) instead of dropping packets.
        oversubscription: how many times less the switches carry between them than all devices together can send; 1 is none.
        incast: senders that send to one receiver at the same time.
        buffer: bytes that a switch can hold for one receiver.
        round_latencies: one-way latencies that one round of a collective takes: 1 where the sender may write at once (NCCL), 2
            where it waits for the receiver's permission (gloo).
        call_overhead: seconds that each collective takes whatever its size and group.
    """

    name: LinkName
    bandwidth: PositiveFloat
    latency: NonNegativeFloat
    jitter: NonNegativeFloat
    loss: Probability
    mtu: PositiveInt
    header_bytes: NonNegativeInt
    frame_bytes: NonNegativeInt
    ack_bytes: NonNegativeInt
    ack_every: PositiveInt
    transport: Transport
    window: PositiveInt | None
    timeout: PositiveFloat
    lossless: bool
    oversubscription: AtLeastOne
    incast: PositiveInt
    buffer: MemorySize
    round_latencies: PositiveFloat
    call_overhead: NonNegativeFloat

    @property
    def payload(self) -> int:
        """Bytes of data in a full packet."""
        return self.mtu - self.header_bytes

    @property
    def round_trip(self) -> float:
        """Seconds to the other device and back."""
        return 2 * self.latency


@dataclass(frozen=True, kw_only=True)
class Device:
    """What one accelerator computes, how it is joined to the others in its machine, and how often it fails.

    Attributes:
        name: the preset's name.
        peak_flops: floating-point operations a second at most, in the precision of training.
        flops_share: share of the peak that training reaches.
        memory: of one device.
        run: folder of an earlier run, whose time of a step is taken in place of the two above (`device=measured`); null is off.
        step_time: seconds that one step computes, in place of the peak and its share; null computes it from them.
        overlap: whether collectives run beside the backward pass that is still computing.
        spread: standard deviation of the time of a step between devices, as a share of it; the slowest sets the pace.
        per_machine: devices in one machine.
        inner_bandwidth: bits a second between devices of a machine, in one direction; null is the link's.
        inner_latency: seconds between devices of a machine, in one direction; null is the link's.
        failure_hours: mean hours between two failures of one device, with its share of the machine; null predicts no failures.
        checkpoint_time: seconds that training stands still for a checkpoint.
        restart_time: seconds from a failure to the first step after the restart.
        price: of a device for an hour, in any currency; null computes no cost.
    """

    name: DeviceName
    peak_flops: PositiveFloat
    flops_share: PositiveShare
    memory: MemorySize
    run: str | None
    step_time: PositiveFloat | None
    overlap: bool
    spread: NonNegativeFloat
    per_machine: PositiveInt
    inner_bandwidth: PositiveFloat | None
    inner_latency: NonNegativeFloat | None
    failure_hours: PositiveFloat | None
    checkpoint_time: PositiveFloat
    restart_time: NonNegativeFloat
    price: NonNegativeFloat | None
