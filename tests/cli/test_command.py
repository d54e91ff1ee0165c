"""Verbs as a person types them: a fake one that trains nothing, in a project of its own."""

import io
import json
import os
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml

from nnjax.cli import command, command_folders, compose, hydra_runner, runs
from nnjax.cli.compose import compose_train, project_root
from nnjax.cli.runs import claim, find_run, locked, newest_run, read_config, write_config
from nnjax.cli.sweep_results import JobResult, collect, write_outcome
from nnjax.config.diagnostics import NO_ORIGINS
from nnjax.config.errors import ConfigError
from nnjax.config.paths import file_name
from nnjax.config.schema import TrainConfig

ROOT = project_root()
VERB = """
import json, os, signal, sys
from nnjax.cli import command
from nnjax.cli.run_folder import begin_records
from nnjax.config.errors import DataError, PreemptedError
from nnjax.config.schema import TrainConfig

def task(config, run_dir):
    print("task", config.model.name, config.seed, flush=True)
    if config.resume is not None:
        begin_records(config, run_dir)  # as a training does, once data and checkpoint fit the run
    match config.seed:
        case 11: raise DataError("mnist: not found\\ntwo ways out")
        case 13: raise RuntimeError("unlucky")
        case 15: raise PreemptedError("SIGTERM: saved step 3")
        case 17: os.kill(os.getpid(), signal.SIGINT)
        case 19: print("\\n".join(["more than a pipe holds"] * 9999), flush=True)
    (run_dir / "seen.json").write_text(json.dumps([config.training.duration.value, config.parallel.name, config.resume]))
    return {"test_accuracy": 0.5 + config.seed}

def end(sweep_dir, results):
    for job in results:
        print("job", job.number, *job.overrides, job.exit_code, job.error, job.summary and job.summary["test_accuracy"])

if __name__ == "__main__":
    command.run("train", TrainConfig, task, end)
    raise AssertionError("run returned")
"""

Result = subprocess.CompletedProcess[str]
Run = Callable[..., Result]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with YAML files of its own and a verb, and no runs."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "verb.py").write_text(VERB)
    (tmp_path / "elsewhere").mkdir()
    return tmp_path


@pytest.fixture
def run(project: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the verb in the tests' own process, whose imports are there already."""
    for module in (command, compose, hydra_runner):
        monkeypatch.setattr(module, "conf_dir", lambda: project / "conf")
    monkeypatch.setenv("COLUMNS", "100")
    program = str(project / "verb.py")

    def run(*arguments: str, cwd: str = ".") -> Result:
        out, err = io.StringIO(), io.StringIO()
        with monkeypatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.chdir(project / cwd)
            patch.setattr(sys, "argv", [program, *arguments])
            with pytest.raises(SystemExit) as end:
                runpy.run_path(program, run_name="__main__")
        code = end.value.code
        assert isinstance(code, int)
        return Result([program, *arguments], code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def start(project: Path) -> Run:
    """Runs the verb in a process of its own."""
    for package in ("config", "data", "checks", "cli"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "nnjax" / package, project / "nnjax" / package, ignore=ignored)
    shutil.copy(ROOT / "nnjax/__init__.py", project / "nnjax")

    def start(*arguments: str, cwd: str = ".") -> Result:
        environment = {**os.environ, "PYTHONPATH": str(project), "COLUMNS": "100"}
        environment.pop("PYTHONWARNINGS", None)
        return subprocess.run(
            [sys.executable, str(project / "verb.py"), *arguments],
            cwd=project / cwd,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return start


def folders(project: Path, pattern: str) -> list[Path]:
    return sorted(path.parent for path in (project / "outputs").glob(f"{pattern}/config.yaml"))


@pytest.mark.slow
def test_a_run_has_its_folder_below_the_project(project: Path, start: Run) -> None:
    result = start("model=fnn", "training.duration=3epochs", cwd="elsewhere")
    assert (result.returncode, result.stdout, result.stderr) == (0, "task fnn 0\n", "")
    (folder,) = folders(project, "train/*/*")
    assert folder.name.endswith("_fnn_digits")
    assert {path.name for path in folder.iterdir()} == {".hydra", ".lock", "config.yaml", "seen.json"}
    assert not any((project / "elsewhere").iterdir())
    assert read_config(TrainConfig, folder) == compose_train(["model=fnn", "training.duration=3epochs"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "first_line"),
    [
        (["optimizer.lr=1"], "optimizer.lr=1: unknown key; did you mean optimizer.learning_rate?"),
        (["+optimizer.lr=1"], "optimizer.lr=1: unknown key; did you mean optimizer.learning_rate?"),
        (
            ["--config-dir", "mine", "experiment=typo"],
            "seeed=3: unknown key; did you mean seed? (set in mine/experiment/typo.yaml:2)",
        ),
        (["data=textbook", "model=cnn"], "model=cnn: needs images;"),
        (["-m", "activation=relu,tnah"], "activation=tnah: no such option; did you mean tanh?"),
        (["-m", "seed=1,2", "optimizer.lr=1"], "optimizer.lr=1: unknown key;"),
        (["-m", "seed=1,2", "hydra.run.dir=own"], "hydra.run.dir=own: names the folder of a single run; for this sweep write "),
        (["experiment=learning_rates", "hydra.run.dir=own"], "hydra.run.dir=own: names the folder of a single run; for this"),
        (["hydra.sweep.dir=own"], "hydra.sweep.dir=own: counts in a sweep only; add -m, or write hydra.run.dir=FOLDER (set"),
        (["hydra.sweep.subdir=own"], "hydra.sweep.subdir=own: counts in a sweep only; add -m (set on the command line)"),
        (["hydra.sweeper.max_batch_size=2"], "hydra.sweeper.max_batch_size=2: counts in a sweep only; add -m"),
        (["hydra/launcher=basic"], "hydra/launcher=basic: counts in a sweep only; add -m"),
        (["-m", "seed=1,2", "hydra.sweep.subdir=x"], "hydra.sweep.subdir=x: is the folder of job 0 and of job 1"),
        (["-m", "seed=1,2", "hydra.mode=RUN"], "hydra.mode=RUN: a single run, and -m asks for a sweep; leave out one"),
        (["hydra.mode=multirun"], "hydra.mode=multirun: Invalid value 'multirun', expected one of [RUN, MULTIRUN]"),
        (["hydra.mode=RUN", "seed=1,2"], "seed=1,2: several values for one key; add -m"),
        (["optimizer=glob(*)"], "optimizer=glob(*): several values for one key; add -m"),
        (["-m", "resume=nowhere", "seed=1"], "resume=nowhere: a run is resumed by itself; leave out -m"),
        (["--cfg", "job", "-m"], "--multirun: --cfg and --info show a single config"),
        (["--explain", "optimzer"], "--explain optimzer: unknown key; did you mean optimizer"),
        (["--config-dir", "nowhere"], "--config-dir nowhere: no such folder"),
        (["--config-path", "x"], "--config-path x: use --config-dir"),
        (["--experimental-rerun", "x.pickle"], "--experimental-rerun x.pickle: a pickle can run code"),
        (["resume=outputs/train/nothing"], "resume=outputs/train/nothing: no such folder (set on the command line)"),
        (["resume=~/no such, a=b"], "resume=~/no such, a=b: no such folder (set on the command line)"),
        (["hydra.run.dir=own/${nope}"], "hydra.run.dir=own/${nope}: Interpolation key 'nope' not found"),
        (["-m", "seed=1,2", "hydra.sweep.dir=own/${nope}"], "hydra.sweep.dir=own/${nope}: Interpolation key 'nope'"),
        (["hydra.run.dir=mine/experiment/typo.yaml"], "hydra.run.dir=mine/experiment/typo.yaml: cannot be made: "),
        (
            ["-m", "seed=1,2", "hydra.sweep.dir=mine/experiment/typo.yaml/x"],
            "hydra.sweep.dir=mine/experiment/typo.yaml/x: cannot",
        ),
        (["--config-dir", "mine", "experiment=nowhere"], "hydra.run.dir=a_${nope}: Interpolation key 'nope' not found"),
    ],
)
def test_a_mistake_ends_with_2_before_anything_is_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    first_line: str,
) -> None:
    (tmp_path / "mine/experiment").mkdir(parents=True)
    (tmp_path / "mine/experiment/typo.yaml").write_text("# @package _global_\nseeed: 3\n")
    (tmp_path / "mine/experiment/nowhere.yaml").write_text("# @package _global_\nhydra: {run: {dir: 'a_${nope}'}}\n")
    monkeypatch.chdir(tmp_path)
    for module in (command_folders, runs):
        monkeypatch.setattr(module, "project_root", lambda: tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    with pytest.raises(SystemExit) as end:
        command.run("train", TrainConfig, lambda config, run_dir: {})
    assert end.value.code == 2
    said = capsys.readouterr()
    assert said.err.startswith(first_line)
    assert "Traceback" not in said.err
    assert said.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.slow
@pytest.mark.parametrize("held", ["config.yaml", "0_seed-1/config.yaml", "0_seed-1/.hydra/outcome.json"])
@pytest.mark.parametrize(("mode", "flags"), [("run", []), ("sweep", ["-m", "seed=1,2"])])
def test_a_folder_that_holds_a_run_is_left_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    held: str,
    mode: str,
    flags: list[str],
) -> None:
    (tmp_path / "own" / held).parent.mkdir(parents=True)
    (tmp_path / "own" / held).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", f"hydra.{mode}.dir=own", *flags])
    with pytest.raises(SystemExit) as end:
        command.run("train", TrainConfig, lambda config, run_dir: {})
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(f"hydra.{mode}.dir=own: holds an earlier run ({held}); resume=FOLDER resumes one")
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "own" / held).read_text() == "mine"


@pytest.mark.slow
def test_a_mistake_is_said_without_a_traceback(project: Path, start: Run) -> None:
    result = start("++optimizer.lr=1")
    first_line = "optimizer.lr=1: unknown key; did you mean optimizer.learning_rate? (set on the command line)"
    assert (result.returncode, result.stdout, result.stderr.splitlines()[0]) == (2, "", first_line)
    assert not (project / "outputs").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "code", "said"), [(11, 3, "mnist: not found\ntwo ways out\n"), (13, 1, "unlucky"), (17, 130, "")]
)
def test_what_a_task_raises_becomes_the_exit_code_and_keeps_the_folder(
    project: Path, start: Run, seed: int, code: int, said: str
) -> None:
    result = start(f"seed={seed}")
    assert result.returncode == code
    assert said in result.stderr
    assert ("Traceback" in result.stderr) == (code == 1)
    assert len(folders(project, "train/*/*")) == 1


@pytest.mark.slow
def test_help_pages_make_nothing(project: Path, run: Run, start: Run) -> None:
    shown = run("--help", "model=fnn")
    assert "*fnn" in shown.stdout
    assert "activation  elu, gelu" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 100

    job = yaml.safe_load(run("--cfg", "job", "seed=5").stdout)
    assert job["seed"] == 5
    assert job["model"]["name"] == "cnn"
    assert run("--cfg", "job", "--package", "training.keep").stdout == "2\n"

    explained = run("--explain", "training", "data=mnist", "training.duration=3steps").stdout.splitlines()
    assert any(
        line.split() == ["training", "large", "conf/data/mnist.yaml:4", "default", "conf/train.yaml:10"] for line in explained
    )
    (duration,) = (line.split() for line in explained if "training.duration" in line)
    assert duration == ["training.duration", "3steps", "the", "command", "line", "10epochs", "conf/training/large.yaml:2"]
    assert not any("optimizer" in line for line in explained)

    for arguments in (["--info", "searchpath"], ["--hydra-help"], ["--cfg", "hydra"]):
        assert start(*arguments).returncode == 0  # Hydra sets up logging, which closes what other handlers write to
    assert not (project / "outputs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["seed=1"], ["--help"], ["--explain", "seed"], ["optimizer.lr=1"], ["data=textbook"]])
def test_nothing_heavy_is_loaded(project: Path, start: Run, arguments: list[str]) -> None:
    loaded = 'import atexit; atexit.register(lambda: print(sorted({"jax", "numpy"} & sys.modules.keys())))'
    (project / "verb.py").write_text(VERB.replace("def task", f"{loaded}\ndef task"))
    assert start(*arguments).stdout.endswith("[]\n")


@pytest.mark.slow
@pytest.mark.parametrize("argument", ["--help", "seed=19"])
def test_a_reader_may_leave(project: Path, start: Run, argument: str) -> None:
    verb = shlex.join([sys.executable, str(project / "verb.py"), argument])
    environment = {**os.environ, "PYTHONPATH": str(project)}
    words = ["bash", "-c", f"{verb} | true; exit ${{PIPESTATUS[0]}}"]
    result = subprocess.run(words, cwd=project, env=environment, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    if argument != "--help":  # a task does what it has to
        (folder,) = folders(project, "train/*/*")
        assert (folder / "seen.json").exists()


LONG = "a" * 300


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "key", "reason"),
    [
        ([f"hydra.run.dir={LONG}"], "hydra.run.dir=", "cannot be made: File name too long"),
        (["hydra.run.dir=verb.py"], "hydra.run.dir=verb.py", "verb.py is a file, not a folder"),
        (["hydra.run.dir=verb.py/x"], "hydra.run.dir=verb.py/x", "cannot be made: "),
        (["-m", "seed=1,2", f"hydra.sweep.dir={LONG}"], "hydra.sweep.dir=", "cannot be made: File name too long"),
        (["-m", "seed=1,2", f"hydra.sweep.subdir={LONG}"], "hydra.sweep.subdir=", "cannot be made: File name too long"),
        (["-m", "seed=1", "hydra.sweep.dir=.", "hydra.sweep.subdir=verb.py"], "hydra.sweep.subdir=", "is a file, not a folder"),
        (["-m", "seed=1,2", "hydra.sweep.subdir=../../../../verb.py"], "hydra.sweep.subdir=", "must be a folder below"),
        (
            ["-m", "seed=1,2", "hydra.sweep.dir=conf", "hydra.sweep.subdir=train.yaml/${seed}"],
            "hydra.sweep.subdir=conf/train.yaml/1: ",
            "cannot be made: ",
        ),
        ([f"resume={LONG}"], "resume=", "no such folder: File name too long"),
        ([f"rerun={LONG}/x"], "rerun=", "no such folder: File name too long"),
        (["--config-dir", LONG], "--config-dir ", "no such folder: File name too long"),
        (["--config-dir", "verb.py"], "--config-dir verb.py", "is a file, not a folder"),
        (["data=mnist", "data.directory=~nobody_here/x"], "data.directory=~nobody_here/x", "cannot be found"),
        (["hydra.run.dir=runs [2]/x"], "hydra.run.dir=runs [2]/x", "checkpoints cannot be written below a folder with [2]"),
        (["hydra.run.dir=a\\b"], "hydra.run.dir=a\\b", "checkpoints cannot be written"),
        (["-m", "seed=1,2", "hydra.sweep.dir=[x]"], "hydra.sweep.dir=[x]", "checkpoints cannot be written"),
        (["-m", "seed=1,2", "hydra.sweep.subdir='[${seed}]'"], "hydra.sweep.subdir=[1]", "checkpoints cannot be written"),
        (["hydra.run.dir=~nobody_here/x"], "hydra.run.dir=~nobody_here/x", "cannot be found"),
    ],
)
def test_a_path_that_the_system_refuses_is_a_line(project: Path, run: Run, arguments: list[str], key: str, reason: str) -> None:
    result = run(*arguments)
    assert result.returncode == (3 if key.startswith("data") else 2), result.stderr
    assert result.stderr.startswith(key)
    assert reason in result.stderr.splitlines()[0]
    assert (len(result.stderr.splitlines()), result.stdout) == (1, "")


@pytest.mark.slow
def test_a_folder_with_letters_beyond_ascii_needs_no_quotes_of_hydra(project: Path, run: Run) -> None:
    result = run("hydra.run.dir=café (é, ü)", "seed=4")
    assert (result.returncode, result.stderr) == (0, "")
    assert (project / "café (é, ü)/config.yaml").exists()
    result = run("-m", "seed=1,2", "hydra.sweep.dir=日本")
    assert result.returncode == 0, result.stderr
    assert len(list((project / "日本").glob("*/config.yaml"))) == 2


@pytest.mark.slow
def test_a_sweep_takes_such_paths_too(project: Path, run: Run) -> None:
    for name in ("ü one", "it's two"):
        assert run(f"hydra.run.dir={name}").returncode == 0
    result = run("-m", "rerun=ü one,it's two", "seed=1,2")
    assert result.returncode == 0, result.stderr
    assert [line.split()[0] for line in result.stdout.splitlines()].count("job") == 4


def test_a_folder_of_ones_own_is_respected(project: Path, run: Run) -> None:
    assert run("hydra.run.dir=own", cwd="elsewhere").returncode == 0
    assert (project / "elsewhere/own/config.yaml").is_file()
    assert not (project / "outputs").exists()


@pytest.mark.slow
def test_a_folder_below_home_is_no_folder_named_tilde(project: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(project / "home"))  # a shell replaces no ~ in hydra.run.dir=~/own
    assert run("hydra.run.dir=~/own").returncode == run("-m", "seed=1,2", "hydra.sweep.dir=~/several").returncode == 0
    assert (project / "home/own/config.yaml").is_file()
    assert len(list((project / "home/several").glob("*/config.yaml"))) == 2
    assert not (project / "~").exists()


def test_an_overlay_names_the_folder_and_is_not_written_over(project: Path, run: Run) -> None:
    (project / "mine/experiment").mkdir(parents=True)
    text = "# @package _global_\nseed: 3\nhydra: {run: {dir: 'outputs/${hydra.job.name}_${seed}'}}\n"
    (project / "mine/experiment/own.yaml").write_text(text)
    for _ in range(2):
        result = run("--config-dir", "mine", "experiment=own", cwd=".")
        assert (result.returncode, result.stdout) == (0, "task cnn 3\n"), result.stderr
    assert [folder.name for folder in folders(project, "*")] == ["train_3", "train_3_2"]


def test_an_evaluation_has_its_folder_too(project: Path, run: Run) -> None:
    write_config(compose_train(), project / "elsewhere")
    text = VERB.replace('run("train", TrainConfig', 'run("evaluate", EvaluateConfig').replace(
        "TrainConfig\n", "EvaluateConfig\n"
    )
    (project / "verb.py").write_text(text.replace("config.model.name, config.seed", "config.checkpoint"))
    result = run("run=elsewhere", "checkpoint=best")
    assert "task best" in result.stdout
    assert len(folders(project, "evaluate/*/*")) == 1


@pytest.mark.slow
def test_a_sweep_runs_what_can_run_and_tells_of_all(project: Path, run: Run) -> None:
    result = run("model=fnn,cnn", "-m", "--keep-going", "data=textbook,digits", "seed=13,1", "training.global_batch_size=1")
    assert result.returncode == 1
    lines = [line.split(" ", 2) for line in result.stdout.splitlines() if line.startswith("job ")]
    assert [int(number) for _, number, _ in lines] == list(range(8))
    told = [" ".join(rest) for _, _, *rest in lines]
    assert told[3] == "model=fnn data=digits seed=1 training.global_batch_size=1 0 None 1.5"
    assert "model=cnn data=textbook seed=13 training.global_batch_size=1 2 model=cnn: needs images" in told[4]
    assert told[6] == "model=cnn data=digits seed=13 training.global_batch_size=1 1 RuntimeError: unlucky None"
    assert sum(" 0 None 1.5" in line for line in told) == 3
    assert "job 6 (model=cnn data=digits seed=13 training.global_batch_size=1) failed:" in result.stderr
    names = [folder.name for folder in folders(project, "sweeps/*/*/*")]
    assert names[3] == "3_data-digits_model-fnn_seed-1_training.global_batch_size-1"
    assert len(names) == 8


def test_a_preempted_sweep_stops(project: Path, run: Run) -> None:
    result = run("-m", "seed=1,15,2")
    assert result.returncode == 75
    assert [line.split(" ", 3)[3] for line in result.stdout.splitlines() if line.startswith("job ")] == [
        "0 None 1.5",
        "75 SIGTERM: saved step 3 None",
        "1 did not end None",
    ]


@pytest.mark.slow
def test_an_interrupted_sweep_tells_what_it_has(project: Path, start: Run) -> None:
    result = start("-m", "seed=1,17")
    assert result.returncode == 128 + signal.SIGINT
    assert "job 0 seed=1 0 None 1.5\njob 1 seed=17 1 did not end None\n" in result.stdout


def test_a_sweep_may_stand_in_a_file_and_name_what_a_list_leaves_out(project: Path, run: Run) -> None:
    (project / "conf/experiment/seeds.yaml").write_text(
        "# @package _global_\nhydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      seed: 3,4\n"
    )
    result = run("experiment=seeds", "model.blocks.0.kernel=5")
    assert result.returncode == 0, result.stderr
    assert "job 1 seed=4 experiment=seeds model.blocks.0.kernel=5 0 None 4.5" in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["-m"], ["hydra.mode=MULTIRUN"], ["++hydra.mode=MULTIRUN"], ["-m", "hydra.mode=MULTIRUN"]]
)
def test_a_sweep_may_be_asked_for_in_several_ways(project: Path, run: Run, arguments: list[str]) -> None:
    result = run(*arguments, "seed=1,2", "hydra.sweep.dir=own")
    assert (result.returncode, result.stderr) == (0, "")
    assert [line for line in result.stdout.splitlines() if line.startswith("job ")] == [
        "job 0 seed=1 0 None 1.5",
        "job 1 seed=2 0 None 2.5",
    ]
    assert (project / "own/multirun.yaml").is_file()


@pytest.mark.slow
def test_a_sweep_that_needs_asking_for_is_told(project: Path, run: Run) -> None:
    text = "# @package _global_\nhydra:\n  sweeper:\n    params:\n      seed: 3,4\n"
    (project / "conf/experiment/seeds.yaml").write_text(text)
    result = run("experiment=seeds")
    assert (result.returncode, result.stdout) == (0, "task cnn 0\n")
    assert result.stderr == "seed=3,4: a sweep, which runs with -m (set in conf/experiment/seeds.yaml:5)\n"
    assert "job 1 seed=4 experiment=seeds 0 None 4.5\n" in run("-m", "experiment=seeds").stdout


def test_both_folders_may_be_named_for_whichever_it_is(project: Path, run: Run) -> None:
    both = ["hydra.run.dir=one", "hydra.sweep.dir=several"]
    assert run(*both).returncode == run("-m", "seed=1,2", *both).returncode == 0
    assert sorted(path.parent.name for path in project.glob("*/config.yaml")) == ["one"]
    assert sorted(path.parent.name for path in project.glob("several/*/config.yaml")) == ["0_seed-1", "1_seed-2"]


def test_an_experiments_sweep_is_swept_over_and_single_on_request(project: Path, run: Run) -> None:
    result = run("experiment=learning_rates", "seed=1,2", "step_size=small")
    assert result.returncode == 0
    assert "job 1 experiment=learning_rates seed=2 step_size=small 0 None 2.5\n" in result.stdout
    place = "(set in conf/experiment/learning_rates.yaml:16)"
    assert result.stderr == f"step_size=small: replaces the sweep over step_size=small,textbook,large,uphill,falling {place}\n"
    assert "job " not in run("experiment=learning_rates", "hydra.mode=RUN").stdout


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "code"), [("1,11", 3), ("11,11", 3), ("13,1", 1), ("11,13", 1), ("11,15,1", 75), ("1,2", 0)])
def test_a_sweep_exits_as_its_jobs_did(project: Path, run: Run, seeds: str, code: int) -> None:
    assert run("-m", f"seed={seeds}").returncode == code


def test_a_job_that_fails_is_called_what_it_is(project: Path, run: Run) -> None:
    result = run("-m", "seed=11,13,15")
    lines = [line for line in result.stderr.splitlines() if line.startswith("job ")]
    assert lines == ["job 0 (seed=11) data error:", "job 1 (seed=13) failed:", "job 2 (seed=15) preempted:"]


def test_batches_number_their_jobs_on(project: Path, run: Run) -> None:
    result = run("-m", "seed=1,2,3", "hydra.sweeper.max_batch_size=2")
    assert result.returncode == 0
    assert [folder.name for folder in folders(project, "sweeps/*/*/*")] == ["0_seed-1", "1_seed-2", "2_seed-3"]


@pytest.mark.slow
def test_a_sweep_of_reruns(project: Path, run: Run) -> None:
    run("model=fnn", "seed=4", "hydra.run.dir=own")
    result = run("-m", "rerun=own", "seed=5,6")
    assert result.returncode == 0
    assert "task fnn 5\n" in result.stdout
    assert "job 1 rerun=own seed=6 0 None 6.5\n" in result.stdout


@pytest.mark.slow
def test_a_run_is_resumed_in_its_folder_as_what_it_was(project: Path, run: Run) -> None:
    run("model=fnn", "seed=4")
    (folder,) = folders(project, "train/*/*")
    name = str(folder.relative_to(project))
    overrides = (folder / ".hydra/overrides.yaml").read_text()
    (project / "conf/model/fnn.yaml").unlink()  # the run's own config counts, not what conf/ has become

    result = run(f"resume={name}", "training.duration=50epochs", "parallel=shard_map", "data.placement=host", cwd="elsewhere")
    assert (result.returncode, result.stdout) == (0, "task fnn 4\n"), result.stderr
    assert folders(project, "train/*/*") == [folder]
    assert json.loads((folder / "seen.json").read_text()) == [50, "shard_map", str(folder)]
    saved = yaml.safe_load((folder / "config.yaml").read_text())
    assert (saved["training"]["duration"], saved["parallel"]["name"], saved["resume"]) == ("50epochs", "shard_map", None)
    assert (folder / ".hydra/overrides.yaml").read_text() == overrides

    (folder / "checkpoints/600").mkdir(parents=True)
    result = run(f"resume={name}", "training.planned=30epochs", "schedule.restarts=[30epochs]")
    saved = yaml.safe_load((folder / "config.yaml").read_text())
    assert (result.returncode, saved["training"]["planned"], saved["schedule"]["restarts"]) == (0, "30epochs", ["30epochs"])

    before = (folder / "config.yaml").read_text()
    for arguments, first_line in {
        ("seed=5",): "seed=5: a resumed run stays the experiment it was; it may change training.duration,",
        ("model=cnn",): "model=cnn: a resumed run stays",
        ("~training.stop",): "~training.stop: a resumed run stays",
        ("parallel.foo=1",): "parallel.foo=1: unknown key",
        ("training.duration=x",): "training.duration=x: must be a number and a unit",
        ("experiment=none",): "experiment=none: a resumed run stays",
        ("hydra.run.dir=x",): "hydra.run.dir=x: a resumed run stays in its folder",
        ("training.duration=20epochs", "schedule.restarts=[]"): "training.duration=20epochs: ends at step 400, and the run has",
        ("schedule.final=0.1",): "schedule.final=0.1: a resumed run stays",
        ("-m",): f"resume={name}: a run is resumed by itself; leave out -m",
    }.items():
        result = run(f"resume={name}", *arguments)
        assert (result.returncode, result.stderr[: len(first_line)]) == (2, first_line)
    assert (folder / "config.yaml").read_text() == before

    result = run(f"resume={name[:-3]}")
    assert result.stderr.startswith(f"resume={name[:-3]}: no such folder; did you mean {name}?")
    shown = run(f"resume={name}", "--explain", "seed").stdout
    assert f"{name}/config.yaml" in shown


@pytest.mark.slow
def test_a_run_is_made_again_with_changes(project: Path, run: Run) -> None:
    run(
        "training.stop={patience: 3}", "model.blocks=[{features: 4}, {features: 5}]", "model.dense=[]", "hydra.run.dir='a=b, c'"
    )
    rerun = "rerun=a=b, c"

    def again(*arguments: str) -> dict[str, Any]:
        result = run(rerun, *arguments, "--cfg", "job")
        assert result.returncode == 0, result.stderr
        values: dict[str, Any] = yaml.safe_load(result.stdout)
        return values

    values = again("model.blocks.1.kernel=5", "training.stop={max_seconds: 9}", "seed=${training.keep}")
    assert values["model"]["blocks"][1] == {**values["model"]["blocks"][0], "features": 5, "kernel": 5}
    assert (values["training"]["stop"]["patience"], values["training"]["stop"]["max_seconds"]) == (3, 9)
    assert (values["seed"], values["model"]["dense"]) == (2, [])
    assert again("model.dense=[7]")["model"]["dense"] == [7]
    assert again("data=mnist", "data.directory=~/b c")["data"]["directory"] == str(Path("~/b c").expanduser())
    assert again("data=mnist", "data.directory=b")["data"]["directory"] == str(project / "b")

    for override, message in {
        "model.dense.0=5": "model.dense.0=5: does not fit a=b, c/config.yaml: list ",
        "model.blocks.x.pool=1": "model.blocks.x.pool=1: the list has no such item",
        "experiment=textbook": "experiment=textbook: rerun= takes the earlier run's config; give one of them",
        "seed=${model.dense.0}": "seed=${model.dense.0}: ",
    }.items():
        result = run(rerun, override)
        assert (result.returncode, result.stderr[: len(message)]) == (2, message)


def test_two_runs_never_share_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "day/run"
    assert [claim(path, "hydra.run.dir").name for _ in range(3)] == ["run", "run_2", "run_3"]
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"^hydra\.sweep\.dir=.*: cannot be made"):
        claim(tmp_path / "file/run", "hydra.sweep.dir")


@pytest.mark.slow
def test_two_processes_never_work_in_a_folder(project: Path, start: Run) -> None:
    start("seed=4")
    (folder,) = folders(project, "train/*/*")
    before = (folder / "config.yaml").read_bytes()
    with locked(folder):
        result = start(f"resume={folder}", "training.duration=50epochs")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.endswith(f"{folder.name}: is in use by another process; wait until that ends\n")
    assert (folder / "config.yaml").read_bytes() == before
    assert start(f"resume={folder}").returncode == 0


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("model=fnn,seed=3", "model-fnn_seed-3"),
        ("++model.hidden=[512, 256]", "model.hidden-512_256"),
        ("data.directory=/tmp/a b", "data.directory-_tmp_ab"),
        ("x" * 300, "x" * 100),
    ],
)
def test_overrides_make_safe_file_names(text: str, name: str) -> None:
    assert file_name(text) == name


def test_a_damaged_config_of_a_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(compose_train(), tmp_path)
    assert read_config(TrainConfig, tmp_path) == compose_train()
    assert find_run(".", "run", NO_ORIGINS) == tmp_path
    file = tmp_path / "config.yaml"
    file.write_text(file.read_text().replace("keep: 2", "kep: 2"))
    with pytest.raises(ConfigError, match=r"^training\.kep=2: unknown key; did you mean .* \(set in config\.yaml:\d+\)"):
        read_config(TrainConfig, tmp_path)
    for text in ("a: [", "- 1", ""):
        file.write_text(text)
        with pytest.raises(ConfigError, match=r"^config\.yaml: "):
            read_config(TrainConfig, tmp_path)


def test_the_newest_run_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnjax.cli.runs.project_root", lambda: tmp_path)
    assert newest_run() is None
    for age, name in enumerate(("train/day/b", "sweeps/day/time/0_seed-1", "train/day/a")):
        folder = tmp_path / "outputs" / name
        folder.mkdir(parents=True)
        write_config(compose_train(), folder)
        os.utime(folder / "config.yaml", (0, 1000 - age))
    assert newest_run() == "outputs/train/day/b"
    with pytest.raises(ConfigError, match=r"holds no config\.yaml; did you mean outputs/sweeps/day/time/0_seed-1\?"):
        find_run("outputs/sweeps/day/time", "resume", NO_ORIGINS)


def test_outcomes_are_read_back_in_order(tmp_path: Path) -> None:
    jobs = [("seed=0",), ("seed=1",), ("seed=2",)]
    results = [
        JobResult(2, ("seed=2",), tmp_path / "c", 0, None, {"loss": 0.5}),
        JobResult(0, ("seed=0",), tmp_path / "deep/a", 4, "diverged", None),
    ]
    for result in results:
        assert result.run_dir is not None
        result.run_dir.mkdir(parents=True)
        write_outcome(result, result.run_dir)
    assert collect(tmp_path, jobs) == [results[1], JobResult(1, ("seed=1",), None, 1, "did not end", None), results[0]]
    assert collect(tmp_path, None) == [results[1], results[0]]
