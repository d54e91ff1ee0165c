"""The learning rate over the steps as a share of its peak; one formula for NumPy and JAX, so that checks can use it, too.

    rate = rate_of(config.schedule, plan.steps)    # also: plan.relative_rate
    rate(0), rate(np.arange(600))                  # 1.0, [1.0, 0.99999, …]

A schedule runs through *courses*. The first course begins at step 0. Its length is `training.planned`; if that is null, it ends
at the first of `schedule.restarts`, or else with the training. Each restart begins another course. After the end of a course
its last value stays.

Step k of a course, counted from 0, has the rate of the schedule's line at k. So `final` is reached one step after the last one,
which still learns. A warm-up from 0 would waste its first step, so step k of W warm-up steps has (k + 1) / W of the peak, and
the last of them has the peak itself. (Hugging Face's and big_vision's warm-ups start at 0 and compute one gradient for nothing;
timm's and PyTorch's LinearLR start at a rate of their own, which is one more number to choose.)
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnjax.checks.step_counts import StepCounts
from nnjax.config.option_numbers import is_off, numbers_of, with_numbers
from nnjax.config.training_options import Constant, Cosine, OneCycle, Restart, Schedule, Steps, WarmupCosine

Rate = Callable[[Any], Any]


@dataclass(frozen=True)
class Course:
    """One run through a schedule.

    Attributes:
        start: the number of steps before it.
        span: its length in steps.
    """

    start: int
    span: int


def rate_of(schedule: Schedule, counts: StepCounts) -> Rate:
    """Makes the function from the step to the learning rate as a share of its peak.

    Args:
        schedule: the options.
        counts: the lengths that they refer to.

    Returns:
        A function of the steps done, 0 before the first step: a number, or an array of NumPy or JAX, which gives an array of
        the same kind.
    """
    return rate_from(schedule, schedule_numbers(schedule, counts))


def schedule_numbers(schedule: Schedule, counts: StepCounts) -> dict[str, Any]:
    """Lists every number that the rate depends on, for `rate_from`; empty for a constant rate.

    Returns:
        "options": the schedule's own, by path. "courses": for each course its "start" and "span", and "up" and "rest", its
        warm-up and the time after it, or its "boundaries"; all in steps.
    """
    if isinstance(schedule, Constant):
        return {}

    def course_numbers(course: Course) -> dict[str, Any]:
        numbers: dict[str, Any] = {"start": course.start, "span": course.span}
        if isinstance(schedule, Steps):
            numbers["boundaries"] = tuple(counts.of(boundary, course.span) for boundary in schedule.boundaries)
        elif isinstance(schedule, WarmupCosine | OneCycle):
            up = counts.of(schedule.warmup, course.span)
            numbers |= {"up": up, "rest": max(1, course.span - up)}
        return numbers

    return {"options": numbers_of(schedule), "courses": tuple(map(course_numbers, courses(schedule, counts)))}


def rate_from(schedule: Schedule, numbers: Mapping[str, Any]) -> Rate:
    """As `rate_of`, from the numbers of `schedule_numbers`, any of which may be an array of JAX."""
    if isinstance(schedule, Constant):
        return lambda step: 1.0
    line = _line(with_numbers(schedule, numbers["options"]))
    first, *others = numbers["courses"]

    def rate(step: Any) -> Any:
        xp = _namespace(step)
        value = line(xp, xp.clip(step, 0, first["span"]), first)
        for course in others:
            since = xp.clip(step - course["start"], 0, course["span"])
            value = xp.where(step < course["start"], value, line(xp, since, course))
        return value

    return rate


def courses(schedule: Schedule, counts: StepCounts) -> tuple[Course, ...]:
    """Returns the courses of a training, in order."""
    restarts = restarts_of(schedule)
    starts = [0, *(counts.of(restart.at) for restart in restarts)]
    ends = [*starts[1:], max(counts.duration, starts[-1] + 1)]
    first = counts.planned if not restarts else min(counts.planned, ends[0])
    lengths = [None if restart.length is None else counts.of(restart.length) for restart in restarts]
    spans = [
        first,
        *(end - start if own is None else own for start, end, own in zip(starts[1:], ends[1:], lengths, strict=True)),
    ]
    return tuple(Course(start, span) for start, span in zip(starts, spans, strict=True))


def course_ends(schedule: Schedule, counts: StepCounts) -> tuple[int, ...]:
    """Returns the steps after which a course or the training ends, in order."""
    found = courses(schedule, counts)
    ends = {course.start + course.span for course in found} | {course.start for course in found[1:]}
    return tuple(sorted({end for end in ends if end < counts.duration} | {counts.duration}))


def restarts_of(schedule: Schedule) -> Sequence[Restart]:
    """Returns the restarts of a schedule; one that was given by its beginning alone becomes a `Restart`, too."""
    restarts = () if isinstance(schedule, Constant) else schedule.restarts
    return [restart if isinstance(restart, Restart) else Restart(restart) for restart in restarts]


def _namespace(step: Any) -> Any:
    """Returns the array library of a step, NumPy or jax.numpy; NumPy for a plain number."""
    if hasattr(step, "__array_namespace__"):
        return step.__array_namespace__()
    import numpy  # checks of a config do not need it

    return numpy


def _line(schedule: Steps | Cosine | WarmupCosine | OneCycle) -> Callable[[Any, Any, Mapping[str, Any]], Any]:
    """The rate at the k-th step of a course, from 0, up to its span, one past its last; of the namespace, k, and its numbers.

    Each k meets a float before it is divided: JAX divides int32 in float32 also where float64 is switched on, as in a trace.
    """
    match schedule:
        case Steps():
            return lambda xp, k, course: math.prod(
                (xp.where(k >= end, schedule.factor, 1.0) for end in course["boundaries"]), start=1.0
            )
        case Cosine():
            return lambda xp, k, course: _cosine(xp, 1.0 * k / course["span"], schedule.final)
        case WarmupCosine():

            def warm_cosine(xp: Any, k: Any, course: Mapping[str, Any]) -> Any:
                falling = _cosine(xp, xp.clip(k - 1.0 * course["up"], 0, None) / course["rest"], schedule.final)
                return xp.where(k < course["up"], (k + 1.0) / course["up"], falling)

            return warm_cosine
        case OneCycle():
            first, start = (1.0, 0.0) if is_off(schedule.start) else (0.0, schedule.start)

            def one_cycle(xp: Any, k: Any, course: Mapping[str, Any]) -> Any:
                rising = start + (1 - start) * (k + first) / course["up"]
                return xp.where(k < course["up"], rising, 1 + (schedule.final - 1) * (k - 1.0 * course["up"]) / course["rest"])

            return one_cycle


def _cosine(xp: Any, share: Any, final: float) -> Any:
    return final + (1 - final) * (1 + xp.cos(math.pi * share)) / 2
