"""Trainings that diverge keep the step, and `experiments.autopsy` names its first cause."""

import json
import subprocess
import sys

import numpy as np
import pytest
from commands import ROOT, environment, run, summary_of
from safetensors.numpy import load_file

TINY = [
    "model=fnn",
    "model.hidden=[8]",
    "data=synthetic",
    "data.num_train=64",
    "data.num_test=16",
    "training.global_batch_size=8",
    "training.eval_batch_size=16",
    "report.figures=false",
    "report.tensorboard=off",
    "schedule=constant",
    "optimizer=sgd",
]


def diverged(folder, *overrides, code=4, plugin=()):
    return run("train", *TINY, *overrides, f"hydra.run.dir={folder}", *plugin, check=code)


def autopsy(folder, *plugin, code=0):
    out = folder / "autopsy"
    printed = run("autopsy", f"run={folder}", f"hydra.run.dir={out}", *plugin, check=code)
    return printed.stdout, json.loads((out / "autopsy.json").read_text()) if code == 0 else printed.stderr


@pytest.fixture(scope="module")
def exploded(tmp_path_factory):
    """A rate that is too high: the norms grow for some steps. On two devices, with a checkpoint on the way."""
    folder = tmp_path_factory.mktemp("exploded") / "run"
    overrides = ["optimizer.learning_rate=50", "model.hidden=[8,8]", "loss=mse", "training.checkpoint_every=2steps"]
    printed = diverged(folder, *overrides, "parallel.devices=2")
    return folder, printed


@pytest.mark.slow
def test_a_run_says_how_to_explain_it(exploded):
    folder, printed = exploded
    assert f"python -m experiments.autopsy run={folder}" in printed.stdout
    assert summary_of(folder)["status"] == "diverged"
    assert summary_of(folder)["diverged"] == "diverged"


@pytest.mark.slow
def test_too_high_a_rate_is_seen_in_the_norms(exploded):
    folder, _ = exploded
    said, found = autopsy(folder)
    assert found["is_repeated"]
    assert found["grown"]["gradients"]["times"] > 10
    assert "is the learning rate too high?" in said
    assert found["cause"]["layer"] in ("dense_1", "dense_2", "output", "loss_function", "optimizer_update")
    assert [row["step"] for row in found["course"]][-1] == found["step"]


@pytest.mark.slow
def test_the_script_repeats_it(exploded):
    folder, _ = exploded
    if not (folder / "autopsy").exists():
        autopsy(folder)
    command = [sys.executable, "-W", "error", str(folder / "autopsy/reproduce.py")]
    environ = environment(PYTHONPATH=str(ROOT))
    printed = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True)
    assert printed.returncode == 0, printed.stderr
    assert "not finite" in printed.stdout
    assert "cause: BadOperation" in printed.stdout


@pytest.mark.slow
def test_the_saved_batch_is_the_one_of_that_step(exploded):
    from nnjax.cli.runs import read_config
    from nnjax.config.schema import TrainConfig
    from nnjax.data.load import load
    from nnjax.data.stream import batch_indices

    folder, _ = exploded
    config = read_config(TrainConfig, folder)
    saved = load_file(folder / "diverged/batches.safetensors")
    about = json.loads((folder / "diverged/about.json").read_text())
    train = load(config.data).train
    sizes = {"steps_per_epoch": len(train) // 8, "num_examples": len(train), "global_batch_size": 8}
    for step in about["batches"]:
        rows = batch_indices(seed=0, first_step=step - 1, num_steps=1, **sizes)[0]
        np.testing.assert_array_equal(saved[f"examples_{step}"], rows)
        np.testing.assert_array_equal(saved[f"inputs_{step}"], train.inputs[rows])
        np.testing.assert_array_equal(saved[f"targets_{step}"], train.targets[rows])


def test_a_damaged_file_is_refused(exploded, tmp_path):
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(exploded[0], folder)
    path = folder / "diverged/state.safetensors"
    data = bytearray(path.read_bytes())
    data[-3] ^= 16
    path.write_bytes(data)
    assert "state.safetensors: is damaged" in refused(folder, tmp_path / "first")
    (folder / "diverged/about.json").write_text("{")
    assert "about.json: is damaged" in refused(folder, tmp_path / "second")


def refused(folder, out):
    return run("autopsy", f"run={folder}", f"hydra.run.dir={out}", check=3).stderr


def test_a_run_that_did_not_diverge_has_nothing_to_explain(tmp_path):
    diverged(tmp_path / "run", "training.duration=2steps", code=0)
    _, said = autopsy(tmp_path / "run", code=3)
    assert "the run kept no step that diverged" in said
    assert len(said.splitlines()) == 1


PLUGIN = """
from dataclasses import dataclass

import jax.numpy as jnp
import nnjax


@dataclass(frozen=True)
class LogOfZero:
    pass


@nnjax.register_loss("log_of_zero")
def log_of_zero(options: LogOfZero, outputs, targets):
    return -jnp.log(jnp.maximum(outputs, 0.0)).sum(axis=-1)
"""


@pytest.mark.slow
def test_a_registered_loss_with_a_logarithm_of_zero(tmp_path):
    plugin = tmp_path / "my_loss.py"
    plugin.write_text(PLUGIN)
    command = [sys.executable, "-m", "experiments.train", *TINY, "loss=log_of_zero", f"hydra.run.dir={tmp_path / 'run'}"]
    printed = subprocess.run([*command, "--plugin", str(plugin)], cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert printed.returncode == 4, printed.stderr
    command = [sys.executable, "-m", "experiments.autopsy", f"run={tmp_path / 'run'}", f"hydra.run.dir={tmp_path / 'out'}"]
    printed = subprocess.run([*command, "--plugin", str(plugin)], cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert printed.returncode == 0, printed.stderr
    cause = json.loads((tmp_path / "out/autopsy.json").read_text())["cause"]
    assert (cause["primitive"], cause["layer"], cause["backward"]) == ("log", "loss_function", False)
    assert "my_loss.py:15 (log_of_zero)" in cause["place"]


@pytest.mark.slow
def test_the_first_of_several_trials_is_kept_and_the_others_go_on(tmp_path):
    folder = tmp_path / "run"
    diverged(folder, "training.vary.learning_rate=[0.01,1e30,0.1]", "training.duration=3epochs", code=0)
    assert summary_of(folder)["status"] == "completed"
    assert [row["diverged"] is None for row in summary_of(folder)["trials"]] == [True, False, True]
    _, found = autopsy(folder)
    assert (found["trial"], found["rate"]) == (1, pytest.approx(1e30))
    assert found["is_repeated"]
    assert found["cause"] is not None


@pytest.mark.slow
def test_a_validation_loss_that_is_not_finite(tmp_path, monkeypatch):
    """Inputs of the validation split that overflow, in a network whose training is finite."""
    from nnjax.data import load as loading

    folder, load = tmp_path / "run", loading.load

    def with_infinity(*args, **kwargs):
        from dataclasses import replace

        data = load(*args, **kwargs)
        inputs = np.array(data.validation.inputs, np.float32)
        inputs[3] = np.float32(3e38)
        split = replace(data.validation, inputs=inputs)
        return replace(data, validation=split)

    monkeypatch.setattr(loading, "load", with_infinity)
    diverged(folder, "data.validation=0.25", "training.duration=1epochs", "data.input_shape=[6]")
    _, found = autopsy(folder)
    assert (found["split"], found["cause"]["layer"]) == ("validation", "dense_1")


@pytest.mark.slow
def test_a_strict_run_keeps_its_step_too(tmp_path):
    folder = tmp_path / "run"
    diverged(folder, "debug=strict", "parallel.devices=1", "optimizer.learning_rate=1e30")
    assert autopsy(folder)[1]["is_repeated"]


@pytest.mark.slow
def test_bfloat16_overflows_where_it_says(tmp_path):
    folder = tmp_path / "run"
    diverged(folder, "training.precision=bfloat16", "optimizer.learning_rate=1e25", "loss=mse")
    cause = autopsy(folder)[1]["cause"]
    assert cause["layer"]
    assert cause["result"]["nans"] + cause["result"]["infinities"] > 0
