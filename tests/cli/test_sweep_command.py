"""Sweeps from the command line: nothing starts before all jobs are checked, and a stopped sweep is resumed."""

import io
import json
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field

import pytest

from nnjax.cli import command, sweep_command
from nnjax.cli.run_folder import begin_records
from nnjax.cli.runs import locked
from nnjax.cli.sweep_command import SweepCalls
from nnjax.cli.sweep_file import SWEEP_FILE, read_sweep
from nnjax.cli.sweep_results import OUTCOME_FILE
from nnjax.config.errors import ConfigError, DataError, DivergedError, PreemptedError
from nnjax.config.schema import TrainConfig
from nnjax.reporting.sweep_table import show_sweep

FAULTS = {
    "preempted": PreemptedError("SIGTERM: saved step 3"),
    "diverged": DivergedError("the loss is nan"),
    "failed": RuntimeError("unlucky"),
    "data": DataError("mnist: not found"),
    "killed": KeyboardInterrupt(),  # leaves no outcome
}


@dataclass
class Sweeps:
    """Runs sweeps with a task that takes no time, in the tests' own process.

    Attributes:
        folder: of the sweeps.
        faults: how the job with a seed ends, if not well.
        ran: the seed of each job that ran, and whether it was resumed.
        data: the content of the data now.
        results: of the last sweep, by number.
    """

    folder: object
    monkeypatch: object
    faults: dict = field(default_factory=dict)
    ran: list = field(default_factory=list)
    data: str = "sha256:1"
    results: list = field(default_factory=list)
    out: str = ""
    err: str = ""

    def task(self, config, run_dir):
        self.ran.append((config.seed, config.resume is not None))
        if config.resume is not None:
            begin_records(config, run_dir)
        (run_dir / "summary.json").write_text(json.dumps({"status": "failed", "data_hash": self.data}))
        if (fault := self.faults.get(config.seed)) is not None:
            (run_dir / "checkpoints/3").mkdir(parents=True, exist_ok=True)
            raise FAULTS[fault]
        done = {"status": "completed", "steps": 3, "test": {"loss": 1.0}, "data_hash": self.data}
        (run_dir / "summary.json").write_text(json.dumps(done))
        return {"status": "completed", "steps": config.seed}

    def __call__(self, *arguments):
        """Returns the exit code."""
        self.ran.clear()
        calls = SweepCalls(data_hash=lambda config: self.data)
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), self.monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["train", "-m", *arguments])
            with pytest.raises(SystemExit) as end:
                command.run("train", TrainConfig, self.task, self.end, sweep=calls)
        self.out, self.err = out.getvalue(), err.getvalue()
        return end.value.code

    def end(self, sweep_dir, results):
        self.results = results

    def start(self, *arguments):
        """Starts a sweep in the folder "one"."""
        return self(*arguments, f"hydra.sweep.dir={self.folder / 'one'}")

    def resume(self, *arguments):
        return self(f"resume={self.folder / 'one'}", *arguments)

    @property
    def states(self):
        return [result.status for result in self.results]

    def job(self, number):
        """The folder in which a job ended."""
        return self.results[number].run_dir


@pytest.fixture
def sweeps(tmp_path, monkeypatch):
    return Sweeps(tmp_path, monkeypatch)


@pytest.mark.slow
def test_one_bad_job_stops_the_sweep_before_the_first_starts(sweeps):
    assert sweeps.start("model=fnn,cnn", "data=textbook,digits", "seed=1,2") == 2
    lines = sweeps.err.splitlines()
    assert lines[0].startswith("model=cnn: needs images; data=textbook has 3 inputs")
    assert lines[1:] == [
        "  in job 4 of 8: model=cnn data=textbook seed=1",
        f"  also job 5: {lines[0]}",
        "  no job was started; --keep-going runs the other 6",
    ]
    assert (sweeps.ran, list(sweeps.folder.iterdir())) == ([], [])
    assert sweeps.start("--keep-going", "model=fnn,cnn", "data=textbook,digits", "seed=1,2") == 2
    assert [seed for seed, _ in sweeps.ran] == [1, 2, 1, 2, 1, 2]
    assert sweeps.states[4:] == ["config error", "config error", "completed", "completed"]


def test_keeping_going_needs_a_sweep(sweeps, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train", "--keep-going"])
    with redirect_stderr(io.StringIO()) as err, pytest.raises(SystemExit) as end:
        command.run("train", TrainConfig, sweeps.task)
    assert (end.value.code, err.getvalue()) == (2, "--keep-going: counts in a sweep only; add -m\n")


@pytest.mark.slow
def test_a_sweep_resumes_what_was_stopped_and_keeps_what_is_finished(sweeps):
    sweeps.faults = {2: "preempted", 1: "diverged", 0: "failed"}
    assert sweeps.start("model=fnn", "seed=3,1,0,2,4") == 75
    assert sweeps.ran == [(3, False), (1, False), (0, False), (2, False)]
    assert sweeps.states == ["completed", "diverged", "failed", "preempted", "not started"]
    sweeps.faults = {1: "diverged"}
    assert sweeps.resume() == 4
    assert sweeps.ran == [(0, True), (2, True), (4, False)]
    assert sweeps.states == ["completed", "diverged", "completed", "completed", "completed"]
    assert "one: 2 of 5 jobs are finished, 2 go on from a checkpoint, 1 start from the beginning" in sweeps.out
    assert [sweeps.job(number).name for number in (2, 3, 4)] == [
        "2_model-fnn_seed-0",
        "3_model-fnn_seed-2",
        "4_model-fnn_seed-4",
    ]
    assert [json.loads((sweeps.job(number) / OUTCOME_FILE).read_text())["number"] for number in range(5)] == list(range(5))
    assert sweeps.resume() == 4
    assert sweeps.ran == []
    assert len(sweeps.results) == 5


@pytest.mark.slow
def test_a_job_that_was_killed_is_not_what_it_was_before(sweeps):
    sweeps.faults = {1: "failed"}
    sweeps.start("model=fnn", "seed=1,2")
    assert sweeps.states == ["failed", "completed"]
    sweeps.faults = {1: "killed"}
    assert sweeps.resume() == 130
    assert sweeps.states == ["did not end", "completed"]
    sweeps.faults = {}
    assert sweeps.resume() == 0
    assert sweeps.ran == [(1, True)]


@pytest.mark.slow
@pytest.mark.parametrize("what", ["code", "data", "config"])
def test_a_finished_job_whose_code_or_data_have_changed_is_trained_anew_beside_it(what, sweeps, monkeypatch):
    sweeps.start("model=fnn", "seed=1,2")
    old = (sweeps.job(0) / OUTCOME_FILE).read_bytes()
    if what == "data":
        sweeps.data = "sha256:2"
    elif what == "code":
        monkeypatch.setattr(sweep_command, "code_version", lambda: "another")
    else:
        stored = json.loads((sweeps.job(0).parent / SWEEP_FILE).read_text())
        stored["jobs"][0]["overrides"].append("training.keep=7")
        (sweeps.job(0).parent / SWEEP_FILE).write_text(json.dumps(stored))
    assert sweeps.resume() == 0
    assert sweeps.ran == ([(1, False)] if what == "config" else [(1, False), (2, False)])
    assert sweeps.job(0).name == "0_model-fnn_seed-1_2"
    assert (sweeps.job(0).with_name("0_model-fnn_seed-1") / OUTCOME_FILE).read_bytes() == old
    has = "data have" if what == "data" else f"{what} has"
    assert f"job 0: {'the' if what == 'code' else 'its'} {has} changed since its result; it is trained anew, in " in sweeps.err
    assert sweeps.resume() == 0
    assert sweeps.ran == []
    assert len(sweeps.results) == 2


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["preempted", "killed", "torn"])
def test_a_job_is_not_half_of_one_code_and_half_of_another(fault, sweeps, monkeypatch):
    """A checkpoint of other code is left as it is; so is a result whose outcome is not there to tell its code."""
    sweeps.faults = {} if fault == "torn" else {2: fault}
    sweeps.start("model=fnn", "seed=1,2")
    if fault == "torn":
        (sweeps.job(1) / OUTCOME_FILE).unlink()
    sweeps.faults = {}
    monkeypatch.setattr(sweep_command, "code_version", lambda: "another")
    assert sweeps.resume() == 0
    assert sweeps.ran == [(1, False), (2, False)]
    what = "result" if fault == "torn" else "checkpoint"
    assert f"job 1: the code has changed since its {what}; it is trained anew, in 1_model-fnn_seed-2_2" in sweeps.err
    assert sweeps.resume() == 0
    assert sweeps.ran == []


@pytest.mark.slow
def test_a_half_trained_job_whose_data_have_changed_is_trained_anew(sweeps):
    sweeps.faults = {2: "preempted"}
    sweeps.start("model=fnn", "seed=1,2")
    sweeps.faults, sweeps.data = {}, "sha256:2"
    assert sweeps.resume() == 0
    assert sweeps.ran == [(1, False), (2, False)]
    assert "job 1: its data have changed since its checkpoint; it is trained anew" in sweeps.err


@pytest.mark.slow
def test_a_job_that_never_began_starts_whatever_the_code_was(sweeps, monkeypatch):
    sweeps.faults = {1: "preempted"}
    sweeps.start("model=fnn", "seed=1,2")
    monkeypatch.setattr(sweep_command, "code_version", lambda: "another")
    sweeps.faults = {}
    assert sweeps.resume() == 0
    assert sweeps.ran == [(1, False), (2, False)]
    assert sweeps.job(1).name == "1_model-fnn_seed-2"


@pytest.mark.slow
def test_a_report_setting_or_a_faster_disk_is_no_other_experiment(sweeps):
    """`config_hash` leaves out what does not change the numbers."""
    sweeps.start("model=fnn", "seed=1,2", "report.figures=false")
    path = sweeps.folder / "one" / SWEEP_FILE
    path.write_text(path.read_text().replace("report.figures=False", "report.figures=True"))
    assert sweeps.resume() == 0
    assert sweeps.ran == []


@pytest.mark.slow
def test_a_job_keeps_its_number_where_its_values_depend_on_it(sweeps):
    sweeps.faults = {2: "preempted"}
    assert sweeps.start("model=fnn", "seed=${hydra:job.num}", "data.validation=0.1,0.2,0.3,0.4") == 75
    sweeps.faults = {}
    assert sweeps.resume() == 0
    assert sweeps.ran == [(2, True), (3, False)]


@pytest.mark.slow
def test_a_bad_job_fails_alone_in_the_resumed_sweep_too(sweeps):
    sweeps.faults = {1: "preempted"}
    assert sweeps.start("--keep-going", "data=textbook,digits", "seed=1,2") == 75
    assert sweeps.resume("hydra.mode=MULTIRUN") == 75
    sweeps.faults = {}
    assert sweeps.resume() == 2
    assert sweeps.states == ["config error", "config error", "completed", "completed"]


@pytest.mark.slow
def test_a_resume_may_leave_jobs_out_that_cannot_run_any_more(sweeps):
    sweeps.start("model=fnn", "seed=1,2")
    path = sweeps.folder / "one" / SWEEP_FILE
    stored = json.loads(path.read_text())
    stored["jobs"][0]["overrides"].append("training.global_batch_size=5000")
    path.write_text(json.dumps(stored))
    assert sweeps.resume() == 2
    assert "no job was started; --keep-going runs the other 1" in sweeps.err
    assert sweeps.resume("--keep-going") == 2
    assert sweeps.states == ["config error", "completed"]


@pytest.mark.slow
def test_a_sweep_with_a_folder_of_configs_asks_for_it_again(sweeps, tmp_path):
    own = tmp_path / "own"
    (own / "experiment").mkdir(parents=True)
    (own / "experiment/mine.yaml").write_text("# @package _global_\nseed: 7\n")
    sweeps.faults = {7: "preempted"}
    assert sweeps.start("--config-dir", str(own), "experiment=mine", "model=fnn", "data.validation=0.1,0.2") == 75
    show_sweep(sweeps.folder / "one", sweeps.results)
    assert f"-m resume={sweeps.folder / 'one'} --config-dir {own} runs them" in (sweeps.folder / "one/sweep.log").read_text()
    sweeps.faults = {}
    assert sweeps.resume() == 2
    assert sweeps.err.endswith(f"one: was started with a folder of configs; give it again: --config-dir {own}\n")
    assert sweeps.resume("--config-dir", str(own)) == 0
    assert sweeps.ran == [(7, True), (7, False)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("seed=3", "seed=3: a resumed sweep keeps its jobs and its folder; it may change hydra/launcher, hydra.launcher"),
        ("hydra.sweep.dir=own", "hydra.sweep.dir=own: a resumed sweep keeps its jobs and its folder;"),
        ("hydra/launcher=nope", "hydra/launcher=nope: "),
    ],
)
def test_a_resumed_sweep_stays_what_it_was(argument, message, sweeps):
    sweeps.start("model=fnn", "seed=1,2")
    assert sweeps.resume(argument) == 2
    assert sweeps.err.startswith(message)


@pytest.mark.slow
def test_a_sweep_is_resumed_by_one_process(sweeps):
    sweeps.start("model=fnn", "seed=1,2")
    with locked(sweeps.folder / "one"):
        assert sweeps.resume() == 2
    assert "is in use by another process; wait until that ends" in sweeps.err


@pytest.mark.slow
def test_what_is_no_sweep_is_not_resumed(sweeps):
    sweeps.start("model=fnn", "seed=1,2")
    path = sweeps.folder / "one" / SWEEP_FILE
    for damage in ("{", "[]", '{"jobs": []}', path.read_text().replace("0_model-fnn_seed-1", "../elsewhere")):
        path.write_text(damage)
        assert sweeps.resume() == 2
        assert sweeps.err.startswith(str(path)), sweeps.err
        assert len(sweeps.err.splitlines()) == 1
    path.unlink()
    assert sweeps.resume() == 2
    assert "is missing; only a sweep that has this file can be resumed" in sweeps.err
    shutil.rmtree(sweeps.folder / "one")
    assert sweeps.resume() == 2
    assert "a run is resumed by itself; leave out -m, or name the folder of a sweep" in sweeps.err


def test_a_sweep_is_no_run(sweeps, monkeypatch):
    sweeps.start("model=fnn", "seed=1,2")
    monkeypatch.setattr(sys, "argv", ["train", f"resume={sweeps.folder / 'one'}"])
    with redirect_stderr(io.StringIO()) as err, pytest.raises(SystemExit) as end:
        command.run("train", TrainConfig, sweeps.task)
    assert end.value.code == 2
    assert "is a sweep, not a run; add -m, which runs what is left of it" in err.getvalue()


def test_a_verb_may_refuse_the_jobs_before_anything_is_made(sweeps, monkeypatch):
    def refuse(jobs, keep_going):
        raise ConfigError(f"{len(jobs)} jobs: no")

    monkeypatch.setattr(sys, "argv", ["train", "-m", "seed=1,2", f"hydra.sweep.dir={sweeps.folder / 'one'}"])
    with redirect_stderr(io.StringIO()) as err, pytest.raises(SystemExit) as end:
        command.run("train", TrainConfig, sweeps.task, sweep=SweepCalls(on_start=refuse))
    assert (end.value.code, err.getvalue()) == (2, "2 jobs: no\n")
    assert (sweeps.ran, list(sweeps.folder.iterdir())) == ([], [])


def test_the_record_holds_what_was_asked_for(sweeps):
    sweeps.start("model=fnn", "seed=1,2", "hydra.sweeper.max_batch_size=1")
    stored = read_sweep(sweeps.folder / "one")
    assert (stored.verb, stored.task, stored.keep_going) == ("train", ("model=fnn", "seed=1,2"), False)
    assert [job.folder for job in stored.jobs] == ["0_model-fnn_seed-1", "1_model-fnn_seed-2"]
    assert "hydra.sweeper.max_batch_size=1" in stored.hydra
