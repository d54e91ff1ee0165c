"""`experiments.traffic`: its files and tables, its sweeps, and what a mistake is answered. No test reads data."""

import json

import pytest
from commands import run

from nnjax.api import traffic_run
from nnjax.config.errors import DataError

QUICK = ("model=fnn", "model.hidden=[8]", "training.global_batch_size=8", "compare=[]", "report.figures=false")


def report_of(folder):
    return json.loads((folder / "traffic.json").read_text())


@pytest.mark.slow
def test_a_report_of_data_that_is_not_here(tmp_path):
    """CIFAR-10 was not downloaded, and 6 devices are not there."""
    overrides = ("model=cnn", "data=cifar10", "parallel.devices=4", "parallel.gradients=buckets", "compare=[sharded]")
    printed = run("traffic", *overrides, f"hydra.run.dir={tmp_path}", TFDS_DATA_DIR=str(tmp_path / "none")).stdout
    report = report_of(tmp_path)
    assert report["bytes"]["gradients"] == report["bytes"]["parameters"] == 4_283_560
    assert {row["collective"] for row in report["collectives"]} == {"all_gather", "all_reduce"}
    phases = [row["phase"] for row in report["collectives"]]
    assert phases.count("batch_statistics") >= 4
    assert phases[-1] == "metrics"
    (sharded,) = report["ways"]
    assert sharded["optimizer"] < report["memory"]["optimizer"] / 3
    assert sharded["sent_per_step"] == pytest.approx(report["bytes"]["by_algorithm"][0]["sent_per_step"], rel=0.01)
    assert report["flops"]["step"] == pytest.approx(38e6 * 32, rel=0.1)  # 38 MFLOP an example, 128 / 4 examples
    assert (tmp_path / "figures/traffic.png").read_bytes().startswith(b"\x89PNG")
    assert len((tmp_path / "traffic.csv").read_text().splitlines()) == 1 + len(report["collectives"])
    assert "Compiling the training step for 4 devices, gradients=sharded" in printed
    assert "the same as the parameters' 4283560" in printed


def test_many_devices_are_computed_from_few(tmp_path):
    overrides = ("data=mnist", "training.global_batch_size=1024", "parallel.devices=512")
    printed = run("traffic", *QUICK, *overrides, f"hydra.run.dir={tmp_path}").stdout
    assert "each with the share of one of 512" in printed
    report = report_of(tmp_path)
    assert report["compiled"]["simulated_devices"] < 512
    assert {row["group_size"] for row in report["collectives"]} == {512}


@pytest.mark.parametrize("export", ["chrome", "astra-sim"])
def test_exports(tmp_path, export):
    printed = run("traffic", *QUICK, f"export={export}", f"hydra.run.dir={tmp_path}").stdout
    name = "chrome_trace.json" if export == "chrome" else "workload.txt"
    assert name in printed
    assert ("Left out for ASTRA-sim: " in printed) == (export == "astra-sim")
    assert list(tmp_path.rglob(name))


@pytest.mark.slow
def test_a_sweep_over_the_loss_compiles_once_and_ends_with_a_table_and_a_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(traffic_run, "_compiled", {})
    link = ("link.loss=0,1e-2,0.999", "link.transport=go_back_0", "link.mtu=100")
    large = ("model.hidden=[2000]", f"hydra.sweep.dir={tmp_path}")  # many packets a message
    printed = run("traffic", "-m", *(key for key in QUICK if "hidden" not in key), *link, *large).stdout
    assert printed.count("Compiling") == 1
    rows = [line.split() for line in printed[printed.index("changed") :].splitlines() if "completed" in line]
    assert [(row[0], row[1]) for row in rows] == [("0", "link.loss=0"), ("1", "link.loss=0.01"), ("2", "link.loss=0.999")]
    assert "never" in printed  # in a narrow cell, "ends" stands below
    assert (tmp_path / "traffic.png").read_bytes().startswith(b"\x89PNG")
    assert "link.loss=0.999" in (tmp_path / "sweep.log").read_text()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "run"
    shape = ("training.global_batch_size=8", "parallel.devices=2", "data.limit_train=80", "data.limit_test=16")
    run("train", "model=fnn", "model.hidden=[16]", "training.duration=20steps", *shape, f"hydra.run.dir={folder}")
    return folder


@pytest.mark.slow
def test_the_experiment_and_the_step_of_a_run(tmp_path, trained):
    run("traffic", f"run={trained}", "device=measured", "compare=[]", f"hydra.run.dir={tmp_path}")
    report = report_of(tmp_path)
    assert (report["settings"]["devices"], report["settings"]["model"]) == (2, "fnn")
    assert report["layers"][0]["layer"] == "dense_1"
    assert report["bytes"]["gradients"] == 4 * (64 * 16 + 16 + 16 * 10 + 10)
    computing = report["prediction"]["computing"]
    summary = json.loads((trained / "summary.json").read_text())
    split = summary["goodput"]
    assert computing["value"] == pytest.approx((split["steps"] or summary["seconds"]["train"]) / 20)
    assert computing["formula"] == "measured_time"
    assert "the run took" in report["prediction"]["notes"][0]


@pytest.mark.slow
def test_a_measured_step_is_scaled_to_other_batches_and_says_so(tmp_path, trained):
    run("traffic", f"run={trained}", "device=measured", "compare=[]", "parallel.devices=4", f"hydra.run.dir={tmp_path}")
    report = report_of(tmp_path)
    assert "scaled to 2 examples in proportion" in report["prediction"]["notes"][0]


def test_a_run_without_a_step_measures_nothing(tmp_path, trained, monkeypatch):
    monkeypatch.setattr(traffic_run, "read_summary", lambda run: {"status": "failed"})
    done = run("traffic", f"run={trained}", "device=measured", f"hydra.run.dir={tmp_path}", check=DataError.exit_code)
    assert "has no time of a step" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["device=measured"], "device.run: missing; device=measured takes the time of a step from a run"),
        (["link.los=1"], "link.los=1: unknown key; did you mean link.loss"),
        (["link=wlan"], "link=wlan: no such option; allowed: custom, ethernet_10g"),
        (["export=chrom"], "export=chrom: must be one of chrome, astra-sim"),
        (["parallel.devices=7"], "training.global_batch_size=64: parallel.devices=7 does not divide it"),
        (
            ["algorithm=hierarchical", "device.per_machine=3", "parallel.devices=8", "compare=[]"],
            "device.per_machine=3: does not divide 8 devices",
        ),
    ],
)
def test_a_mistake_is_answered_in_its_first_line(tmp_path, arguments, answer):
    done = run("traffic", *arguments, f"hydra.run.dir={tmp_path}", check=2)
    assert done.stderr.startswith(answer)
    assert "Traceback" not in done.stderr


def test_whole_trials_send_nothing(tmp_path):
    printed = run("traffic", *QUICK, "training.seeds=4", "parallel.devices=4", f"hydra.run.dir={tmp_path}").stdout
    assert "Nothing is sent" in printed
