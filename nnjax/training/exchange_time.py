"""Measures how long the devices take to average one step's gradients, without anything to hide it behind.

seconds = exchange_seconds(placement, state.params) * num_steps          # exposed communication of a training on CPUs

Collectives on CPUs are synchronous, so a step waits for this long. Elsewhere XLA may overlap them with the backward pass, and
the result is an upper bound. Every process of a run must call it at the same time.
"""

import time
from statistics import median
from typing import Any

from nnjax.parallel.placement import Placement, computed, mean_over_devices

_ROUNDS = 5


def exchange_seconds(placement: Placement, params: Any) -> float:
    """The median time of an average over the devices.

    Args:
        placement: the devices; those that train whole trials exchange nothing, and neither does a single one.
        params: a tree like the gradients, as placed on the devices.

    Returns:
        Seconds, with the call of the program (tenths of a millisecond).
    """
    if placement.num_devices == 1 or placement.whole_trials:
        return 0.0
    average = placement.compile(mean_over_devices)
    computed(average(params))  # compiles
    times = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        computed(average(params))
        times.append(time.perf_counter() - started)
    return median(times)
