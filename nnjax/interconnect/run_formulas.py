"""The formulas of steps and runs; `nnjax.interconnect.catalogue` has these and those of links.

RUN_FORMULAS[0].name                # "computing_time"
"""

from nnjax.config.types import Bounds
from nnjax.interconnect import algorithms, failures, stragglers, timing
from nnjax.interconnect.formula import ANY, BYTES, DEVICES, SECONDS, SHARE, Input, formula, up_to

_DALY = "Daly, A higher order estimate of the optimum checkpoint interval for restart dumps, FGCS 22(3), 2006"
_YOUNG = "Young, A first order approximation to the optimum checkpoint interval, CACM 17(9), 1974"
_RATE = "failures are independent, at a constant rate, and each ends the whole job"
_SUM = "derived here: the parts add up"
_POSITIVE = Input("s", Bounds(above=0))
_FLOPS = Input("FLOP", ANY.bounds)

RUN_FORMULAS = (
    formula(
        timing.computing_time,
        "flops / (peak_flops · flops_share)",
        "model FLOPs utilisation: Chowdhery et al., PaLM, arXiv:2204.02311, appendix B",
        "the share is that of a network of the same kind and size; small ones reach far less",
        "s",
        flops=_FLOPS,
        peak_flops=Input("FLOP/s", Bounds(above=0)),
        flops_share=Input("", Bounds(above=0, at_most=1)),
    ),
    formula(
        timing.measured_time,
        "step_time",
        "a run's own measurement, or the device's step_time",
        "the step of one device without communication",
        "s",
        step_time=SECONDS,
    ),
    formula(
        stragglers.step_with_spread,
        "seconds · (1 + spread · e(devices)), where e is as in round_with_jitter",
        "Tippett, On the extreme individuals and the range of samples, Biometrika 17, 1925",
        "the devices' times are independent and normal; a device that is always slow sets the pace by itself",
        "s",
        seconds=SECONDS,
        spread=up_to(0.3),
        devices=DEVICES,
    ),
    formula(
        timing.total,
        "seconds, the sum of the collectives' times",
        _SUM,
        "one exchange at a time",
        "s",
        seconds=SECONDS,
    ),
    formula(
        timing.exposed_time,
        "end − computing, where each exchange begins when its gradients are there and the one before has ended",
        "derived here, as Li et al., PyTorch Distributed, VLDB 13(12), 2020, describe buckets; backward pass 2/3 of computing:"
        " Kaplan et al., arXiv:2001.08361, section 2.1",
        "modelled: communicating does not slow down computing; without overlap, end = computing + communicating",
        "s",
        end=SECONDS,
        computing=SECONDS,
    ),
    formula(
        timing.step_time, "computing + exposed", _SUM, "no input data is waited for", "s", computing=SECONDS, exposed=SECONDS
    ),
    formula(
        timing.utilisation,
        "computing / step",
        "derived here: the share of the time in which a device computes",
        "computing at the device's share of its peak counts as all",
        "",
        computing=SECONDS,
        step=SECONDS,
    ),
    formula(
        timing.weak_efficiency,
        "alone / step",
        "Gustafson, Reevaluating Amdahl's law, CACM 31(5), 1988",
        "each device keeps its batch",
        "",
        alone=SECONDS,
        step=SECONDS,
    ),
    formula(
        timing.strong_efficiency,
        "alone / (devices · step)",
        "Amdahl, Validity of the single processor approach, AFIPS 1967",
        "the devices share one batch, and compute as fast with a small share of it as with a large one",
        "",
        alone=SECONDS,
        step=SECONDS,
        devices=DEVICES,
    ),
    formula(
        failures.time_between_failures,
        "3600 · device_hours / devices",
        "rates of independent failures add up; so Kokolis et al., Revisiting reliability in ML clusters, HPCA 2025",
        _RATE,
        "s",
        device_hours=Input("hours", Bounds(above=0)),
        devices=DEVICES,
    ),
    formula(
        failures.young,
        "√(2 · checkpoint_time · mean_time)",
        _YOUNG,
        _RATE,
        "s",
        relations=(
            (
                "checkpoint_time must be at most a tenth of mean_time",
                lambda given: given["checkpoint_time"] <= given["mean_time"] / 10,
            ),
        ),
        checkpoint_time=SECONDS,
        mean_time=_POSITIVE,
    ),
    formula(
        failures.young_waste,
        "checkpoint_time / interval + interval / (2 · mean_time)",
        _YOUNG,
        f"{_RATE}; restarts take no time",
        "",
        relations=(("interval must be at most mean_time", lambda given: given["interval"] <= given["mean_time"]),),
        interval=_POSITIVE,
        checkpoint_time=SECONDS,
        mean_time=_POSITIVE,
    ),
    formula(
        failures.daly,
        "√(2CM) · (1 + √(C / 2M) / 3 + (C / 2M) / 9) − C, or M if C ≥ 2M, where C = checkpoint_time, M = mean_time",
        f"{_DALY}, equation 37",
        _RATE,
        "s",
        checkpoint_time=SECONDS,
        mean_time=_POSITIVE,
    ),
    formula(
        failures.goodput,
        "interval / (M · e^(R / M) · (e^((interval + C) / M) − 1)), where C = checkpoint_time, R = restart_time, M = mean_time",
        f"{_DALY}, equation 20",
        f"{_RATE}; they come in checkpoints and restarts, too; a run of many intervals, which stands still for each checkpoint",
        "",
        interval=_POSITIVE,
        checkpoint_time=SECONDS,
        restart_time=SECONDS,
        mean_time=_POSITIVE,
    ),
    formula(
        failures.goodput_without_checkpoints,
        "seconds / time_without_checkpoints",
        _DALY,
        f"{_RATE}, and starts it again",
        "",
        seconds=_POSITIVE,
        restart_time=SECONDS,
        mean_time=_POSITIVE,
    ),
    formula(
        failures.time_without_checkpoints,
        "M · e^(R / M) · (e^(seconds / M) − 1), where R = restart_time, M = mean_time",
        f"{_DALY}, equation 20 with one interval",
        f"{_RATE}, and starts it again",
        "s",
        seconds=SECONDS,
        restart_time=SECONDS,
        mean_time=_POSITIVE,
    ),
    formula(
        timing.run_time,
        "step · steps / goodput",
        _SUM,
        "evaluation, and compiling the program, take no time",
        "s",
        step=SECONDS,
        steps=ANY,
        goodput=SHARE,
    ),
    formula(
        timing.cost,
        "seconds / 3600 · devices · price",
        _SUM,
        "devices are paid for from the first step to the last",
        "currency of device.price",
        seconds=SECONDS,
        devices=DEVICES,
        price=ANY,
    ),
    formula(
        algorithms.algbw,
        "size / seconds / 10⁹",
        "nccl-tests, doc/PERFORMANCE.md",
        "seconds above 0",
        "GB/s",
        size=BYTES,
        seconds=_POSITIVE,
    ),
)
