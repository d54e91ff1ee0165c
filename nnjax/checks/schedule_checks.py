"""Checks the length of the training, and that boundaries, warm-up and restarts of the schedule fit into it.

problems = [problem for check in SCHEDULE_CHECKS for problem in check(config, spec)]
"""

from collections.abc import Sequence
from itertools import pairwise

from nnjax.checks.data_checks import Problems
from nnjax.checks.rates import Course, courses, restarts_of
from nnjax.checks.step_counts import StepCounts, step_counts, steps_per_epoch
from nnjax.config.diagnostics import Problem, count
from nnjax.config.schema import Config
from nnjax.config.training_options import OneCycle, Steps, Textbook, WarmupCosine
from nnjax.config.types import Duration
from nnjax.data.dataset_spec import DatasetSpec

_MOST_STEPS = 2**31 - 1  # JAX counts steps in 32 bits


def _duration(config: Config, spec: DatasetSpec) -> Problems:
    per_epoch = steps_per_epoch(config, spec)
    for name, duration in {"duration": config.training.duration, "planned": config.training.planned}.items():
        if duration is None:
            continue
        if duration.unit == "%":
            reason = "must be in steps, epochs or examples, such as 10epochs, as percents are of it"
            yield Problem(f"training.{name}", duration, reason)
        elif per_epoch and (steps := duration.in_steps(per_epoch, config.training.global_batch_size)) > _MOST_STEPS:
            reason = f"is {steps} steps; must be at most {_MOST_STEPS}"
            yield Problem(f"training.{name}", duration, reason)


def _counted(config: Config, spec: DatasetSpec) -> Problems:
    """Yields the other durations that compiled programs count steps of, where these are more than 32 bits hold."""
    if list(_duration(config, spec)) or not steps_per_epoch(config, spec):
        return
    counts, durations = step_counts(config, spec), {}
    for index, restart in enumerate(restarts_of(config.schedule)):
        if restart.length is not None:
            durations[f"schedule.restarts.{index}.length"] = restart.length
    if not isinstance(config.optimizer, Textbook):
        for index, group in enumerate(config.optimizer.parameter_groups):
            if group.until is not None:
                durations[f"optimizer.parameter_groups.{index}.until"] = group.until
        if config.optimizer.lookahead is not None and config.optimizer.lookahead.sync_period > _MOST_STEPS:
            period = config.optimizer.lookahead.sync_period
            yield Problem("optimizer.lookahead.sync_period", period, f"must be at most {_MOST_STEPS}")
    for key, duration in durations.items():
        if (steps := counts.of(duration)) > _MOST_STEPS:
            yield Problem(key, duration, f"is {steps} steps; must be at most {_MOST_STEPS}")


def _schedule(config: Config, spec: DatasetSpec) -> Problems:
    if list(_duration(config, spec)) or not steps_per_epoch(config, spec):
        return
    counts = step_counts(config, spec)
    problems = list(_restarts(config, counts))
    yield from problems
    if isinstance(config.schedule, Steps) and not config.schedule.boundaries:
        yield Problem("schedule.boundaries", [], "needs at least one; schedule=constant has none")
    elif not problems:
        found = courses(config.schedule, counts)
        wholes = [_whole(config, course, number) for number, course in enumerate(found)]
        match config.schedule:
            case Steps(boundaries=boundaries):
                yield from _boundaries(boundaries, found, wholes, counts)
            case WarmupCosine(warmup=warmup) | OneCycle(warmup=warmup):
                for course, whole in zip(found, wholes, strict=True):
                    if (steps_up := counts.of(warmup, course.span)) >= course.span:
                        reason = f"{count(steps_up, 'step')} must be less than {whole}; choose a shorter one, such as 5%"
                        yield Problem("schedule.warmup", warmup, reason)
                        break


def _restarts(config: Config, counts: StepCounts) -> Problems:
    before, end = 0, f"training.duration={config.training.duration}, {count(counts.duration, 'step')}"
    restarts = restarts_of(config.schedule)
    for index, restart in enumerate(restarts):
        key, at = f"schedule.restarts.{index}", counts.of(restart.at)
        if at >= counts.duration:
            yield Problem(key, restart.at, f"step {at} is past the end of {end}; choose an earlier one, or leave it out")
        elif at <= before and index:
            yield Problem(key, restart.at, f"step {at} does not come after the restart before it, step {before}")
        before = at
        following = restarts[index + 1].at if index + 1 < len(restarts) else None
        if restart.length is not None and following is not None and at + counts.of(restart.length) > counts.of(following):
            reason = f"lasts past the next restart, {following}; choose a shorter one, or null, which lasts up to there"
            yield Problem(f"{key}.length", restart.length, reason)


def _boundaries(boundaries: tuple[Duration, ...], found: Sequence[Course], wholes: list[str], counts: StepCounts) -> Problems:
    # A later course may be shorter than the first one and end before the last boundaries.
    longest = max(range(len(found)), key=lambda number: found[number].span)
    steps = [counts.of(boundary, found[longest].span) for boundary in boundaries]
    for index, (boundary, step) in enumerate(zip(boundaries, steps, strict=True)):
        if step >= found[longest].span:
            reason = f"step {step} is past the end of {wholes[longest]}; choose an earlier one, such as 75%"
            yield Problem(f"schedule.boundaries.{index}", boundary, reason)
    for number, course in enumerate(found):
        steps = [counts.of(boundary, course.span) for boundary in boundaries]
        out_of_order = [index for index, (before, after) in enumerate(pairwise(steps), start=1) if after <= before]
        for index in out_of_order:
            where = f" in {wholes[number]}" if number else ""
            reason = f"step {steps[index]} does not come after the boundary before it, step {steps[index - 1]}{where}"
            yield Problem(f"schedule.boundaries.{index}", boundaries[index], reason)
        if out_of_order:
            return


def _whole(config: Config, course: Course, number: int) -> str:
    """Names the setting that determines the length of a course, with its steps."""
    training, steps = config.training, count(course.span, "step")
    if number:
        return f"the course that schedule.restarts.{number - 1} begins, {steps}"
    if restarts := restarts_of(config.schedule):
        return f"the course up to schedule.restarts.0={restarts[0].at}, {steps}"
    name = "duration" if training.planned is None else "planned"
    return f"training.{name}={getattr(training, name)}, {steps}"


SCHEDULE_CHECKS = (_duration, _counted, _schedule)
