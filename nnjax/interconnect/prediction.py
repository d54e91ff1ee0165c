"""What a link makes of a training step: times, utilisation, scaling, loss, failures, cost.

    prediction = predict(collectives, link, device, flops=2.4e9, devices=8, steps=10_000)
    prediction.step.step_time.value             # seconds
    prediction.collectives[0].busbw             # GB/s, as nccl-tests
    FORMULAS[prediction.step.step_time.formula].source

Everything is computed from the arguments alone. Each `Figure` names its formula and inputs, and the inputs that lie outside the
formula's range, which `Prediction.notes` repeats. `nnjax.interconnect.catalogue` has the formulas.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal, get_args

from nnjax.config.link_options import Algorithm, Device, Link, Transport
from nnjax.interconnect import timing
from nnjax.interconnect.catalogue import figure
from nnjax.interconnect.collective import Collective, scaled
from nnjax.interconnect.collective_time import goodput_of, time_of
from nnjax.interconnect.formula import Figure
from nnjax.interconnect.predicted import CollectiveTime, FailureEffect, LossEffect, Prediction, RunTime, ScalingPoint, StepTime

__all__ = [
    "SCALES",
    "CollectiveTime",
    "Fixed",
    "Prediction",
    "StepTime",
    "predict",
    "predict_failures",
    "predict_step",
    "scaling",
]

Fixed = Literal["device_batch", "global_batch"]
"""What stays the same as devices are added: each device's batch (weak scaling), or the batch of all (strong scaling)."""

SCALES = tuple(2**power for power in range(1, 13))
"""Numbers of devices in `Prediction.scaling`: 2 to 4096."""


def predict(
    collectives: Sequence[Collective],
    link: Link,
    device: Device,
    *,
    flops: float,
    devices: int,
    steps: int | None = None,
    algorithm: Algorithm = "ring",
    fixed: Fixed = "device_batch",
    ready: Sequence[float] | None = None,
) -> Prediction:
    """Predicts a step and a run.

    Args:
        collectives: of a step, in the order in which they are issued; those that are not of every step are left out.
        link: between machines, or between all devices if `device.per_machine` is 1.
        device: its `step_time`, if set, replaces `flops` and the peak.
        flops: floating-point operations of one device in a step.
        devices: how many take part; 1 exchanges nothing.
        steps: of the run.
        algorithm: of the all-reduces.
        fixed: what stays the same in `scaling`.
        ready: for each collective of every step, the share of the backward pass after which its gradients are there; None takes
            the share of the gradients' bytes that have been issued by then.

    Raises:
        ValueError: if a hierarchical exchange cannot be divided into equal machines.
    """
    every_step = tuple(collective for collective in collectives if collective.per_step)
    alone = computing_alone(device, flops)
    step, timed = predict_step(every_step, link, device, alone=alone, devices=devices, algorithm=algorithm, ready=ready)
    seconds = None if steps is None else figure("run", "run_time", step=step.step_time.value, steps=steps, goodput=1.0)
    failures = None
    if device.failure_hours is not None:
        failures = predict_failures(device, devices, None if seconds is None else seconds.value)
    run = None if seconds is None or steps is None else _run(seconds, step.step_time.value, steps, device, devices, failures)
    points = scaling(every_step, link, device, alone=alone, devices=devices, fixed=fixed, ready=ready)
    crosses = any(one.packets for one in timed)
    losses = _losses(every_step, link, device, alone, devices, algorithm, ready) if crosses else ()
    notes = [
        *_left_out(collectives, every_step, device, failures, run),
        *_outside((alone, step, timed, points, losses, failures, run)),
    ]
    return Prediction(
        link=link,
        device=device,
        devices=devices,
        algorithm=algorithm,
        flops=flops,
        collectives=timed,
        step=step,
        scaling=points,
        losses=losses,
        failures=failures,
        run=run,
        notes=tuple(dict.fromkeys(notes)),
    )


def computing_alone(device: Device, flops: float) -> Figure:
    """Seconds that one device computes in a step, by itself."""
    if device.step_time is not None:
        return figure("computing", "measured_time", step_time=device.step_time)
    return figure("computing", "computing_time", flops=flops, peak_flops=device.peak_flops, flops_share=device.flops_share)


def predict_step(
    collectives: Sequence[Collective],
    link: Link,
    device: Device,
    *,
    alone: Figure,
    devices: int,
    algorithm: Algorithm = "ring",
    ready: Sequence[float] | None = None,
) -> tuple[StepTime, tuple[CollectiveTime, ...]]:
    """Predicts one step, and each of its exchanges with its place in the step.

    Args:
        collectives: of every step, in order.
        link: as in `predict`.
        device: as in `predict`.
        alone: seconds that one device computes by itself.
        devices: N.
        algorithm: of the all-reduces.
        ready: as in `predict`.
    """
    computing = alone
    if device.spread:
        computing = figure("computing", "step_with_spread", seconds=alone.value, spread=device.spread, devices=devices)
    timed = [time_of(collective, link, device, devices=devices, algorithm=algorithm) for collective in collectives]
    shares = _ready(collectives) if ready is None else ready
    exchanges = [
        timing.Exchange(one.time, collective.backward, share)
        for one, collective, share in zip(timed, collectives, shares, strict=True)
    ]
    line = timing.timeline(computing.value, exchanges, overlap=device.overlap)
    placed = tuple(replace(one, start=start, end=end) for one, (start, end) in zip(timed, line.spans, strict=True))
    exposed = figure("exposed communication", "exposed_time", end=line.end, computing=computing.value)
    step = figure("step", "step_time", computing=computing.value, exposed=exposed.value)
    busy = figure("utilisation", "utilisation", computing=alone.value, step=step.value)
    total = figure("communicating", "total", seconds=sum(one.time for one in timed))
    overlap: Literal["modelled", "none"] = "modelled" if device.overlap else "none"
    return StepTime(computing, total, exposed, step, busy, line.forward, line.backward, overlap), placed


def scaling(
    collectives: Sequence[Collective],
    link: Link,
    device: Device,
    *,
    alone: Figure,
    devices: int,
    fixed: Fixed = "device_batch",
    ready: Sequence[float] | None = None,
) -> tuple[ScalingPoint, ...]:
    """Predicts the step with 2 to 4096 devices and each algorithm; hierarchical where a machine has several devices.

    Args:
        collectives: of every step with `devices`; what BatchNorm gathers grows with the number of devices.
        link: as in `predict`.
        device: as in `predict`.
        alone: seconds that one of `devices` computes by itself.
        devices: among which `fixed="global_batch"` divides the batch of `alone`.
        fixed: what stays the same.
        ready: as in `predict`.
    """
    points = []
    for number in SCALES:
        share = devices / number if fixed == "global_batch" else 1.0
        computing = replace(alone, value=alone.value * share)
        sent = scaled(collectives, devices, number)
        for algorithm in get_args(Algorithm):
            if algorithm == "hierarchical" and (device.per_machine == 1 or number % min(number, device.per_machine)):
                continue
            step, _ = predict_step(sent, link, device, alone=computing, devices=number, algorithm=algorithm, ready=ready)
            seconds = step.step_time.value
            if fixed == "global_batch":
                whole = alone.value * devices
                efficiency = figure("efficiency", "strong_efficiency", alone=whole, step=seconds, devices=number)
            else:
                efficiency = figure("efficiency", "weak_efficiency", alone=alone.value, step=seconds)
            points.append(ScalingPoint(number, algorithm, seconds, step.communicating.value, efficiency))
    return tuple(points)


def predict_failures(device: Device, devices: int, seconds: float | None = None) -> FailureEffect:
    """Predicts how often a job of N devices fails, and what checkpoints save.

    Args:
        device: with `failure_hours`.
        devices: N.
        seconds: of the run without failures; None leaves out the run without checkpoints.
    """
    assert device.failure_hours is not None
    mean = figure("time between failures", "time_between_failures", device_hours=device.failure_hours, devices=devices)
    costs = {"checkpoint_time": device.checkpoint_time, "mean_time": mean.value}
    young, daly = figure("checkpoint interval", "young", **costs), figure("checkpoint interval", "daly", **costs)
    without = None
    if seconds is not None:
        inputs = {"seconds": seconds, "restart_time": device.restart_time, "mean_time": mean.value}
        without = figure("goodput without checkpoints", "goodput_without_checkpoints", **inputs)
    return FailureEffect(
        mean_time=mean,
        young=young,
        daly=daly,
        waste=figure("waste", "young_waste", interval=young.value, **costs),
        goodput=figure("goodput", "goodput", interval=daly.value, restart_time=device.restart_time, **costs),
        goodput_without=without,
    )


def _run(seconds: Figure, step: float, steps: int, device: Device, devices: int, failures: FailureEffect | None) -> RunTime:
    expected, without = None, None
    if failures is not None:
        expected = figure("run with failures", "run_time", step=step, steps=steps, goodput=failures.goodput.value)
        inputs = {"seconds": seconds.value, "restart_time": device.restart_time, "mean_time": failures.mean_time.value}
        without = figure("run without checkpoints", "time_without_checkpoints", **inputs)
    price = None
    if device.price is not None:
        longest = (expected or seconds).value
        price = figure("cost", "cost", seconds=longest, devices=devices, price=device.price)
    return RunTime(steps, seconds, expected, without, price)


def _losses(
    collectives: Sequence[Collective],
    link: Link,
    device: Device,
    alone: Figure,
    devices: int,
    algorithm: Algorithm,
    ready: Sequence[float] | None,
) -> tuple[LossEffect, ...]:
    effects = []
    for name in get_args(Transport):
        other = replace(link, transport=name)
        step, timed = predict_step(collectives, other, device, alone=alone, devices=devices, algorithm=algorithm, ready=ready)
        packets = max(one.packing.message_packets for one in timed)
        rates: tuple[Figure, ...] = ()
        if name == "tcp" and link.loss:
            inputs = {"mss": link.payload, "rtt": link.round_trip, "loss": link.loss, "acks": link.ack_every}
            rates = (
                figure("TCP's rate, Mathis", "mathis", **inputs),
                figure("TCP's rate, PFTK", "pftk", timeout=link.timeout, **inputs),
            )
        effects.append(LossEffect(name, goodput_of(other, packets), step.step_time.value, rates))
    return tuple(effects)


def _ready(collectives: Sequence[Collective]) -> list[float]:
    """The share of the backward pass's bytes that have been issued with each collective; 1 for those that come after it."""
    total = sum(collective.size for collective in collectives if collective.backward)
    issued, shares = 0, []
    for collective in collectives:
        issued += collective.size if collective.backward else 0
        shares.append(issued / total if collective.backward and total else 1.0)
    return shares


def _left_out(
    given: Sequence[Collective],
    every_step: Sequence[Collective],
    device: Device,
    failures: FailureEffect | None,
    run: RunTime | None,
) -> Iterator[str]:
    if rest := len(given) - len(every_step):
        yield f"{rest} of {len(given)} collectives are not of every step, and are left out"
    if device.step_time is None:
        yield f"device.flops_share={device.flops_share:g} is taken from large networks; small ones reach less: device=measured"
    if device.overlap:
        yield "communicating beside the backward pass is modelled, not measured"
    if failures and run and run.seconds.value < failures.daly.value:
        yield "the run is shorter than a checkpoint interval: its time with failures is a mean of longer runs"
    if device.failure_hours is None:
        yield "device.failure_hours is null: no failures are predicted"
    if device.price is None:
        yield "device.price is null: no cost is computed"


def _outside(value: Any) -> Iterator[str]:
    """Names the figures whose inputs lie outside their formula's range."""
    if isinstance(value, Figure):
        yield from (f"{value.name} ({value.formula}) is outside its formula's range: {words}" for words in value.outside)
    elif is_dataclass(value):
        for item in fields(value):
            yield from _outside(getattr(value, item.name))
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for item in value:
            yield from _outside(item)
