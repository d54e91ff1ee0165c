"""`experiments.netlab`: what it measures over real links, and what it says where it cannot."""

import csv
import json
import os
from pathlib import Path

import pytest
from commands import run, start

from nnjax.interconnect.netlab.lab_state import STATE_DIR, left_namespaces

ALONE = ("hidden_layers=[1]", "parameters=20000", "seconds=1")


def test_it_says_what_is_missing_and_leaves_no_folder(tmp_path):
    done = run("netlab", f"hydra.run.dir={tmp_path / 'run'}", check=1, PATH=os.fsencode(tmp_path).decode())
    assert done.stderr.startswith("netlab: needs ")
    assert done.stderr.count("\n") == 1
    assert not list(Path(tmp_path).glob("run/*.json"))


def test_a_mistake_in_the_overrides_of_the_training_is_told_before_anything_is_built(tmp_path, monkeypatch):
    from nnjax.api import netlab_run

    monkeypatch.setattr(netlab_run, "check_machine", lambda: None)
    monkeypatch.setattr(netlab_run, "clear_leftovers", lambda: [])
    folder = f"hydra.run.dir={tmp_path / 'run'}"
    done = run("netlab", "parts=[faults]", "train=['optimizer.lr=1']", folder, check=2)
    assert done.stderr.startswith(
        "train=['optimizer.lr=1']: optimizer.lr=1: unknown key; did you mean optimizer.learning_rate?"
    )


@pytest.mark.slow
@pytest.mark.netlab
def test_the_interfaces_count_what_is_predicted(tmp_path):
    done = start("netlab", "parts=[bytes]", *ALONE, f"hydra.run.dir={tmp_path / 'run'}")
    summary = json.loads((tmp_path / "run/netlab.json").read_text())
    assert [row["processes"] for row in summary["rows"]] == [2, 3, 4]
    for row in summary["rows"]:
        for sent in row["sent_bytes"]:
            assert sent == pytest.approx(row["predicted_bytes"], rel=0.1), done.stdout
    assert summary["congestion_control"] == "reno"
    assert any("tcp_congestion_control" in command for command in summary["commands"])


@pytest.mark.slow
@pytest.mark.netlab
def test_points_are_measured_drawn_and_written(tmp_path):
    axes = ("bandwidths=[5e6]", "delays=[1e-3,1e-2]", "losses=[0,0.01]")
    done = start("netlab", "parts=[grid,straggler]", *ALONE, *axes, f"hydra.run.dir={tmp_path / 'run'}")
    rows = json.loads((tmp_path / "run/netlab.json").read_text())["rows"]
    kinds = [row["kind"] for row in rows]
    assert [kinds.count(kind) for kind in ("unlimited", "calibration", "judged", "straggler")] == [2, 2, 4, 2]
    calibrated = {(row["bandwidth"], row["delay"]) for row in rows if row["kind"] in ("unlimited", "calibration")}
    for row in rows:
        if row["kind"] == "judged":
            assert (row["bandwidth"], row["delay"]) not in calibrated
            # no step is faster than a link carries its bytes
            assert row["measured"] > 0.95 * 8 * min(row["sent_bytes"]) / row["bandwidth"]
    fast, slow = (row["link_use"] for row in rows if row["kind"] == "straggler")
    assert slow[2] > 2 * max(slow[:2])  # the slow link is busy, and the others wait for it
    assert max(fast) < 2 * min(fast)
    with (tmp_path / "run/netlab.csv").open(newline="") as file:
        assert [row["kind"] for row in csv.DictReader(file)] == kinds
    assert (tmp_path / "run/figures/netlab.png").stat().st_size > 10_000
    assert "Median error of 4 judged points" in done.stdout
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.netlab
def test_nobody_hangs_when_a_process_is_killed_or_frozen_or_its_link_is_cut(tmp_path):
    start("netlab", "parts=[faults]", *ALONE, "peer_timeout=10", f"hydra.run.dir={tmp_path / 'run'}")
    rows = {row["fault"]: row for row in json.loads((tmp_path / "run/netlab.json").read_text())["rows"]}
    assert rows.keys() == {"killed", "frozen", "cut"}
    for fault, row in rows.items():
        print(f"{fault}: {row['seconds']:.1f} s, {row['codes']}: {row['line']}")
        assert row["seconds"] is not None
        assert row["codes"][0] == 1
        assert "process 1 of 2 on rank-1" in row["line"]
        assert "checkpoint" in row["line"]
    assert rows["cut"]["codes"] == [1, 1]  # both sides of the cut end by themselves
    assert not [name for name in left_namespaces() if not (STATE_DIR / f"{name.split('-')[1]}.json").exists()]
