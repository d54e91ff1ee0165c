"""What `nnjax.interconnect.prediction.predict` returns: exchanges, a step, scaling, loss, failures, a run.

prediction.step.step_time.value, prediction.step.step_time.formula          # 0.0123 seconds, "step_time"
[(point.devices, point.efficiency.value) for point in prediction.scaling if point.algorithm == "ring"]
"""

from dataclasses import dataclass
from typing import Literal

from nnjax.config.link_options import Algorithm, Device, Link, Transport
from nnjax.interconnect.collective import Collective
from nnjax.interconnect.formula import Figure
from nnjax.interconnect.packets import Packing


@dataclass(frozen=True)
class CollectiveTime:
    """One exchange on a link.

    Attributes:
        collective: what is exchanged.
        algorithm: by which it is divided.
        devices: that take part.
        rounds: messages that follow one another.
        sent_bytes: of data, by the busiest device.
        packing: its packets on that device's link; none if nothing leaves its machine.
        overhead: seconds of the call itself.
        latency: seconds of all rounds, if they were empty.
        transfer: seconds of the bytes, with loss.
        time: seconds of all.
        start: seconds since the step's start.
        end: seconds since the step's start.
        algbw: GB/s (10⁹ bytes), as nccl-tests.
        busbw: GB/s (10⁹ bytes), as nccl-tests.
        figures: the numbers above with formulas and inputs.
    """

    collective: Collective
    algorithm: Algorithm
    devices: int
    rounds: int
    sent_bytes: float
    packing: Packing
    overhead: float
    latency: float
    transfer: float
    time: float
    start: float
    end: float
    algbw: float
    busbw: float
    figures: tuple[Figure, ...]

    @property
    def packets(self) -> int:
        """Data packets on the device's link."""
        return self.packing.packets

    @property
    def wire_bytes(self) -> int:
        """Bytes on that link, with all headers, acknowledgements not counted."""
        return self.packing.wire_bytes


@dataclass(frozen=True)
class StepTime:
    """One training step.

    Attributes:
        computing: seconds, of the slowest device.
        communicating: seconds of all exchanges of a step.
        exposed: seconds of communicating that no computing hides.
        step_time: seconds.
        utilisation: share of the step in which the devices compute.
        forward_end: seconds since the step's start.
        backward_end: seconds since the step's start.
        overlap: "modelled", or "none" where exchanges wait for the backward pass.
    """

    computing: Figure
    communicating: Figure
    exposed: Figure
    step_time: Figure
    utilisation: Figure
    forward_end: float
    backward_end: float
    overlap: Literal["modelled", "none"]


@dataclass(frozen=True)
class ScalingPoint:
    """A step with another number of devices.

    Attributes:
        devices: N.
        algorithm: of the all-reduces.
        step_time: seconds.
        communicating: seconds of all exchanges.
        efficiency: share of N devices' work that is left.
    """

    devices: int
    algorithm: Algorithm
    step_time: float
    communicating: float
    efficiency: Figure


@dataclass(frozen=True)
class LossEffect:
    """A step under another transport, with the link's loss.

    Attributes:
        transport: how lost packets are sent again.
        goodput: share of the lossless rate that is left to the largest message of the step; for TCP, to a long transfer.
        step_time: seconds; infinite where nothing arrives.
        rates: of TCP, by Mathis and by PFTK, in bits of data a second; empty for other transports and without loss.
    """

    transport: Transport
    goodput: Figure
    step_time: float
    rates: tuple[Figure, ...]


@dataclass(frozen=True)
class FailureEffect:
    """Failures of a job of N devices.

    Attributes:
        mean_time: seconds between two failures.
        young: best seconds between two checkpoints, to first order.
        daly: the same, to higher order.
        waste: share of the time lost with Young's interval, to first order.
        goodput: share of the time that advances the training, with Daly's interval.
        goodput_without: the same without checkpoints, for the run's length; None without a length.
    """

    mean_time: Figure
    young: Figure
    daly: Figure
    waste: Figure
    goodput: Figure
    goodput_without: Figure | None


@dataclass(frozen=True)
class RunTime:
    """A whole run.

    Attributes:
        steps: how many.
        seconds: without failures.
        expected: seconds with failures and checkpoints; None where the device states no failures.
        without_checkpoints: seconds with failures that each start the run again; infinite if it never ends; None as above.
        cost: of `expected`, or of `seconds`, in the currency of `device.price`; None without a price.
    """

    steps: int
    seconds: Figure
    expected: Figure | None
    without_checkpoints: Figure | None
    cost: Figure | None


@dataclass(frozen=True)
class Prediction:
    """What `predict` returns.

    Attributes:
        link: of the prediction.
        device: of the prediction.
        devices: N.
        algorithm: of the all-reduces.
        flops: floating-point operations of one device in a step.
        collectives: each exchange of a step, in order.
        step: the step.
        scaling: 2 to 4096 devices, by each algorithm.
        losses: each transport with the link's loss; empty where nothing crosses the link.
        failures: None where the device states none.
        run: None without a number of steps.
        notes: what was left out or taken for granted, in words.
    """

    link: Link
    device: Device
    devices: int
    algorithm: Algorithm
    flops: float
    collectives: tuple[CollectiveTime, ...]
    step: StepTime
    scaling: tuple[ScalingPoint, ...]
    losses: tuple[LossEffect, ...]
    failures: FailureEffect | None
    run: RunTime | None
    notes: tuple[str, ...]
