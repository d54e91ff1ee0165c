"""What a compiled training step sends, computes and stores, as plain numbers: the input of reports and predictions.

facts = compiled_step(config, num_devices=8)        # nnjax.interconnect.step_program
facts.plan.steps.per_epoch * sum(collective.size for collective in facts.of_step)
"""

from collections.abc import Mapping
from dataclasses import dataclass

from nnjax.checks.plan import Plan
from nnjax.interconnect.collective import Collective
from nnjax.interconnect.compiled import Reading, phase_of


@dataclass(frozen=True)
class StepFacts:
    """What a compiled training step sends, computes and stores, on each device.

    Attributes:
        plan: of the experiment.
        reading: the collectives, for `num_devices` devices.
        num_devices: that share the work.
        simulated: for how many the program was compiled.
        platform: where.
        steps_per_call: the most steps of a call.
        layer_flops: by layer, in order, those of one example's forward pass; without loss and optimizer.
        flops: of one step on one device: XLA's count of the program, in which a loop of known length counts as often as it
            runs; None where XLA has no count.
        product_flops: of its matrix products and convolutions, those with padded zeros included, which XLA leaves out.
        memory: bytes of each device by part: arguments, outputs, temporary, aliased, total (the sum without what is aliased).
        parameters: bytes of the trained parameters of all trials of a device.
        optimizer: bytes of the optimizer's memory, likewise.
        state: bytes of all that training changes, likewise.
    """

    plan: Plan
    reading: Reading
    num_devices: int
    simulated: int
    platform: str
    steps_per_call: int
    layer_flops: Mapping[str, float]
    flops: float | None
    product_flops: float
    memory: Mapping[str, int]
    parameters: int
    optimizer: int
    state: int

    @property
    def of_step(self) -> tuple[Collective, ...]:
        """The collectives of every step, in order."""
        return tuple(collective for collective in self.reading.collectives if collective.per_step)

    @property
    def of_call(self) -> tuple[Collective, ...]:
        """Those of every call of the compiled program, whatever its number of steps."""
        return tuple(collective for collective in self.reading.collectives if not collective.per_step)

    @property
    def gradient_bytes(self) -> int:
        """Bytes of the gradients that a step exchanges, without padding."""
        return sum(
            part.count * collective.item_size
            for collective in self.of_step
            for part in collective.parts
            if phase_of(part, collective) == "gradients"
        )
