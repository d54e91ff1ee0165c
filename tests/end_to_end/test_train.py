"""`python -m experiments.train` and `evaluate`, run as a person runs them."""

import json
import re
import signal
import subprocess
import sys
import time

import pytest
from archives import prepare_made
from commands import ROOT, environment, last_state, metrics_of, run, start, summary_of

from nnjax.api.drawing_beside import _Beside

SMALL = ["model=fnn", "model.hidden=[32]", "training.duration=4epochs"]
LONG = [
    *SMALL,
    "training.duration=400epochs",
    "training.evaluate_every=10epochs",
    "training.checkpoint_every=10epochs",
    "report.figures=false",
]


def into(folder):
    return f"hydra.run.dir={folder}"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A short run of the default model, with everything it leaves behind."""
    folder = tmp_path_factory.mktemp("runs") / "cnn"
    result = start("train", "training.duration=3epochs", "training.test=best", "report.tensorboard=on", into(folder))
    return folder, result


def test_a_run_leaves_what_the_design_says(finished):
    folder, result = finished
    summary = summary_of(folder)
    assert summary["status"] == "completed"
    assert summary["test_examples"] == 360
    assert summary["test"]["accuracy"] > 0.8
    assert summary["steps"] == 60
    assert summary["epochs"] == 3
    assert {"import", "data", "compile", "train", "eval", "checkpoint", "total"} <= summary["seconds"].keys()
    for key in ("num_params", "num_devices", "platform", "examples_per_second", "peak_rss_mb", "versions", "config_hash"):
        assert summary[key], key
    assert [line["split"] for line in metrics_of(folder)] == ["train", "validation"] * 3 + ["test"]
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"config.yaml", ".hydra/config.yaml", ".hydra/overrides.yaml", "train.log", "metrics.jsonl"} <= names
    figures = ("learning_curves", "confusion_matrix", "worst_mistakes", "first_layer_filters")
    assert {f"figures/{name}.png" for name in figures} <= names
    assert any("tfevents" in name for name in names)
    for said in ("conv_1", "87,274", "epoch 3/3", "completed", "learning_curves.png"):
        assert said in result.stdout
        assert said in (folder / "train.log").read_text() or said == "learning_curves.png"
    assert "\x1b" not in result.stdout


def test_evaluate_reproduces_the_test_figures_exactly(finished, tmp_path):
    folder, _ = finished
    start("evaluate", f"run={folder}", into(tmp_path / "evaluation"))
    evaluation = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())
    summary = summary_of(folder)
    assert evaluation["test"] == summary["test"]
    assert evaluation["step"] == summary["tested_step"]
    assert evaluation["test_examples"] == 360
    assert "no checkpoint of step 7" in run("evaluate", f"run={folder}", "checkpoint=7", into(tmp_path / "b"), check=3).stderr


def test_the_same_config_gives_the_same_run(finished, tmp_path):
    folder, _ = finished
    start("train", "training.duration=3epochs", "training.test=best", "report.figures=false", into(tmp_path / "again"))
    assert metrics_of(tmp_path / "again") == metrics_of(folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run that nothing stopped."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    start("train", *LONG, into(folder))
    return folder


def test_a_signal_saves_and_resume_goes_on_as_if_nothing_had_been(whole, tmp_path):
    folder = tmp_path / "stopped"
    command = [sys.executable, "-m", "experiments.train", *LONG, into(folder)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not ((folder / "metrics.jsonl").exists() and (folder / "metrics.jsonl").read_text()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 75
    assert "SIGTERM" in stderr
    assert f"resume={folder}" in stderr
    assert summary_of(folder)["status"] == "preempted"
    assert 0 < summary_of(folder)["steps"] < 8000

    start("train", f"resume={folder}")
    assert summary_of(folder)["status"] == "completed"
    assert metrics_of(folder) == metrics_of(whole)
    assert summary_of(folder)["test"] == summary_of(whole)["test"]


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_last_checkpoint(whole, tmp_path):
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "experiments.train", *LONG, into(folder)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list((folder / "checkpoints").glob("*.safetensors")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert "Resuming from step" in start("train", f"resume={folder}").stdout
    assert metrics_of(folder) == metrics_of(whole)


@pytest.mark.slow
def test_a_sweep_ends_with_a_table_and_one_failure_hides_nothing(tmp_path):
    result = run(
        "train", "-m", *SMALL, "optimizer=sgd", "loss=mse", "optimizer.learning_rate=0.1,1e30", "report.figures=false",
        f"hydra.sweep.dir={tmp_path / 'sweep'}", check=4,
    )  # fmt: skip
    jobs = sorted(path for path in (tmp_path / "sweep").iterdir() if path.is_dir())
    assert [summary_of(job)["status"] for job in jobs] == ["completed", "diverged"]
    table = result.stdout[result.stdout.rindex("status") :]
    assert "completed" in table
    assert "job 1 diverged: the training loss became" in result.stdout
    assert not (tmp_path / "sweep" / "losses.png").exists()


@pytest.mark.slow
def test_a_sweep_over_experiments_runs_the_sweep_that_one_of_them_brings(tmp_path):
    arguments = ["-m", "experiment=learning_rates,textbook", "training.duration=2steps", "report.figures=false"]
    result = run("train", *arguments, f"hydra.sweep.dir={tmp_path / 'sweep'}")
    jobs = sorted(path.name for path in (tmp_path / "sweep").iterdir() if path.is_dir())
    assert [name.partition("_")[0] for name in jobs] == ["0", "1", "2", "3", "4", "5"]
    steps = ["small", "textbook", "large", "uphill", "falling"]
    assert [next(step for step in steps if f"step_size-{step}" in name) for name in jobs[:5]] == steps
    assert "6 jobs" in result.stdout
    assert not (tmp_path / "sweep" / "losses.png").exists()


def test_missing_data_is_one_message(tmp_path):
    result = run("train", "data=mnist", into(tmp_path / "run"), check=3, TFDS_DATA_DIR=str(tmp_path / "empty"))
    assert "Traceback" not in result.stderr
    first = result.stderr.splitlines()[0]
    assert "mnist" in first
    assert str(tmp_path / "empty") in result.stderr
    assert "python -m experiments.prepare data=mnist" in result.stderr
    assert "data=digits" in result.stderr


@pytest.mark.slow
def test_the_jobs_of_a_sweep_leave_what_single_runs_leave(tmp_path, monkeypatch):
    """Another process draws them meanwhile, where there are several jobs."""
    sent, send = [], _Beside.send
    monkeypatch.setattr(_Beside, "send", lambda self, *call: sent.append(call[:2]) or send(self, *call))
    words = ["model=fnn", "training.duration=1epochs", "report.tensorboard=off"]
    run("train", "-m", *words, "seed=0,1", f"hydra.sweep.dir={tmp_path / 'sweep'}")
    jobs = sorted((tmp_path / "sweep").glob("*_*"))
    assert [(function.__name__, folder) for function, folder in sent] == [
        (name, job) for job in jobs for name in ("draw_run", "_write_own_page")
    ]
    run("train", "-m", *words, "seed=1", f"hydra.sweep.dir={tmp_path / 'one'}")
    run("train", *words, "seed=1", f"hydra.run.dir={tmp_path / 'single'}")
    assert len(sent) == 4
    (job,) = (tmp_path / "sweep").glob("1_*")
    pages = [(folder / "report.html").read_text() for folder in (job, tmp_path / "single")]
    commands = [re.findall(r"python -m experiments\.train[^<]*", page) for page in pages]
    assert commands[0] == commands[1] != []
    drawn = summary_of(tmp_path / "single")["figures"]
    assert len(drawn) > 2
    assert [path.replace(str(tmp_path / "single"), str(job)) for path in drawn] == summary_of(job)["figures"]
    for own, single in zip(summary_of(job)["figures"], drawn, strict=True):
        assert (job / own).read_bytes() == (tmp_path / single).read_bytes(), own


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_the_shipped_experiment_runs_on_a_small_official_copy(name, tmp_path):
    directory = prepare_made(name, tmp_path, num_train=300, num_test=150)
    short = ["training.duration=2epochs", "training.eval_batch_size=100"]
    run("train", f"experiment={name}_cnn", *short, into(tmp_path / "run"), TFDS_DATA_DIR=str(directory))
    summary = summary_of(tmp_path / "run")
    assert summary["test_examples"] == 150
    assert summary["steps"] == 4
    assert (tmp_path / "run" / "figures" / "confusion_matrix.png").exists()


@pytest.mark.slow
def test_the_airbench_recipe_trains_on_a_small_copy_of_cifar100(tmp_path):
    directory = prepare_made("cifar100", tmp_path, num_train=500, num_test=100)  # one of its batches
    words = ["experiment=cifar100_airbench_cpu", "model.widths=[8,16,16]", "debug.max_steps=2", "report.figures=false"]
    run("train", *words, into(tmp_path / "run"), TFDS_DATA_DIR=str(directory))
    summary = summary_of(tmp_path / "run")
    assert (summary["steps"], summary["test_examples"]) == (2, 100)
    assert last_state(tmp_path / "run")[".params['output']['kernel']"].shape == (16, 100)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["fast", "overfit", "strict", "profile"])
def test_debug_presets(preset, tmp_path):
    run("train", *SMALL, f"debug={preset}", "report.figures=false", into(tmp_path / "run"))
    summary = summary_of(tmp_path / "run")
    assert summary["steps"] == {"fast": 4, "overfit": 80, "strict": 80, "profile": 50}[preset]
    assert bool(list((tmp_path / "run").rglob("*.xplane.pb"))) == (preset == "profile")


@pytest.mark.slow
def test_the_textbook_gives_the_chapters_numbers(tmp_path):
    run("train", "experiment=textbook", into(tmp_path / "run"))
    losses = [line["loss"] for line in metrics_of(tmp_path / "run") if line["split"] == "train"]
    assert losses == pytest.approx([0.019208, 1.51037e-4], rel=1e-4)


@pytest.mark.slow
def test_the_textbook_trains_until_the_error_is_small_in_one_call(tmp_path):
    result = run("train", "model=two_neuron", "data=textbook", into(tmp_path / "run"))
    summary, lines = summary_of(tmp_path / "run"), metrics_of(tmp_path / "run")
    assert summary["status"] == "stopped_early"
    assert "the loss fell to" in result.stdout
    losses = [line["loss"] for line in lines if line["split"] == "train"]
    assert all(loss > 1e-6 for loss in losses[:-1])
    assert losses[-1] <= 1e-6
    weights = [line for line in lines if line["split"] == "weights"]
    assert [line["step"] for line in weights] == list(range(summary["steps"] + 1))
    assert weights[1]["neuron_b.w1"] == pytest.approx(0.489376, rel=1e-6)
    assert (tmp_path / "run" / "figures" / "weights.png").exists()


@pytest.mark.slow
def test_learning_rates_side_by_side(tmp_path):
    result = run("train", "experiment=learning_rates", f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert (tmp_path / "sweep" / "losses.png").exists()
    losses = {
        run_dir.name.rpartition("-")[2]: [line["loss"] for line in metrics_of(run_dir) if line["split"] == "train"]
        for run_dir in (tmp_path / "sweep").iterdir()
        if run_dir.is_dir()
    }
    assert set(losses) == {"small", "textbook", "large", "uphill", "falling"}
    assert losses["small"] == sorted(losses["small"], reverse=True)
    assert max(losses["large"]) > losses["large"][0] > losses["large"][-1]
    assert losses["falling"][-1] < losses["small"][-1] < losses["large"][-1]
    assert losses["uphill"][-1] == 0.5  # the ReLU is dead, the output 0
    assert "step_size" in result.stdout


@pytest.mark.slow
def test_divergence_exits_with_four_and_says_why(tmp_path):
    arguments = [*SMALL, "optimizer=sgd", "optimizer.learning_rate=1e30", "loss=mse", into(tmp_path / "run")]
    result = run("train", *arguments, check=4)
    assert "the training loss became" in result.stderr
    assert "Traceback" not in result.stderr
    summary = summary_of(tmp_path / "run")
    assert summary["status"] == "diverged"
    assert summary["steps"] < 80
    assert "diverged" in result.stdout


@pytest.mark.slow
def test_a_rerun_of_a_run_is_the_same_run(tmp_path):
    run("train", *SMALL, "seed=3", "report.figures=false", into(tmp_path / "first"))
    run("train", f"rerun={tmp_path / 'first'}", into(tmp_path / "second"))
    run("train", f"rerun={tmp_path / 'first'}", "seed=4", "optimizer=sgd", into(tmp_path / "third"))
    assert metrics_of(tmp_path / "second") == metrics_of(tmp_path / "first")
    assert summary_of(tmp_path / "second")["config_hash"] == summary_of(tmp_path / "first")["config_hash"]
    third = (tmp_path / "third" / "config.yaml").read_text()
    assert "name: sgd" in third
    assert "seed: 4" in third
    assert "hidden: [32]" in third
