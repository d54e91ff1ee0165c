"""Explains, before a resumed run trains, how its schedule changes if its length was changed.

    for line in resume_notice(plan, read_sessions(run_dir), progress.step):
        console.print(line)

A run that is resumed with another duration follows a schedule of that length from there on: a cosine that had come down jumps
up again. The notice shows that, and names the settings that keep the schedule of the steps already done.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnjax.checks.plan import Plan, make_plan
from nnjax.checks.rates import restarts_of
from nnjax.checks.schedule_checks import SCHEDULE_CHECKS
from nnjax.cli.sessions import Session, past_plans, read_sessions
from nnjax.config.diagnostics import count
from nnjax.config.schema import Config, TrainConfig
from nnjax.config.training_options import Constant, Restart, Textbook
from nnjax.config.types import Duration

_MOST_COMPARED = 100_000  # steps of a session; of a longer one, so many of them


def resume_notice(plan: Plan, sessions: Sequence[Session], done: int) -> list[str]:
    """Lines about what is otherwise than in the session before; none where the lengths are what they were.

    Args:
        plan: the plan of the new session.
        sessions: the run's sessions, the new one last.
        done: steps done.
    """
    past = past_plans(sessions[:-1], plan, done)
    if not past or not plan.steps.per_epoch:
        return []
    if _written(past[-1][1].config) == _written(plan.config):
        return []
    return list(_notice(plan, past, done))


def other_past(config: TrainConfig, run_dir: Path) -> list[Any]:
    """The settings of earlier sessions, if their steps were trained by another schedule than the config's; else empty."""
    if config.resume is None:
        return []
    plan = make_plan(config)
    *earlier, now = read_sessions(run_dir)
    past = past_plans(earlier, plan, now.from_step)
    if not past or not plan.steps.per_epoch or _keeps(plan, past):
        return []
    return [[session.from_step, *_written(session.apply(config)).values()] for session in earlier]


def _notice(plan: Plan, past: list[tuple[range, Plan]], done: int) -> Iterator[str]:
    config, (_, earlier) = plan.config, past[-1]
    before, now = _written(earlier.config), _written(config)
    changed = [key for key in now if now[key] != before[key]]
    yield f"{', '.join(f'{key}={now[key]}' for key in changed)} (until now {', '.join(before[key] for key in changed)}):"
    if done >= plan.steps.total:
        yield f"  all {count(done, 'step')} are done: nothing is trained any more"
        return
    last, following = earlier.relative_rate(done - 1), plan.relative_rate(done)
    yield (
        f"  schedule={config.schedule.name}: the learning rate was {_rate(config, last)} in step {done}, the last one done, "
        f"and is {_rate(config, following)} in step {done + 1}{_place(plan, done)}"
        f"{_nothing_learnt(plan, done)}"
    )
    if not _keeps(plan, past):
        yield "  the steps done went by another schedule: this config, trained from the beginning, becomes another network"
    is_held = changed == ["training.duration"] and _is_over(plan, done)
    if is_held or not _keeps(plan, [(range(done), earlier)]):
        yield from _choices(plan, earlier, done)
    yield from _lookahead(plan, past, done)
    yield from _percents(plan, earlier)


def _choices(plan: Plan, earlier: Plan, done: int) -> Iterator[str]:
    """The overrides that keep the schedule of the session before, and the learning rate that each of them gives."""
    config, training = plan.config, earlier.config.training
    end, restarts = earlier.steps.duration, tuple(restarts_of(earlier.config.schedule))
    ways = {
        "keep the schedule where it was": (_ending(restarts, min(end, plan.steps.duration), end, earlier), done),
        "begin it anew after the old end": ((*restarts, Restart(training.duration)), end),
    }
    lines = []
    for way, (courses_then, step) in ways.items():
        candidate = _with(config, training.planned or training.duration, courses_then)
        if any(list(check(candidate, plan.spec)) for check in SCHEDULE_CHECKS):
            continue
        then = make_plan(candidate, plan.spec)
        if not _keeps(then, [(range(done), earlier)]):
            continue
        if _written(candidate) == _written(config):
            continue
        overrides = []
        if candidate.training.planned != config.training.planned:
            overrides.append(f"training.planned={candidate.training.planned}")
        if _written(candidate)["schedule.restarts"] != _written(config)["schedule.restarts"]:
            overrides.append(f"'schedule.restarts={_written(candidate)['schedule.restarts']}'")
        effect = f"{_rate(config, then.relative_rate(step))} in step {step + 1}{_nothing_learnt(then, done)}"
        lines += [f"    {' '.join(overrides)}", f"      to {way}: {effect}"]
    if lines:
        yield "  for another choice, stop this run before it trains, and give the same command again with"
        yield from lines


def _with(config: Config, planned: Duration, restarts: Sequence[Restart]) -> Config:
    """The config with another `training.planned` and other restarts."""
    schedule = config.schedule
    if not isinstance(schedule, Constant):
        short = tuple(restart.at if restart.length is None else restart for restart in restarts)
        schedule = replace(schedule, restarts=short)
    return replace(config, training=replace(config.training, planned=planned), schedule=schedule)


def _ending(restarts: Sequence[Restart], until: int, end: int, earlier: Plan) -> tuple[Restart, ...]:
    """The restarts before step `until`; the last one has the length that it has in a training that ends at step `end`."""
    starts = [*(earlier.steps.of(restart.at) for restart in restarts), end]
    kept = [restart for restart, start in zip(restarts, starts, strict=False) if start < until]
    if kept and kept[-1].length is None:
        steps = starts[len(kept)] - starts[len(kept) - 1]
        kept[-1] = replace(kept[-1], length=_duration(steps, kept[-1].at, earlier.steps.per_epoch))
    return tuple(kept)


def _duration(steps: int, like: Duration, per_epoch: int) -> Duration:
    """A duration of `steps`, in epochs if they are whole ones and `like` is in epochs."""
    return (
        Duration(steps / per_epoch, "epochs") if like.unit == "epochs" and steps % per_epoch == 0 else Duration(steps, "steps")
    )


def _keeps(plan: Plan, past: Sequence[tuple[range, Plan]]) -> bool:
    """Whether this config gives the steps already done the learning rates that they had."""
    import numpy as np  # slow to import, and only a resume needs it

    for steps, earlier in past:
        numbers = np.unique(np.linspace(steps.start, steps.stop - 1, min(len(steps), _MOST_COMPARED)).astype(np.int64))
        were, are = earlier.relative_rate(numbers), plan.relative_rate(numbers)
        if not np.allclose(were, are, rtol=1e-6, atol=1e-12):
            return False
    return True


def _lookahead(plan: Plan, past: Sequence[tuple[range, Plan]], done: int) -> Iterator[str]:
    """Lines about synchronisations of slow and fast weights that this config would have put at other steps."""
    optimizer = plan.config.optimizer
    options = None if isinstance(optimizer, Textbook) else optimizer.lookahead
    if options is None:
        return
    met = {end for steps, earlier in past for end in earlier.course_ends if end in steps or end == done}
    ends = {end for end in plan.course_ends if end <= done}
    odd = sorted(end for end in met - ends if end % options.sync_period)
    if odd:
        yield f"  optimizer.lookahead: at step {odd[-1]}, an old end, the fast weights became the slow ones"
    was, now = past[-1][1].steps.planned, plan.steps.planned
    if was != now and options.power:
        shares = f"{min(done / now, 1):.0%} of the training now, {min(done / was, 1):.0%} until now"
        yield f"  optimizer.lookahead: {count(done, 'step')} are {shares}"


def _percents(plan: Plan, earlier: Plan) -> Iterator[str]:
    """Lines about other settings in percent that are now another number of steps."""
    training, before, optimizer = plan.config.training, earlier.config.training, plan.config.optimizer
    settings = {}
    if training.evaluate_every == before.evaluate_every:
        settings["training.evaluate_every"] = training.evaluate_every
    if training.checkpoint_every is not None and training.checkpoint_every == before.checkpoint_every:
        settings["training.checkpoint_every"] = training.checkpoint_every
    groups = () if isinstance(optimizer, Textbook) else optimizer.parameter_groups
    for index, group in enumerate(groups):
        if group.until is not None:
            settings[f"optimizer.parameter_groups.{index}.until"] = group.until
    for key, duration in settings.items():
        was, now = earlier.steps.of(duration), plan.steps.of(duration)
        if was != now:
            yield f"  {key}={duration} is {count(now, 'step')}, until now {was}"


def _is_over(plan: Plan, step: int) -> bool:
    """Whether a step comes after the end of the course that began last before it."""
    found = [course for course in plan.courses if course.start <= step]
    return not isinstance(plan.config.schedule, Constant) and step >= found[-1].start + found[-1].span


def _place(plan: Plan, step: int) -> str:
    """A step's place in its schedule, in words."""
    if isinstance(plan.config.schedule, Constant):
        return ""
    found = plan.courses
    number = max(index for index, course in enumerate(found) if course.start <= step)
    place = step - found[number].start + 1
    if place > found[number].span:
        return ", where the schedule ended"
    which = f"schedule.restarts.{number - 1}" if number else "the schedule"
    return f", step {place} of the {found[number].span} of {which}"


def _nothing_learnt(plan: Plan, done: int) -> str:
    """A warning if the learning rate stays 0 after the end of the schedule."""
    if isinstance(plan.config.schedule, Constant):
        return ""
    last, end = plan.courses[-1], plan.steps.duration
    over = last.start + last.span
    if over >= end or plan.relative_rate(over):
        return ""
    return f"; from step {max(over, done) + 1} on it is 0, and nothing more is learnt"


def _written(config: Config) -> dict[str, str]:
    """The settings that determine the lengths, as they are written in an override."""
    planned, schedule = config.training.planned, config.schedule
    restarts = () if isinstance(schedule, Constant) else schedule.restarts
    return {
        "training.duration": str(config.training.duration),
        "training.planned": "null" if planned is None else str(planned),
        "schedule.restarts": f"[{','.join(map(_restart, restarts))}]",
    }


def _restart(restart: Duration | Restart) -> str:
    if isinstance(restart, Duration):
        return str(restart)
    return f"{{at:{restart.at},length:{'null' if restart.length is None else restart.length}}}"


def _rate(config: Config, relative: float) -> str:
    if config.training.vary.learning_rate is not None:
        return f"{float(relative):.3g} × the peak"
    return f"{config.optimizer.learning_rate * float(relative):.3g}"
