"""What is checked before a sweep's first job, and what its exit code says."""

from pathlib import Path

import pytest
from hydra.types import RunMode

from nnjax.cli.compose import compose
from nnjax.cli.sweep_plan import PlannedJob, check_unused, plan, sweep_exit_code
from nnjax.cli.sweep_results import JobResult, collect
from nnjax.config.errors import ConfigError
from nnjax.config.schema import TrainConfig


def planned(*overrides: str, told: list[str] | None = None) -> list[PlannedJob]:
    tell = [].append if told is None else told.append
    return plan(TrainConfig, compose("train", overrides, run_mode=RunMode.MULTIRUN), tell)


def test_each_job_has_a_folder() -> None:
    assert planned("seed=3,4", "model=fnn") == [
        PlannedJob(("seed=3", "model=fnn"), "0_model-fnn_seed-3"),
        PlannedJob(("seed=4", "model=fnn"), "1_model-fnn_seed-4"),
    ]
    assert [job.folder for job in planned("seed=3,4", "hydra.sweep.subdir=a/${seed}")] == ["a/3", "a/4"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("same", "same: is the folder of job 0 and of job 1; put ${hydra.job.num} into it"),
        ("./same/", "./same/: is the folder of job 0 and of job 1"),
        ("${model.name}", "cnn: is the folder of job 0 and of job 1"),
        (".", ".: must be a folder below hydra.sweep.dir"),
        ("''", ": must be a folder below hydra.sweep.dir"),
        ("/tmp/${seed}", "/tmp/0: must be a folder below hydra.sweep.dir"),
        ("../${seed}", "../0: must be a folder below hydra.sweep.dir"),
        ("${nowhere}", "${nowhere}: Interpolation key 'nowhere' not found"),
    ],
)
def test_no_two_jobs_write_over_each_other(pattern: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        planned("seed=0,1", f"hydra.sweep.subdir={pattern}")
    assert str(error.value).startswith(f"hydra.sweep.subdir={message}")


def test_a_jobs_folder_is_not_inside_anothers() -> None:
    with pytest.raises(ConfigError, match=r"^hydra\.sweep\.subdir=a/b: the folder of job 1 lies in that of job 0"):
        planned("data=mnist", "data.directory='a','a/b'", "hydra.sweep.subdir=${data.directory}")


def test_an_earlier_run_is_not_written_over(tmp_path: Path) -> None:
    jobs = planned("seed=0,1", "hydra.sweep.subdir=a/${seed}")
    check_unused(jobs, tmp_path)
    (tmp_path / "a/1").mkdir(parents=True)
    (tmp_path / "a/1/config.yaml").touch()
    with pytest.raises(ConfigError, match=r"^hydra\.sweep\.subdir=a/1: holds an earlier run"):
        check_unused(jobs, tmp_path)


@pytest.mark.slow
def test_jobs_that_are_alike_are_told() -> None:
    told: list[str] = []
    assert len(planned("seed=0,1,0", told=told)) == 3
    assert told == ["job 2 is the same as job 0: seed=0"]
    told.clear()
    planned("experiment=learning_rates", "optimizer.learning_rate=-1", "seed=0,0", told=told)
    assert told[0].startswith("job 1 is the same as job 0: step_size=small experiment=learning_rates ")
    assert told[3].endswith(" more jobs are the same as earlier ones")
    told.clear()
    planned("seed=0,1", "experiment=none,textbook", told=told)
    assert told == []


def test_a_sweep_resumes_nothing() -> None:
    with pytest.raises(ConfigError, match=r"^resume=nowhere: a run is resumed by itself; leave out -m"):
        planned("seed=0,1", "resume=nowhere")


def test_a_sweep_of_several_processes_is_refused_before_its_first_job() -> None:
    with pytest.raises(ConfigError, match=r"^parallel\.processes=2: must be auto or 1 in a sweep, .*command line\)"):
        planned("model=fnn", "parallel.processes=1,2")
    assert len(planned("seed=0,1", "parallel.processes=1")) == 2


@pytest.mark.parametrize(
    ("codes", "code"),
    [([], 0), ([0, 0], 0), ([0, 4, 0], 4), ([2, 2], 2), ([3], 3), ([75, 0], 75), ([4, 75, 1], 75), ([4, 3], 1), ([0, 1, 4], 1)],
)
def test_the_exit_code_sums_up_the_jobs(codes: list[int], code: int) -> None:
    assert sweep_exit_code(codes) == code


@pytest.mark.parametrize(
    ("code", "summary", "status"),
    [
        (0, {"status": "stopped_early"}, "stopped_early"),
        (0, {"status": "completed"}, "completed"),
        (0, {"test_accuracy": 1.0}, "completed"),
        (1, None, "failed"),
        (2, None, "config error"),
        (3, None, "data error"),
        (4, None, "diverged"),
        (75, None, "preempted"),
    ],
)
def test_each_status_has_a_name(code: int, summary: dict[str, object] | None, status: str) -> None:
    assert JobResult(0, (), None, code, "said" if code else None, summary).status == status


def test_a_job_that_left_nothing_began_or_did_not(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    results = collect(tmp_path, [("seed=0",), ("seed=1",)], ["0", "1"])
    assert [(job.status, job.run_dir, job.exit_code) for job in results] == [
        ("did not end", tmp_path / "0", 1),
        ("not started", None, 1),
    ]
