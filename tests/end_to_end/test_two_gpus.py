"""The chapter's two devices: the same experiment is traced and trained, by the real commands."""

import json

import pytest
from commands import run, summary_of


@pytest.mark.slow
def test_the_trace_shows_what_the_devices_send(tmp_path):
    printed = run("trace", "experiment=two_gpus", "parallel=shard_map", "iterations=1", f"hydra.run.dir={tmp_path}/run").stdout
    exchange = json.loads((tmp_path / "run" / "trace.json").read_text())["exchange"]
    assert [layer["name"] for layer in exchange["layers"]] == ["output", "layer_2", "layer_1"]
    places = [printed.index(f"{layer['name']}: each device sends") for layer in exchange["layers"]]
    assert places == sorted(places)
    assert "What trains like one device: data parallelism." in map(str.strip, printed.splitlines())


def test_two_devices_train_to_a_small_loss(tmp_path):
    run("train", "experiment=two_gpus", "report.figures=false", f"hydra.run.dir={tmp_path}/run")
    summary = summary_of(tmp_path / "run")
    assert summary["status"] == "stopped_early"
    assert summary["num_devices"] == 2
    assert summary["test"]["loss"] < 1e-6
