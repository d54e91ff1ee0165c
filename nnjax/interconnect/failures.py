"""Failures: how often they come, how often to write a checkpoint, and the share of the time that counts in the end.

    mean = time_between_failures(device_hours=50_677, devices=16_384)       # 11 135 seconds
    young(checkpoint_time=30, mean_time=10_800)                             # 805 seconds, which waste 7.5 %

Failures are taken as independent, at a constant rate (exponential times), and one ends the whole job. Source of `daly`,
`goodput` and `time_without_checkpoints`: Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps",
Future Generation Computer Systems 22, 2006.
"""

import math


def time_between_failures(device_hours: float, devices: float) -> float:
    """Mean seconds between failures of any of N devices: 3600 · hours / N, since their rates add up."""
    return 3600 * device_hours / devices


def young(checkpoint_time: float, mean_time: float) -> float:
    """The best time of training between two checkpoints, to first order, in seconds: √(2 · C · M).

    Young, "A first order approximation to the optimum checkpoint interval", CACM 17(9), 1974; for C much smaller than M.

    Args:
        checkpoint_time: C, seconds that a checkpoint takes.
        mean_time: M, mean seconds between failures.
    """
    return math.sqrt(2 * checkpoint_time * mean_time)


def young_waste(interval: float, checkpoint_time: float, mean_time: float) -> float:
    """The share of the time that checkpoints and repeated steps take, to first order: C / τ + τ / (2 · M).

    Args:
        interval: τ, seconds of training between two checkpoints.
        checkpoint_time: C.
        mean_time: M, mean seconds between failures; half an interval is lost at each.
    """
    return checkpoint_time / interval + interval / (2 * mean_time)


def daly(checkpoint_time: float, mean_time: float) -> float:
    """The best time of training between two checkpoints, to higher order, in seconds.

    √(2CM) · (1 + √(C / 2M) / 3 + (C / 2M) / 9) − C for C < 2M, else M: Daly, equation 37.
    """
    ratio = checkpoint_time / (2 * mean_time)
    if ratio >= 1:
        return mean_time
    return young(checkpoint_time, mean_time) * (1 + math.sqrt(ratio) / 3 + ratio / 9) - checkpoint_time


def goodput(interval: float, checkpoint_time: float, restart_time: float, mean_time: float) -> float:
    """The share of the time that advances the training: τ / (M · e^(R/M) · (e^((τ+C)/M) − 1)): Daly, equation 20.

    Exact for exponential times between failures, which may come in a checkpoint and in a restart, too.

    Args:
        interval: τ, seconds of training between two checkpoints.
        checkpoint_time: C.
        restart_time: R, seconds from a failure to the next step.
        mean_time: M, mean seconds between failures.
    """
    exponent = (restart_time + interval + checkpoint_time) / mean_time
    if exponent > 700:
        return 0.0
    return interval / (mean_time * math.exp(restart_time / mean_time) * math.expm1((interval + checkpoint_time) / mean_time))


def time_without_checkpoints(seconds: float, restart_time: float, mean_time: float) -> float:
    """Expected seconds until `seconds` of training pass without any failure: M · e^(R/M) · (e^(T/M) − 1); infinite past e⁷⁰⁰.

    `goodput` with one interval, that of the whole run, and no checkpoint at its end.
    """
    exponent = (restart_time + seconds) / mean_time
    if exponent > 700:
        return math.inf
    return mean_time * math.exp(restart_time / mean_time) * math.expm1(seconds / mean_time)


def goodput_without_checkpoints(seconds: float, restart_time: float, mean_time: float) -> float:
    """The share of the time that advances a training of `seconds` without checkpoints: T / `time_without_checkpoints`."""
    taken = time_without_checkpoints(seconds, restart_time, mean_time)
    return 0.0 if math.isinf(taken) else seconds / taken if seconds else 1.0
