"""`resume=auto`: one command line starts a run, goes on with it, and leaves it alone once it has finished."""

import shutil

import pytest
from small_runs import TINY

import nnjax
from experiments import train
from nnjax.cli.auto_resume import holds_run
from nnjax.cli.runs import locked
from nnjax.reporting.metrics import read_metrics
from nnjax.reporting.run_summary import read_summary

OVERRIDES = (*TINY, "report.figures=false", "resume=auto")


@pytest.fixture
def job(tmp_path, monkeypatch, capsys):
    """Gives the command of a job whose folder is `run`; returns exit code, output and errors."""

    def job(*overrides, folder="run"):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["train", *OVERRIDES, f"hydra.run.dir={folder}", *overrides])
        with pytest.raises(SystemExit) as end:
            train.main()
        return (end.value.code, *capsys.readouterr())

    return job


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "finished"
    nnjax.fit(nnjax.compose(*OVERRIDES), folder)
    return folder


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def contents(folder):
    return {str(path): (path.lstat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in folder.rglob("*")}


@pytest.mark.slow
def test_the_same_command_starts_extends_and_leaves_a_run(job, tmp_path):
    code, out, _ = job()
    assert (code, "completed" in out) == (0, True)
    folder = tmp_path / "run"
    assert "resume: null" in (folder / "config.yaml").read_text()
    before = contents(folder)
    code, out, _ = job()
    assert (code, contents(folder)) == (0, before)
    assert out.startswith("run: complete: 6 steps, test loss")
    code, out, _ = job("training.duration=3epochs")
    assert (code, "Resuming from step 6 of 9" in out) == (0, True)
    assert job("training.duration=3epochs")[1].startswith("run: complete: 9 steps")


@pytest.mark.slow
def test_another_experiment_is_refused_by_name(job, run):
    before = contents(run)
    code, _, err = job("seed=3", "model.dropout=0.5", "schedule=constant", "report.weights=9", "training.keep=5")
    assert (code, contents(run)) == (2, before)
    first, *more = err.splitlines()
    assert first == "model.dropout=0.5: the run in run has 0.0 (set on the command line)"
    assert more[0] == "  also: schedule=constant: the run in run has cosine (set on the command line)"
    assert more[1] == "  also: seed=3: the run in run has 0 (set on the command line)"
    assert len(more) == 3
    assert job("model=cnn", "model.hidden=null")[0] == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "first_line"),
    [
        (["-m"], "hydra.run.dir=run: names the folder of a single run"),
        (["-m", "hydra.sweep.dir=sweep", "seed=1,2"], "resume=auto: a run is resumed by itself; leave out -m"),
        (["rerun=run"], "rerun="),
        (["seeed=1"], "seeed=1: unknown key"),
    ],
)
def test_what_does_not_go_with_it_is_refused(job, run, arguments, first_line):
    code, _, err = job(*arguments)
    assert (code, err[: len(first_line)]) == (2, first_line)


def test_it_needs_a_folder(job, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["train", *OVERRIDES])
    with pytest.raises(SystemExit) as end:
        train.main()
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(
        "resume=auto: needs the run's folder, the same at each start; add hydra.run.dir=FOLDER"
    )
    with pytest.raises(nnjax.ConfigError, match=r"^resume=auto: needs the run's folder, .*; pass run_dir=FOLDER"):
        nnjax.fit(nnjax.compose(*OVERRIDES))


@pytest.mark.slow
@pytest.mark.parametrize("left", ["empty", "record", "metrics", "torn config", "no config", "failed"])
def test_what_a_killed_job_left_starts_anew(job, finished, run, left):
    shutil.rmtree(run / "checkpoints")
    (run / "summary.json").unlink()
    (run / "test_predictions.safetensors").unlink()
    for name in ("report.json", "report.html"):
        (run / name).write_text("{}")
    if left == "empty":
        shutil.rmtree(run)
        run.mkdir()
    elif left == "record":
        shutil.rmtree(run)
        (run / ".hydra").mkdir(parents=True)
        (run / ".hydra/config.yaml").write_text("a: 1")
    elif left == "torn config":
        (run / "config.yaml").write_bytes((run / "config.yaml").read_bytes()[:333])
    elif left == "no config":
        (run / "config.yaml").unlink()
    elif left == "failed":
        (run / "summary.json").write_text('{"status": "failed"}')
    assert not holds_run(run)
    code, _, err = job("seed=7")  # nothing of value is there, so it may be another experiment
    assert code == 0, err
    assert read_summary(run)["seed"] == 7
    assert "seed: 7" in (run / "config.yaml").read_text()
    assert "seed=7" in (run / ".hydra/overrides.yaml").read_text()
    assert len(read_metrics(run)) == len(read_metrics(finished))


def test_a_folder_of_another_kind_is_left_alone(job, run, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/config.yaml").write_text("my: own\n")
    code, _, err = job(folder="other")
    assert (code, err) == (
        2,
        "hydra.run.dir=other: holds a config.yaml of no run; take another folder (set on the command line)\n",
    )
    assert (tmp_path / "other/config.yaml").read_text() == "my: own\n"
    code, _, err = job(folder=".")  # above a run, as a sweep's folder is
    assert (code, "holds an earlier run (" in err) == (2, True)


def test_a_damaged_config_beside_checkpoints_is_refused(job, run):
    (run / "config.yaml").write_text("model: [")
    before = contents(run)
    code, _, err = job()
    assert (code, err.startswith("run/config.yaml: cannot be read: ")) == (2, True)
    assert contents(run) == before


def test_a_link_in_the_folder_is_refused(job, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "run/train.log").symlink_to(tmp_path / "mine")
    code, _, err = job()
    assert (code, err.startswith("run/train.log: is a symbolic link")) == (2, True)
    assert (tmp_path / "mine").read_text() == "mine"
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["train.log"]


def test_of_two_jobs_at_once_one_works(job, run):
    with locked(run):
        code, _, err = job("training.duration=3epochs")
    assert (code, err) == (2, "run: is in use by another process; wait until that ends\n")


@pytest.mark.slow
def test_it_works_from_python_too(tmp_path):
    config = nnjax.compose(*OVERRIDES)
    assert config.resume == "auto"
    first = nnjax.fit(config, tmp_path)
    assert nnjax.fit(config, tmp_path).metrics["test"] == first.metrics["test"]
    longer = nnjax.fit(nnjax.compose(*OVERRIDES, "training.duration=3epochs"), tmp_path)
    assert longer.summary["steps"] == 9
    with pytest.raises(nnjax.ConfigError, match=r"^seed=3: the run in \S+ has 0"):
        nnjax.fit(nnjax.compose(*OVERRIDES, "seed=3"), tmp_path)


def test_a_new_run_is_noted_from_its_beginning(job, tmp_path):
    code, _, complaint = job("parallel.platform=tpu")
    assert code == 2, complaint
    assert (tmp_path / "run/config.yaml").is_file()
    assert read_summary(tmp_path / "run")["status"] == "failed"
    code, out, _ = job()  # the failed start is no obstacle
    assert code == 0
    assert "There is no checkpoint yet" not in out


@pytest.mark.parametrize(("name", "said"), [("diverged", "diverged"), ("evaluation.json", "evaluation.json")])
def test_a_folder_with_results_and_no_checkpoint_is_refused(job, tmp_path, name, said):
    (tmp_path / "run/.hydra").mkdir(parents=True)
    (tmp_path / "run/config.yaml").write_text("{}")
    path = tmp_path / "run" / name
    path.mkdir() if said == "diverged" else path.touch()
    code, _, complaint = job()
    assert code == 2
    assert f"holds {said}, and no checkpoint; take another folder" in complaint
    assert (tmp_path / "run/config.yaml").read_text() == "{}"


def test_a_run_that_diverged_is_not_started_again(job, tmp_path):
    (tmp_path / "run/.hydra").mkdir(parents=True)
    (tmp_path / "run/config.yaml").write_text("{}")
    (tmp_path / "run/summary.json").write_text('{"status": "diverged"}')
    code, _, complaint = job()
    assert code == 2
    assert "holds a run that is diverged, and no checkpoint" in complaint
