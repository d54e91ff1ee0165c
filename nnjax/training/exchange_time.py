"""Measures how long the devices take to average one step's gradients, without anything to hide it behind.

seconds = exchange_seconds(placement, state.params) * num_steps          # exposed communication of a training on CPUs

Collectives on CPUs are synchronous, so a step waits for this long. Elsewhere XLA may overlap them with the backward pass, and
the result is an upper bound. Every process of a run must call it at the same time.
"""

import time
from statistics import median
from typing import Any

from nnjax.parallel.averaging import AUTOMATIC, Averaging
from nnjax.parallel.compilation import compile_lowered
from nnjax.parallel.placement import Placement, computed

_ROUNDS = 5


def exchange_seconds(placement: Placement, params: Any, averaging: Averaging = AUTOMATIC) -> float:
    """The median time of an average over the devices.

    Args:
        placement: the devices; those that train whole trials exchange nothing, and neither does a single one.
        params: a tree like the gradients, as placed on the devices.
        averaging: how gradients are averaged; shared parameters are gathered, too.

    Returns:
        Seconds, with the call of the program (tenths of a millisecond).
    """
    if placement.num_devices == 1 or placement.whole_trials:
        return 0.0

    def exchange(grads: Any) -> Any:
        return averaging.gather(averaging.scatter(grads), grads) if averaging.is_sharded else averaging.mean(grads)

    def of_each_trial(grads: Any) -> Any:
        return placement.map(exchange, grads)

    average = compile_lowered(placement.compile(of_each_trial).lower(params), placement.platform, in_turn=averaging.in_turn)
    computed(average(params))  # connects
    times = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        computed(average(params))
        times.append(time.perf_counter() - started)
    return median(times)
