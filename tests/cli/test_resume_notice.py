"""Sessions of a run, and what a resume with other lengths says; the runs here are folders with empty checkpoints."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from nnjax.checks.plan import make_plan
from nnjax.cli.compose import compose_train
from nnjax.cli.resume_notice import other_past, resume_notice
from nnjax.cli.runs import write_config
from nnjax.cli.sessions import SESSIONS_FILE, begin_session, check_session, read_sessions, steps_done
from nnjax.config.diagnostics import NO_ORIGINS
from nnjax.config.errors import IncompatibleError
from nnjax.config.parsing import config_hash
from nnjax.config.schema import TrainConfig

PER_EPOCH = 20  # digits


class FakeRun:
    """Begins sessions in a folder, and tells what they say."""

    def __init__(self, folder: Path, *common: str) -> None:
        self.folder, self.common = folder, common

    def session(self, *overrides: str) -> list[str]:
        """The notice of a session with these overrides besides those of all sessions."""
        self.config = self.config_of(*overrides)
        check_session(self.config, self.folder, NO_ORIGINS)
        begin_session(self.config, self.folder)
        write_config(self.config, self.folder)
        done = steps_done(self.folder)
        return resume_notice(make_plan(self.config), read_sessions(self.folder), done)

    def config_of(self, *overrides: str) -> TrainConfig:
        config = compose_train([*self.common, *overrides])
        return replace(config, resume=str(self.folder) if (self.folder / "config.yaml").exists() else None)

    def trained(self, steps: int) -> None:
        (self.folder / "checkpoints" / str(steps)).mkdir(parents=True)

    def hash(self) -> str:
        return config_hash(self.config, other_past(self.config, self.folder))


def fake(folder: Path, *common: str, epochs: int = 3) -> FakeRun:
    """A run of so many epochs that is done."""
    run = FakeRun(folder, *common)
    assert run.session(f"training.duration={epochs}epochs") == []
    run.trained(epochs * PER_EPOCH)
    return run


def offered(notice: list[str]) -> list[list[str]]:
    """The overrides that a notice offers, as a shell reads them."""
    return [shlex.split(line) for line in notice if line.startswith("    ") and "=" in line.split()[0]]


def test_a_longer_schedule_jumps_and_says_so(tmp_path: Path) -> None:
    notice = fake(tmp_path).session("training.duration=6epochs")
    assert notice[0] == "training.duration=6epochs (until now 3epochs):"
    assert "the learning rate was 6.85e-07 in step 60, the last one done, and is 0.0005 in step 61" in notice[1]
    assert offered(notice) == [["training.planned=3epochs"], ["training.planned=3epochs", "schedule.restarts=[3epochs]"]]
    assert "nothing more is learnt" in notice[notice.index("    training.planned=3epochs") + 1]


@pytest.mark.slow
@pytest.mark.parametrize("duration", ["6epochs", "100steps", "5000examples"])
@pytest.mark.parametrize("schedule", ["cosine schedule.final=0.1", "warmup_cosine", "onecycle", "step"])
def test_what_is_offered_leaves_the_past_what_it_was(tmp_path: Path, schedule: str, duration: str) -> None:
    run = fake(tmp_path, *f"schedule={schedule}".split())
    before = run.hash()
    ways = offered(run.session(f"training.duration={duration}"))
    assert run.hash() != before
    assert run.hash() != config_hash(run.config)  # its first steps went otherwise
    assert len(ways) == 2
    for way in ways:
        notice = run.session(f"training.duration={duration}", *way)
        assert notice
        assert not offered(notice)
        assert "another schedule" not in " ".join(notice)
        assert run.hash() == config_hash(run.config)


@pytest.mark.slow
def test_a_chain_of_longer_and_longer_runs_is_offered_what_keeps_all_of_it(tmp_path: Path) -> None:
    run = fake(tmp_path, "schedule=onecycle", "schedule.final=0.2")
    chosen: list[str] = []
    for epochs, way in [(6, 0), (9, -1), (12, 0), (15, -1), (18, -1)]:  # hold, restart, hold, restart, restart
        ways = offered(run.session(f"training.duration={epochs}epochs", *chosen))
        chosen = list({text.partition("=")[0]: text for text in [*chosen, *ways[way]]}.values())
        notice = run.session(f"training.duration={epochs}epochs", *chosen)
        assert "another schedule" not in " ".join(notice)
        run.trained(epochs * PER_EPOCH)
    assert chosen == [
        "training.planned=3epochs",
        "schedule.restarts=[{at:6epochs,length:3epochs},12epochs,15epochs]",
    ]


def test_a_course_that_a_resume_would_stretch_can_be_held_to_its_steps(tmp_path: Path) -> None:
    run = FakeRun(tmp_path)
    run.session("training.duration=40steps")
    run.trained(40)
    run.session("training.duration=60steps", "training.planned=40steps", "schedule.restarts=[40steps]")
    run.trained(60)
    notice = run.session("training.duration=75steps", "training.planned=40steps", "schedule.restarts=[40steps]")
    assert offered(notice) == [["schedule.restarts=[{at:40steps,length:20steps}]"], ["schedule.restarts=[40steps,60steps]"]]


def test_after_a_jump_the_next_one_may_still_be_avoided(tmp_path: Path) -> None:
    run = fake(tmp_path)
    run.session("training.duration=6epochs")
    run.trained(120)
    notice = run.session("training.duration=9epochs")
    assert any("another schedule" in line for line in notice)
    assert offered(notice)[0] == ["training.planned=6epochs"]


def test_a_session_that_saved_nothing_is_no_part_of_the_run(tmp_path: Path) -> None:
    run = fake(tmp_path)
    first = run.session("training.duration=6epochs")
    assert run.session("training.duration=6epochs") == first  # killed before a step: said once more
    run.trained(75)
    assert run.session("training.duration=6epochs") == []


def test_a_run_of_an_older_version_is_known_by_its_config(tmp_path: Path) -> None:
    run = fake(tmp_path)
    (tmp_path / SESSIONS_FILE).unlink()
    assert run.session("training.duration=6epochs")[0] == "training.duration=6epochs (until now 3epochs):"
    (tmp_path / SESSIONS_FILE).write_text("{torn")
    assert [session.from_step for session in read_sessions(tmp_path)] == [0]


def test_a_shorter_run_keeps_the_plan_it_had(tmp_path: Path) -> None:
    run = FakeRun(tmp_path)
    run.session("training.duration=9epochs")
    run.trained(40)
    notice = run.session("training.duration=3epochs")
    assert offered(notice) == [["training.planned=9epochs"]]
    assert not offered(run.session("training.duration=3epochs", "training.planned=9epochs"))


def test_a_constant_rate_stays_and_is_said_to(tmp_path: Path) -> None:
    notice = fake(tmp_path, "schedule=constant").session("training.duration=6epochs")
    assert notice[1:] == [
        "  schedule=constant: the learning rate was 0.001 in step 60, the last one done, and is 0.001 in step 61"
    ]


def test_trials_have_shares_of_their_peaks(tmp_path: Path) -> None:
    notice = fake(tmp_path, "training.vary.learning_rate=[0.1,0.2]").session("training.duration=6epochs")
    assert "is 0.5 × the peak in step 61" in notice[1]


def test_percents_and_lookahead_are_named(tmp_path: Path) -> None:
    common = (
        "training.evaluate_every=10%",
        "training.checkpoint_every=50%",
        "optimizer.lookahead={sync_period: 7, slow_step_size: 0.5, power: 1}",
        "optimizer.parameter_groups=[{parameters: '*.bias', until: 100%}]",
    )
    run = fake(tmp_path, *common)
    notice = "\n".join(run.session("training.duration=6epochs"))
    for line in (
        "training.evaluate_every=10% is 12 steps, until now 6",
        "training.checkpoint_every=50% is 60 steps, until now 30",
        "optimizer.parameter_groups.0.until=100% is 120 steps, until now 60",
        "at step 60, an old end, the fast weights became the slow ones",
        "60 steps are 50% of the training now, 100% until now",
    ):
        assert line in notice
    kept = "\n".join(run.session("training.duration=6epochs", "training.planned=3epochs"))
    assert "until now 6" not in kept
    assert "lookahead" not in kept


def test_what_is_done_cannot_be_undone(tmp_path: Path) -> None:
    run = fake(tmp_path, "optimizer.parameter_groups=[{parameters: '*.bias', until: 50%}]")
    before = (tmp_path / SESSIONS_FILE).read_text(), (tmp_path / "config.yaml").read_text()
    with pytest.raises(IncompatibleError) as caught:
        run.session("training.duration=9epochs")
    assert str(caught.value) == (
        "training.duration=9epochs: moves the end of optimizer.parameter_groups.0 (until=50%) from step 30 to 90; these "
        "parameters stay as they are since step 30, of 60 done; training.planned=3epochs keeps it there"
    )
    with pytest.raises(IncompatibleError, match=r"training\.duration=1epoch: ends at step 20, and the run has done 60 steps"):
        run.session("training.duration=1epoch")
    assert before == ((tmp_path / SESSIONS_FILE).read_text(), (tmp_path / "config.yaml").read_text())
    assert run.session("training.duration=9epochs", "training.planned=3epochs")
