"""Records the lengths that each session of a run was started with, so that a resume can tell how its past steps were trained.

    check_session(config, run_dir, origins)        # raises for a resume that would undo steps already done
    begin_session(config, run_dir)                 # before config.yaml is written anew
    *earlier, now = read_sessions(run_dir)

A session is kept only if a checkpoint holds steps of it: the next resume drops a session that was killed before.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnjax.checks.data_checks import Problems
from nnjax.checks.plan import Plan, make_plan
from nnjax.cli.stored_config import read_stored_config
from nnjax.config.checkpoint_names import steps_saved
from nnjax.config.diagnostics import Origins, Problem, count, raise_problems
from nnjax.config.errors import ConfigError, IncompatibleError
from nnjax.config.parsing import parse, to_mapping
from nnjax.config.schema import Config, TrainConfig
from nnjax.config.stored_files import read_json, write_text
from nnjax.config.training_options import Constant, Restart, Textbook
from nnjax.config.types import Duration, NonNegativeInt

SESSIONS_FILE = ".hydra/sessions.json"


@dataclass(frozen=True)
class Session:
    """The settings that determined how a session trained its steps.

    Attributes:
        from_step: steps done when it began.
        duration: `training.duration`.
        planned: `training.planned`.
        restarts: `schedule.restarts`.
        evaluate_every: `training.evaluate_every`; None if it was not recorded.
        checkpoint_every: `training.checkpoint_every`.
    """

    from_step: NonNegativeInt
    duration: Duration
    planned: Duration | None = None
    restarts: tuple[Duration | Restart, ...] = ()
    evaluate_every: Duration | None = None
    checkpoint_every: Duration | None = None

    def apply(self, config: Config) -> Config:
        """The config as it was in this session."""
        training = replace(
            config.training,
            duration=self.duration,
            planned=self.planned,
            evaluate_every=self.evaluate_every or config.training.evaluate_every,
            checkpoint_every=self.checkpoint_every,
        )
        schedule = config.schedule
        if not isinstance(schedule, Constant):
            schedule = replace(schedule, restarts=self.restarts)
        return replace(config, training=training, schedule=schedule)


def session_of(config: TrainConfig, from_step: int) -> Session:
    """The session that starts with a config."""
    training, schedule = config.training, config.schedule
    restarts = () if isinstance(schedule, Constant) else schedule.restarts
    return Session(from_step, training.duration, training.planned, restarts, training.evaluate_every, training.checkpoint_every)


def check_session(config: TrainConfig, run_dir: Path, origins: Origins) -> None:
    """Checks that a new session does not undo what earlier ones did.

    Args:
        config: of the new session; with `resume`, the run in the folder is resumed.
        run_dir: the run's folder, with the config of its last session.
        origins: tells where the values were set.

    Raises:
        IncompatibleError: for a resume that would undo steps already done.
    """
    earlier, done = _earlier_sessions(config, run_dir)
    if earlier:
        plan = make_plan(config)
        if plan.steps.per_epoch:
            before = make_plan(earlier[-1].apply(config), plan.spec)
            raise_problems(list(_resume_problems(plan, before, done)), origins, IncompatibleError)


def begin_session(config: TrainConfig, run_dir: Path) -> None:
    """Records a new session, after the sessions whose steps are part of the run.

    Args:
        config: of the new session, which `check_session` accepted.
        run_dir: the run's folder, with the config of its last session.
    """
    earlier, done = _earlier_sessions(config, run_dir)
    path = run_dir / SESSIONS_FILE
    path.parent.mkdir(exist_ok=True)
    write_text(path, json.dumps([to_mapping(session) for session in (*earlier, session_of(config, done))]))


def _earlier_sessions(config: TrainConfig, run_dir: Path) -> tuple[list[Session], int]:
    """The sessions whose steps a new session builds on, and the number of these steps."""
    done = steps_done(run_dir) if config.resume is not None else 0
    return [session for session in read_sessions(run_dir) if session.from_step < done] if done else [], done


def read_sessions(run_dir: Path) -> list[Session]:
    """Reads the sessions of a run, the newest last; a run without a record has the one session of its config."""
    try:
        return [parse(Session, values) for values in read_json(run_dir / SESSIONS_FILE)]
    except (OSError, TypeError, AttributeError, ConfigError):
        return _from_config(run_dir)


def steps_done(run_dir: Path) -> int:
    """The number of steps in the newest checkpoint of a run; 0 without one."""
    return max(steps_saved(run_dir / "checkpoints"), default=0)


def _from_config(run_dir: Path) -> list[Session]:
    try:
        values: Any = read_stored_config(run_dir / "config.yaml")
        training, schedule = values["training"], values["schedule"]
        found: Mapping[str, Any] = {
            **{name: training.get(name) for name in ("duration", "planned", "evaluate_every", "checkpoint_every")},
            "restarts": schedule.get("restarts", []),
        }
        return [parse(Session, {"from_step": 0, **found})]
    except (KeyError, TypeError, AttributeError, ConfigError):
        return []


def _resume_problems(plan: Plan, earlier: Plan, done: int) -> Problems:
    """Yields the problems of a resume that would undo steps already done."""
    training, optimizer = plan.config.training, plan.config.optimizer
    if plan.steps.duration < done:
        reason = (
            f"ends at step {plan.steps.duration}, and the run has done {count(done, 'step')}; choose at least {done}steps, "
            "or rerun=FOLDER, which starts anew"
        )
        yield Problem("training.duration", training.duration, reason)
        return
    groups = () if isinstance(optimizer, Textbook) else optimizer.parameter_groups
    earlier_training = earlier.config.training
    key = "planned" if earlier_training.duration == training.duration else "duration"
    for index, group in enumerate(groups):
        if group.until is None:
            continue
        before, now = earlier.steps.of(group.until), plan.steps.of(group.until)
        if before < done < now:
            kept = earlier_training.planned or earlier_training.duration
            reason = (
                f"moves the end of optimizer.parameter_groups.{index} (until={group.until}) from step {before} to {now}; "
                f"these parameters stay as they are since step {before}, of {done} done; training.planned={kept} keeps it there"
            )
            yield Problem(f"training.{key}", getattr(training, key), reason)


def past_plans(sessions: Sequence[Session], plan: Plan, done: int) -> list[tuple[range, Plan]]:
    """The steps that each session trained, of those that are done, with the session's config.

    Args:
        sessions: in order.
        plan: of the run as it is now, whose dataset the sessions share.
        done: steps done.
    """
    starts = [session.from_step for session in sessions if session.from_step < done]
    ends = [*starts[1:], done]
    return [
        (range(start, end), make_plan(session.apply(plan.config), plan.spec))
        for start, end, session in zip(starts, ends, sessions, strict=False)
        if start < end
    ]
