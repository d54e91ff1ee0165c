"""Explains, before a resumed run trains, how its schedule changes if its length was changed.

    for line in resume_notice(config, dataset.spec, read_sessions(run_dir), progress.step):
        console.print(line)

A run that is resumed with another duration follows a schedule of that length from there on: a cosine that had come down jumps
up again. The notice shows that, and names the settings that keep the schedule of the steps already done.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnjax.checks.rates import course_ends, courses, relative_rate, restarts_of, step_counts
from nnjax.checks.schedule_checks import SCHEDULE_CHECKS
from nnjax.checks.step_counts import duration_steps, in_steps, planned_steps, steps_per_epoch, total_steps
from nnjax.cli.sessions import Session, plans, read_sessions
from nnjax.config.diagnostics import count
from nnjax.config.schema import TrainConfig
from nnjax.config.training_options import Constant, Restart, Textbook
from nnjax.config.types import Duration
from nnjax.data.dataset_spec import DatasetSpec, dataset_spec

_MOST_COMPARED = 100_000  # steps of a session; of a longer one, so many of them


def resume_notice(config: TrainConfig, spec: DatasetSpec, sessions: Sequence[Session], done: int) -> list[str]:
    """Returns lines about the changes since the session before; none if the lengths are the same.

    Args:
        config: the config of the new session.
        spec: the spec of its data.
        sessions: the run's sessions, the new one last.
        done: steps done.
    """
    past = plans(sessions[:-1], config, done)
    if not past or not steps_per_epoch(config, spec):
        return []
    if _written(past[-1][1]) == _written(config):
        return []
    return list(_notice(config, spec, past, done))


def other_past(config: TrainConfig, run_dir: Path) -> list[Any]:
    """The settings of earlier sessions, if their steps were trained by another schedule than the config's; else empty."""
    if config.resume is None:
        return []
    sessions, spec = read_sessions(run_dir), dataset_spec(config.data)
    *earlier, now = sessions
    past = plans(earlier, config, now.from_step)
    if not past or not steps_per_epoch(config, spec) or _keeps(config, spec, past):
        return []
    return [[session.from_step, *_written(session.apply(config)).values()] for session in earlier]


def _notice(config: TrainConfig, spec: DatasetSpec, past: list[tuple[range, TrainConfig]], done: int) -> Iterator[str]:
    _, earlier = past[-1]
    before, now = _written(earlier), _written(config)
    changed = [key for key in now if now[key] != before[key]]
    yield f"{', '.join(f'{key}={now[key]}' for key in changed)} (until now {', '.join(before[key] for key in changed)}):"
    if done >= total_steps(config, spec):
        yield f"  all {count(done, 'step')} are done: nothing is trained any more"
        return
    last, following = relative_rate(earlier, spec)(done - 1), relative_rate(config, spec)(done)
    yield (
        f"  schedule={config.schedule.name}: the learning rate was {_rate(config, last)} in step {done}, the last one done, "
        f"and is {_rate(config, following)} in step {done + 1}{_place(config, spec, done)}"
        f"{_nothing_learnt(config, spec, done)}"
    )
    if not _keeps(config, spec, past):
        yield "  the steps done went by another schedule: this config, trained from the beginning, becomes another network"
    is_held = changed == ["training.duration"] and _is_over(config, spec, done)
    if is_held or not _keeps(config, spec, [(range(done), earlier)]):
        yield from _choices(config, earlier, spec, done)
    yield from _lookahead(config, spec, past, done)
    yield from _percents(config, earlier, spec)


def _choices(config: TrainConfig, earlier: TrainConfig, spec: DatasetSpec, done: int) -> Iterator[str]:
    """The overrides that keep the schedule of the session before, and the learning rate that each of them gives."""
    end, restarts = duration_steps(earlier, spec), tuple(restarts_of(earlier.schedule))
    ways = {
        "keep the schedule where it was": (_ending(restarts, min(end, duration_steps(config, spec)), end, earlier, spec), done),
        "begin it anew after the old end": ((*restarts, Restart(earlier.training.duration)), end),
    }
    lines = []
    for way, (courses_then, step) in ways.items():
        candidate = _with(config, earlier.training.planned or earlier.training.duration, courses_then)
        if any(list(check(candidate, spec)) for check in SCHEDULE_CHECKS):
            continue
        if not _keeps(candidate, spec, [(range(done), earlier)]):
            continue
        if _written(candidate) == _written(config):
            continue
        rate, overrides = relative_rate(candidate, spec), []
        if candidate.training.planned != config.training.planned:
            overrides.append(f"training.planned={candidate.training.planned}")
        if _written(candidate)["schedule.restarts"] != _written(config)["schedule.restarts"]:
            overrides.append(f"'schedule.restarts={_written(candidate)['schedule.restarts']}'")
        told = f"{_rate(config, rate(step))} in step {step + 1}{_nothing_learnt(candidate, spec, done)}"
        lines += [f"    {' '.join(overrides)}", f"      to {way}: {told}"]
    if lines:
        yield "  for another choice, stop this run before it trains, and give the same command again with"
        yield from lines


def _with(config: TrainConfig, planned: Duration, restarts: Sequence[Restart]) -> TrainConfig:
    """The config with another plan."""
    schedule = config.schedule
    if not isinstance(schedule, Constant):
        short = tuple(restart.at if restart.length is None else restart for restart in restarts)
        schedule = replace(schedule, restarts=short)
    return replace(config, training=replace(config.training, planned=planned), schedule=schedule)


def _ending(restarts: Sequence[Restart], until: int, end: int, earlier: TrainConfig, spec: DatasetSpec) -> tuple[Restart, ...]:
    """The restarts before step `until`; the last one has the length that it has in a training that ends at step `end`."""
    starts = [*(in_steps(restart.at, earlier, spec) for restart in restarts), end]
    kept = [restart for restart, start in zip(restarts, starts, strict=False) if start < until]
    if kept and kept[-1].length is None:
        steps = starts[len(kept)] - starts[len(kept) - 1]
        kept[-1] = replace(kept[-1], length=_duration(steps, kept[-1].at, steps_per_epoch(earlier, spec)))
    return tuple(kept)


def _duration(steps: int, like: Duration, per_epoch: int) -> Duration:
    """A duration of `steps`, in epochs if they are whole ones and `like` is in epochs."""
    return (
        Duration(steps / per_epoch, "epochs") if like.unit == "epochs" and steps % per_epoch == 0 else Duration(steps, "steps")
    )


def _keeps(config: TrainConfig, spec: DatasetSpec, past: Sequence[tuple[range, TrainConfig]]) -> bool:
    """Whether this config gives the steps already done the learning rates that they had."""
    import numpy as np  # slow to import, and only a resume needs it

    rate = relative_rate(config, spec)
    for steps, earlier in past:
        numbers = np.unique(np.linspace(steps.start, steps.stop - 1, min(len(steps), _MOST_COMPARED)).astype(np.int64))
        were, are = relative_rate(earlier, spec)(numbers), rate(numbers)
        if not np.allclose(were, are, rtol=1e-6, atol=1e-12):
            return False
    return True


def _lookahead(config: TrainConfig, spec: DatasetSpec, past: Sequence[tuple[range, TrainConfig]], done: int) -> Iterator[str]:
    """Lines about synchronisations of slow and fast weights that this config would have put at other steps."""
    options = None if isinstance(config.optimizer, Textbook) else config.optimizer.lookahead
    if options is None:
        return
    met = {
        end for steps, one in past for end in course_ends(one.schedule, step_counts(one, spec)) if end in steps or end == done
    }
    ends = {end for end in course_ends(config.schedule, step_counts(config, spec)) if end <= done}
    odd = sorted(end for end in met - ends if end % options.sync_period)
    if odd:
        yield f"  optimizer.lookahead: at step {odd[-1]}, an old end, the fast weights became the slow ones"
    was, now = planned_steps(past[-1][1], spec), planned_steps(config, spec)
    if was != now and options.power:
        shares = f"{min(done / now, 1):.0%} of the training now, {min(done / was, 1):.0%} until now"
        yield f"  optimizer.lookahead: {count(done, 'step')} are {shares}"


def _percents(config: TrainConfig, earlier: TrainConfig, spec: DatasetSpec) -> Iterator[str]:
    """Lines about other settings in percent that are now another number of steps."""
    training, before = config.training, earlier.training
    settings = {}
    if training.evaluate_every == before.evaluate_every:
        settings["training.evaluate_every"] = training.evaluate_every
    if training.checkpoint_every is not None and training.checkpoint_every == before.checkpoint_every:
        settings["training.checkpoint_every"] = training.checkpoint_every
    groups = () if isinstance(config.optimizer, Textbook) else config.optimizer.parameter_groups
    for index, group in enumerate(groups):
        if group.until is not None:
            settings[f"optimizer.parameter_groups.{index}.until"] = group.until
    for key, duration in settings.items():
        was, now = in_steps(duration, earlier, spec), in_steps(duration, config, spec)
        if was != now:
            yield f"  {key}={duration} is {count(now, 'step')}, until now {was}"


def _is_over(config: TrainConfig, spec: DatasetSpec, step: int) -> bool:
    """Whether a step comes after the end of the course that began last before it."""
    found = [course for course in courses(config.schedule, step_counts(config, spec)) if course.start <= step]
    return not isinstance(config.schedule, Constant) and step >= found[-1].start + found[-1].span


def _place(config: TrainConfig, spec: DatasetSpec, step: int) -> str:
    """A step's place in its schedule, in words."""
    if isinstance(config.schedule, Constant):
        return ""
    found = courses(config.schedule, step_counts(config, spec))
    number = max(index for index, course in enumerate(found) if course.start <= step)
    place = step - found[number].start + 1
    if place > found[number].span:
        return ", where the schedule ended"
    which = f"schedule.restarts.{number - 1}" if number else "the schedule"
    return f", step {place} of the {found[number].span} of {which}"


def _nothing_learnt(config: TrainConfig, spec: DatasetSpec, done: int) -> str:
    """A warning if the learning rate stays 0 after the end of the schedule."""
    if isinstance(config.schedule, Constant):
        return ""
    last, end = courses(config.schedule, step_counts(config, spec))[-1], duration_steps(config, spec)
    over = last.start + last.span
    if over >= end or relative_rate(config, spec)(over):
        return ""
    return f"; from step {max(over, done) + 1} on it is 0, and nothing more is learnt"


def _written(config: TrainConfig) -> dict[str, str]:
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


def _rate(config: TrainConfig, relative: float) -> str:
    if config.training.vary.learning_rate is not None:
        return f"{float(relative):.3g} × the peak"
    return f"{config.optimizer.learning_rate * float(relative):.3g}"
