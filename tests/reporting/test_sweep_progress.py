"""The progress of a sweep while its jobs run."""

import json

import pytest

from nnjax.checks.plan import make_plan
from nnjax.cli.compose import compose_train
from nnjax.cli.runs import write_config
from nnjax.cli.sweep_plan import PlannedJob
from nnjax.cli.sweep_results import NOT_STARTED, JobResult, write_outcome
from nnjax.reporting.console import RunConsole
from nnjax.reporting.sweep_progress import SweepWatch, watched


@pytest.fixture
def jobs():
    config = compose_train(["model=fnn", "training.duration=100steps"])
    return [PlannedJob((f"seed={seed}", "model=fnn"), str(seed), config, None, make_plan(config)) for seed in range(6)]


def begin(folder, job, *records):
    (folder / job.folder).mkdir()
    write_config(job.config, folder / job.folder)
    (folder / job.folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


def finish(folder, number, job, code=0, accuracy=None):
    if not (folder / job.folder).exists():
        begin(folder, job)
    summary = None if code else {"status": "completed", "test": {"loss": 0.1, "accuracy": accuracy}}
    write_outcome(
        JobResult(number, job.overrides, folder / job.folder, code, "said" if code else None, summary), folder / job.folder
    )


def test_a_line_says_how_far_it_is(tmp_path, jobs):
    watch = SweepWatch(tmp_path, jobs, range(6), began=100.0)
    assert not watch.look()
    assert watch.line(101.0) == "0 of 6 jobs ended"
    begin(tmp_path, jobs[0])
    assert watch.line(101.0) == "0 of 6 jobs ended; 1 running"
    finish(tmp_path, 0, jobs[0], accuracy=0.9)
    begin(tmp_path, jobs[1])
    assert watch.look()
    assert watch.line(110.0) == "1 of 6 jobs ended: 1 completed; 1 running; about 50.0 s left"
    finish(tmp_path, 1, jobs[1], accuracy=0.975)
    finish(tmp_path, 2, jobs[2], code=4)
    finish(tmp_path, 3, jobs[3], code=75)
    assert watch.look()
    assert not watch.look()
    assert watch.line(140.0) == (
        "4 of 6 jobs ended: 2 completed, 1 diverged, 1 preempted; best so far job 1, test accuracy 97.50%; about 20.0 s left"
    )


def test_a_job_that_was_not_started_has_not_ended(tmp_path, jobs):
    watch = SweepWatch(tmp_path, jobs, range(6), began=100.0)
    finish(tmp_path, 0, jobs[0], code=75)
    for number in (1, 2):
        begin(tmp_path, jobs[number])
        skipped = JobResult(number, jobs[number].overrides, tmp_path / str(number), 75, NOT_STARTED, None)
        write_outcome(skipped, tmp_path / str(number))
    watch.look()
    assert watch.line() == "1 of 6 jobs ended: 1 preempted; 2 not started"


def test_jobs_that_had_ended_before_take_no_time(tmp_path, jobs):
    finish(tmp_path, 0, jobs[0], accuracy=0.9)
    watch = SweepWatch(tmp_path, jobs, [1, 2, 3, 4, 5], began=100.0)
    watch.look()
    assert watch.line(150.0) == "1 of 6 jobs ended: 1 completed"
    finish(tmp_path, 1, jobs[1], accuracy=0.8)
    watch.look()
    assert watch.line(110.0).endswith("best so far job 0, test accuracy 90.00%; about 40.0 s left")


def test_a_table_shows_the_running_jobs(tmp_path, jobs, capsys):
    begin(tmp_path, jobs[0], {"step": 20, "split": "train", "loss": 0.5}, {"step": 20, "split": "validation", "loss": 9.0})
    begin(tmp_path, jobs[3])
    with (tmp_path / "0/metrics.jsonl").open("a") as metrics:
        metrics.write('{"step": 40, "spl')  # as a job writes it now
    RunConsole(None).print(SweepWatch(tmp_path, jobs, range(6), 0.0).table())
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert rows[0] == ["running", "seed", "step", "train", "loss"]
    assert rows[2:] == [["0", "0", "20", "of", "100", "0.5000"], ["3", "3"]]


def test_an_outcome_that_is_being_written_is_read_later(tmp_path, jobs):
    begin(tmp_path, jobs[0])
    (tmp_path / "0/.hydra").mkdir()
    (tmp_path / "0/.hydra/outcome.json").write_text('{"numb')
    watch = SweepWatch(tmp_path, jobs, range(6), 0.0)
    assert not watch.look()
    finish(tmp_path, 0, jobs[0], accuracy=0.5)
    assert watch.look()


@pytest.mark.parametrize("live", [True, False])
def test_the_last_line_counts_every_job(live, tmp_path, jobs, capsys):
    with watched(tmp_path, jobs, range(6), live=live):
        for number, job in enumerate(jobs):
            finish(tmp_path, number, job, accuracy=0.5 + number / 100)
    assert "6 of 6 jobs ended: 6 completed; best so far job 5, test accuracy 55.00%" in capsys.readouterr().out


def test_a_single_job_needs_no_view(tmp_path, jobs, capsys):
    with watched(tmp_path, jobs[:1], [0], live=True):
        finish(tmp_path, 0, jobs[0], accuracy=0.5)
    with watched(tmp_path, jobs, [], live=False):
        pass
    assert capsys.readouterr().out == ""
