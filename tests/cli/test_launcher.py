"""How a machine is divided among its processes, and when a job starts again."""

import errno
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from nnjax.cli import launcher
from nnjax.cli.compose import compose_train
from nnjax.cli.launcher import _Team, launch
from nnjax.config.errors import ConfigError, UserError

CONFIG = compose_train(["model=fnn", "parallel.processes=2", "training.eval_batch_size=64"])


def supervised(**changes):
    return replace(CONFIG, parallel=replace(CONFIG.parallel, supervise=True, **changes))


class Attempts:
    """Stands for the processes: each attempt ends as a test wants."""

    def __init__(self, monkeypatch, *ends):
        self.ends, self.started = list(ends), []
        monkeypatch.setattr(launcher, "_Team", self)

    def __call__(self, count, words, peer_timeout, gpus=()):
        self.started.append((count, words))
        code, killed, stopped = self.ends.pop(0)
        team = object.__new__(_Team)
        team.folder, team.killed, team.stopped, team.wait = "/runs/one", killed, stopped, lambda: code
        return team


@pytest.mark.parametrize(
    ("cores", "count", "shares"), [(4, 2, ["0,1", "2,3"]), (5, 2, ["0,1", "2,3"]), (2, 3, ["0", "1", "0"])]
)
def test_each_process_has_its_cores(monkeypatch, cores, count, shares):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    assert launcher._shares(count) == shares


@pytest.mark.parametrize("code", [0, 2, 3, 4, 75, 130])
def test_only_a_failure_of_the_machine_starts_a_job_again(monkeypatch, code):
    attempts = Attempts(monkeypatch, (code, [], False))
    assert launch(supervised(), automatic=False) == code
    assert len(attempts.started) == 1


def test_a_failed_job_is_started_again_from_its_folder(monkeypatch, capsys):
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "experiments.train", "model=fnn", "seed=3"])
    attempts = Attempts(monkeypatch, (1, [1], False), (0, [], False))
    assert launch(supervised(), automatic=False) == 0
    assert attempts.started[1] == (
        2,
        ["-m", "experiments.train", "resume='/runs/one'", "parallel.start_timeout=300.0", "parallel.processes=2"],
    )
    assert "restart 1 of 3, with 2 processes" in capsys.readouterr().err


def test_resume_auto_is_repeated_as_it_is(monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "experiments.train", "resume=auto", "parallel.processes=2"])
    attempts = Attempts(monkeypatch, (1, [], False), (0, [], False))
    assert launch(supervised(), automatic=True) == 0
    assert attempts.started[1] == (2, ["-m", "experiments.train", "resume=auto", "parallel.processes=2"])


def test_the_restarts_are_counted(monkeypatch):
    attempts = Attempts(monkeypatch, *[(1, [], False)] * 3)
    assert launch(supervised(max_restarts=2), automatic=False) == 1
    assert len(attempts.started) == 3


def test_a_job_that_was_stopped_stays_stopped(monkeypatch):
    attempts = Attempts(monkeypatch, (1, [], True))
    assert launch(supervised(), automatic=False) == 1
    assert len(attempts.started) == 1


@pytest.mark.parametrize(("killed", "left"), [([1], 2), ([1, 2], 2), ([0, 1, 2], 1)])
def test_an_elastic_job_goes_on_with_as_many_as_share_the_batches(monkeypatch, killed, left):
    config = supervised(processes=4, elastic=True)
    attempts = Attempts(monkeypatch, (1, killed, False), (0, [], False))
    assert launch(config, automatic=False) == 0
    assert attempts.started[1][0] == left


def test_without_supervision_nothing_starts_again(monkeypatch):
    attempts = Attempts(monkeypatch, (1, [1], False))
    assert launch(CONFIG, automatic=False) == 1
    assert len(attempts.started) == 1


def test_a_single_process_that_takes_its_time_is_not_stopped(monkeypatch):
    """As in an elastic restart with one process left."""
    monkeypatch.setattr(launcher, "_LAST", 0.2)
    assert _Team(1, ["-c", "import time; time.sleep(1)"], 60.0).wait() == 0


def test_the_code_is_that_of_the_processes_that_ended_by_themselves(monkeypatch):
    """Process 0 found the run complete; the other one, which waits, is told to stop."""
    monkeypatch.setattr(launcher, "_LAST", 0.5)
    code = "import os, signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(75)); "
    code += "os.environ['NNJAX_RANK'] == '1' and time.sleep(60)"
    assert _Team(2, ["-c", code], 60.0).wait() == 0


@pytest.mark.parametrize(
    ("count", "answer"),
    [
        pytest.param(3, "signal.SIG_IGN", id="hang, and are ended, which does not count as lost"),
        pytest.param(2, "lambda *_: sys.exit(75)", id="say that they were told to stop, as one that waits for its start does"),
    ],
)
def test_a_killed_process_is_a_failure_of_the_machine_whatever_the_others_answer(monkeypatch, count, answer):
    """Process 1 is killed; the others are told to stop."""
    for name in ("_LAST", "_GRACE"):
        monkeypatch.setattr(launcher, name, 0.5)
    code = f"import os, signal, sys, time; signal.signal(signal.SIGTERM, {answer}); "
    code += "os.environ['NNJAX_RANK'] == '1' and os.kill(os.getpid(), signal.SIGKILL); time.sleep(60)"
    team = _Team(count, ["-c", code], 0.1)
    assert team.wait() == 1
    assert team.killed == [1]


def test_more_processes_than_gpus_are_refused():
    with pytest.raises(
        ConfigError, match=r"parallel\.processes=2: each process needs a GPU of its own, and this machine has 1"
    ):
        launch(CONFIG, ["0"], automatic=False)


def test_a_process_that_cannot_be_started_ends_the_others(monkeypatch):
    started, popen = [], subprocess.Popen

    def start(*args, **options):
        if started:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        started.append(popen(*args, **options))
        return started[0]

    monkeypatch.setattr(launcher.subprocess, "Popen", start)
    with pytest.raises(UserError, match="process 1 cannot be started: Resource temporarily unavailable"):
        _Team(2, ["-c", "import time; time.sleep(60)"], 60.0)
    assert started[0].wait(10) == -signal.SIGKILL
