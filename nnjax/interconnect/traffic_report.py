"""The report of a training step's traffic: plain numbers for `traffic.json`, tables, figures and exports.

    report = traffic_report(facts, link, device, algorithm="ring", fixed="device_batch")
    report["collectives"][0]["size"], report["prediction"]["step_time"]["value"]      # bytes, seconds

Column names are those of nccl-tests: size (bytes), count, type, redop, algbw and busbw (GB/s, 10⁹ bytes). Every predicted
number names its formula, which stands in `report["formulas"]`.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, get_args

from nnjax.config.link_options import Algorithm, Device, Link
from nnjax.interconnect.algorithms import bus_factor
from nnjax.interconnect.catalogue import FORMULAS
from nnjax.interconnect.collective import Collective
from nnjax.interconnect.collective_time import time_of
from nnjax.interconnect.compiled import phase_of
from nnjax.interconnect.packets import interface_bytes
from nnjax.interconnect.predicted import CollectiveTime, Prediction
from nnjax.interconnect.prediction import Fixed, computing_alone, predict, predict_step
from nnjax.interconnect.report_numbers import formulas_of, predicted_numbers
from nnjax.interconnect.step_facts import StepFacts

_NCCL_TYPES = {"float32": "float", "float64": "double", "float16": "half", "bool": "uint8"}
_REDUCING = frozenset({"all_reduce", "reduce_scatter"})

FLOPS_COUNT = (
    "XLA's count of the compiled program for one device: products, sums and elementwise operations of one step, and what a "
    "call does once; a loop of known length counts as often as it runs, by its matrix products"
)
BYTES_COUNT = (
    "the collectives of the compiled training steps alone: no evaluations, no checkpoints, no agreement of several processes, "
    "no start; those of a call are counted as if calls did as many steps as they can"
)


def traffic_report(facts: StepFacts, link: Link, device: Device, *, algorithm: Algorithm, fixed: Fixed) -> dict[str, Any]:
    """Collects everything that follows from a compiled step, a link and a device.

    Args:
        facts: of the compiled step.
        link: that joins the devices.
        device: that computes.
        algorithm: of the collectives whose time is predicted.
        fixed: what stays the same as devices are added.

    Raises:
        ValueError: if a hierarchical exchange cannot be divided into equal machines.
    """
    flops = facts.flops or facts.product_flops
    prediction = predict(
        facts.reading.collectives,
        link,
        device,
        flops=flops,
        devices=facts.num_devices,
        steps=facts.plan.steps.total,
        algorithm=algorithm,
        fixed=fixed,
    )
    rows = collective_rows(facts, prediction, link, device, algorithm)
    sent = sum(timed.sent_bytes for timed in prediction.collectives)
    report = {
        "settings": settings(facts, link, device, algorithm),
        "compiled": {
            "platform": facts.platform,
            "simulated_devices": facts.simulated,
            "remarks": list(facts.reading.remarks),
            "named_by_order": list(facts.reading.by_order),
        },
        "collectives": rows,
        "layers": layer_bytes(facts.of_step, tuple(facts.layer_flops)),
        "bytes": {
            "counts": BYTES_COUNT,
            "gradients": facts.gradient_bytes,
            "parameters": facts.parameters,
            "buffers_per_step": sum(one.size for one in facts.of_step),
            "buffers_per_call": sum(one.size for one in facts.of_call),
            "by_algorithm": algorithm_rows(facts, link, device, algorithm),
        },
        "flops": {
            "step": flops,
            "products": facts.product_flops,
            "counts": FLOPS_COUNT if facts.flops else "matrix products and convolutions",
            "per_byte_sent": flops / sent if sent else None,
        },
        "memory": {
            **facts.memory,
            "parameters": facts.parameters,
            "optimizer": facts.optimizer,
            "state": facts.state,
            "device": device.memory.bytes,
        },
        "prediction": predicted_numbers(prediction),
    }
    report["formulas"] = formulas_of(report)
    return report


def settings(facts: StepFacts, link: Link, device: Device, algorithm: Algorithm) -> dict[str, Any]:
    """What the report is about."""
    config, steps = facts.plan.config, facts.plan.steps
    return {
        "model": config.model.name,
        "data": config.data.name,
        "optimizer": config.optimizer.name,
        "devices": facts.num_devices,
        "gradients": config.parallel.gradients,
        "bucket_bytes": config.parallel.bucket_bytes.bytes,
        "global_batch_size": facts.plan.global_batch_size,
        "trials": facts.plan.num_trials,
        "steps_per_epoch": steps.per_epoch,
        "steps": steps.total,
        "steps_per_call": facts.steps_per_call,
        "algorithm": algorithm,
        "link": link.name,
        "mtu": link.mtu,
        "device": device.name,
    }


def collective_rows(
    facts: StepFacts, prediction: Prediction, link: Link, device: Device, algorithm: Algorithm
) -> list[dict[str, Any]]:
    """One row for each collective, those of a step first."""
    timed = list(prediction.collectives)
    timed += [time_of(one, link, device, devices=facts.num_devices, algorithm=algorithm) for one in facts.of_call]
    return [_row(number, one) for number, one in enumerate(timed, start=1)]


def _row(number: int, timed: CollectiveTime) -> dict[str, Any]:
    one = timed.collective
    return {
        "number": number,
        "per": "step" if one.per_step else "call",
        "collective": one.kind,
        "phase": one.phase,
        "layers": list(one.layers),
        "tensors": [{**asdict(part), "phase": phase_of(part, one)} for part in one.parts],
        "size": one.size,
        "count": one.count,
        "type": _NCCL_TYPES.get(one.dtype, one.dtype),
        "redop": "sum" if one.kind in _REDUCING else "none",
        "group_size": one.group_size,
        "buffers": one.buffers,
        "backward": one.backward,
        "rounds": timed.rounds,
        "sent_bytes": timed.sent_bytes,
        "packets": timed.packets,
        "wire_bytes": timed.wire_bytes,
        "time": timed.time,
        "start": timed.start if one.per_step else None,
        "end": timed.end if one.per_step else None,
        "bus_factor": bus_factor(one.kind, one.group_size),
        "algbw": timed.algbw,
        "busbw": timed.busbw,
    }


def way_row(facts: StepFacts, link: Link, device: Device, *, algorithm: Algorithm) -> dict[str, Any]:
    """One way to average gradients, for the table that compares them.

    Args:
        facts: of the step compiled that way.
        link: that joins the devices.
        device: that computes.
        algorithm: of the collectives.

    Raises:
        ValueError: if a hierarchical exchange cannot be divided into equal machines.
    """
    alone = computing_alone(device, facts.flops or facts.product_flops)
    step, timed = predict_step(facts.of_step, link, device, alone=alone, devices=facts.num_devices, algorithm=algorithm)
    return {
        "gradients": facts.plan.config.parallel.gradients,
        "collectives": len(timed),
        "buffers": sum(one.buffers for one in facts.of_step),
        "size": sum(one.size for one in facts.of_step),
        "gradient_bytes": facts.gradient_bytes,
        "sent_per_step": sum(one.sent_bytes for one in timed),
        "packets_per_step": sum(one.packets for one in timed),
        "wire_per_step": sum(one.wire_bytes for one in timed),
        "memory": facts.memory.get("total"),
        "optimizer": facts.optimizer,
        "communicating": step.communicating.value,
        "exposed": step.exposed.value,
        "step_time": step.step_time.value,
        "named_by_order": len(facts.reading.by_order),
    }


def layer_bytes(collectives: Sequence[Collective], layers: Sequence[str]) -> list[dict[str, Any]]:
    """Bytes of a step's buffers by layer and phase, in the order of the layers; "" is what has no layer."""
    found: dict[str, dict[str, int]] = {layer: {} for layer in layers}
    for one in collectives:
        for part in one.parts:
            phases = found.setdefault(part.layer, {})
            phase = phase_of(part, one)
            phases[phase] = phases.get(phase, 0) + part.count * one.item_size
    return [{"layer": layer, **phases} for layer, phases in found.items() if phases]


def algorithm_rows(facts: StepFacts, link: Link, device: Device, chosen: Algorithm) -> list[dict[str, Any]]:
    """What the busiest device sends, by algorithm; without those into whose groups the devices cannot be divided.

    Where each machine has one device, `hierarchical` is a ring, and has a row only if it is `chosen`.
    """
    rows = []
    calls = math.ceil(facts.plan.steps.total / facts.steps_per_call)
    for algorithm in get_args(Algorithm):
        if algorithm == "hierarchical" and device.per_machine == 1 and algorithm != chosen:  # a ring
            continue
        try:
            step, call = (
                [time_of(one, link, device, devices=facts.num_devices, algorithm=algorithm) for one in some]
                for some in (facts.of_step, facts.of_call)
            )
        except ValueError:
            continue
        counted = sum(interface_bytes(timed.packing, link) for timed in step) if device.per_machine == 1 else None
        a_step, a_call = (sum(timed.sent_bytes for timed in some) for some in (step, call))
        formula = FORMULAS[f"{algorithm}_bytes"]
        rows.append(
            {
                "algorithm": algorithm,
                "formula": formula.text,
                "source": formula.source,
                "sent_per_step": a_step,
                "packets_per_step": sum(timed.packets for timed in step),
                "wire_per_step": sum(timed.wire_bytes for timed in step),
                "interface_per_step": counted,
                "sent_per_epoch": a_step * facts.plan.steps.per_epoch,
                "sent_per_run": a_step * facts.plan.steps.total + a_call * calls,
                "communicating": sum(timed.time for timed in step),
            }
        )
    return rows
