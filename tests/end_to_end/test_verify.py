"""`experiments.verify`: what it finds right, and what it finds wrong where something was broken on purpose."""

import json
import os

import jax
import pytest
from commands import run, start

from nnjax.parallel import averaging

QUICK = ("model=fnn", "model.hidden=[8]", "data.limit_train=200", "data.limit_test=50", "training.global_batch_size=8")


@pytest.mark.slow
def test_parity_of_wrappers_and_devices(tmp_path):
    printed = run("verify", "parity", *QUICK, "optimizer=sgd", "steps=6", f"hydra.run.dir={tmp_path}").stdout
    verification = json.loads((tmp_path / "verification.json").read_text())
    assert verification["status"] == "verified"
    ways = [(variant["wrapper"], variant["devices"]) for variant in verification["variants"]]
    assert ways == [("pmap", 1), ("shard_map", 1), ("pmap", 2), ("shard_map", 2)]
    assert 0 < verification["largest_relative_difference"] < 1e-5
    assert "Training 6 steps with shard_map on 2 devices" in printed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "average"),
    [
        ("sgd", lambda tree: tree),  # forgotten
        ("adam", lambda tree: jax.tree.map(lambda x: jax.lax.psum(x, "data"), tree)),  # a sum; Adam's steps stay the same
    ],
)
def test_a_wrong_average_is_found(tmp_path, monkeypatch, optimizer, average):
    monkeypatch.setattr(averaging, "mean_over_devices", average)
    done = run("verify", "parity", *QUICK, f"optimizer={optimizer}", "steps=3", f"hydra.run.dir={tmp_path}", check=1)
    assert "tolerance=0.001: ." in done.stderr
    assert "with pmap on 2 devices after 3 steps" in done.stderr
    verification = json.loads((tmp_path / "verification.json").read_text())
    assert verification["status"] == "failed"


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["parit"], "check=parit: must be one of resume, parity, checkpoint; did you mean parity?"),
        (["parity", "parallel.devices=1"], "parallel.devices=1: parity compares one device with several"),
        (
            ["parity", "training.global_batch_size=7"],
            "training.global_batch_size=7: no number of devices from 2 to 8 divides it",
        ),
        (["checkpoint"], "run: missing; checkpoint reads the files of a run"),
        (["resume", "run=nowhere"], "run=nowhere: no such folder"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, arguments, answer):
    done = run("verify", *arguments, f"hydra.run.dir={tmp_path}", check=2)
    assert done.stderr.startswith(answer)
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "run"
    run("train", *QUICK, "debug=fast", "seed=5", "optimizer=sgd", f"hydra.run.dir={folder}")
    return folder


@pytest.mark.slow
def test_the_experiment_of_a_run(tmp_path, trained):
    run("verify", "parity", f"run={trained}", "steps=2", "parallel.devices=4", f"hydra.run.dir={tmp_path}")
    written = (tmp_path / "config.yaml").read_text()
    assert "seed: 5" in written
    assert "name: sgd" in written
    assert [variant["devices"] for variant in json.loads((tmp_path / "verification.json").read_text())["variants"]] == [
        1,
        1,
        4,
        4,
    ]


@pytest.mark.slow
def test_the_checkpoints_of_a_run(tmp_path, trained):
    printed = run("verify", "checkpoint", f"run={trained}", f"hydra.run.dir={tmp_path / 'intact'}").stdout
    assert "intact" in printed
    (file,) = (trained / "checkpoints").glob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    done = run("verify", "checkpoint", f"run={trained}", f"hydra.run.dir={tmp_path / 'damaged'}", check=1)
    assert f"\n  {file.name}: " in done.stderr


CNN = ("model=cnn", "model.blocks=[{features: 4, batch_norm: true}]", "model.dense=[8]")
BEST = ("data.validation=0.2", "training.evaluate_every=3steps", "training.test=best", "training.stop.patience=9")


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ("model=fnn", "model.hidden=[16]", "model.normalization=batch", "optimizer=adam"),
        CNN,
        (*CNN, "training.seeds=2"),
        ("model=fnn", "model.hidden=[16]", *BEST),
    ],
    ids=["FNN", "CNN", "trials", "best"],
)
def test_killed_runs_are_resumed_exactly(tmp_path, overrides):
    """NNJAX_TRIALS sets the number of kills of each."""
    kills = int(os.environ.get("NNJAX_TRIALS", "1"))
    start("verify", "resume", *overrides, "data.limit_train=400", "steps=7", f"kills={kills}", f"hydra.run.dir={tmp_path}")
    verification = json.loads((tmp_path / "verification.json").read_text())
    assert [run["equal"] for run in verification["runs"]] == [True] * kills
    assert (tmp_path / f"killed-{kills}/summary.json").is_file()


@pytest.mark.slow
def test_a_trial_that_diverges_in_each_way_is_no_difference(tmp_path):
    vary = "training.vary.learning_rate=[1e-3,1e30]"
    run("verify", "parity", *QUICK, vary, "optimizer=sgd", "steps=5", f"hydra.run.dir={tmp_path}")
    first, *others = json.loads((tmp_path / "verification.json").read_text())["variants"]
    assert first["difference"] == 0
    assert all(variant["difference"] < 1e-5 for variant in others)


@pytest.mark.slow
def test_a_training_that_ends_before_the_kill_is_said(tmp_path):
    rule = ("training.stop.loss_below=10", "training.evaluate_every=5steps")
    done = start("verify", "resume", *QUICK, *rule, "steps=10", f"hydra.run.dir={tmp_path}", check=2)
    assert done.stderr.startswith("steps=10: a stop rule ends this training at step 5")
