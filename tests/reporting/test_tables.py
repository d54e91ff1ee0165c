import io
import math
import re
from types import SimpleNamespace

import pytest
from rich.console import Console

from nnjax.reporting.console import RunConsole
from nnjax.reporting.tables import closing_table, model_table, sweep_errors, sweep_table


def rendered(renderable):
    shown = io.StringIO()
    with RunConsole(None, file=shown) as console:
        console.print(renderable)
    return shown.getvalue()


def line_of(text, word):
    return next(line for line in text.splitlines() if word in line)


def words_of(text, word):
    return " ".join(line_of(text, word).split())


def layer(name, kind, connects, shape, parameters, saved, flops):
    return SimpleNamespace(
        name=name,
        kind=kind,
        connects=connects,
        output_shape=shape,
        num_params=parameters,
        weights_saved=saved,
        flops=flops,
    )


def test_the_model_has_shapes_and_totals():
    text = rendered(
        model_table(
            [
                layer("conv_1", "conv 3×3", "local 3×3, shared", (28, 28, 32), 320, 19_693_248, 451_584),
                layer("pool_1", "max pool 2×2", "local 2×2", (14, 14, 32), 0, 0, 0),
                layer("output", "dense", "full", (10,), 62_730, 0, 125_440),
            ]
        )
    )
    assert words_of(text, "conv_1") == "conv_1 conv 3×3 local 3×3, shared 28×28×32 320 19.7 M 452 k"
    assert words_of(text, "pool_1") == "pool_1 max pool 2×2 local 2×2 14×14×32"
    assert words_of(text, "dense") == "output dense full 10 62,730 125 k"
    assert words_of(text, "total") == "total 63,050 19.7 M 577 k"


def test_a_fully_connected_model_saves_nothing():
    text = rendered(model_table([layer("output", "dense", "full", (10,), 62_730, 0, 125_440)]))
    assert words_of(text, "total") == "total 62,730 125 k"


def test_a_wide_model_fits_a_plain_screen():
    rows = [
        layer("conv_10_activation", "conv 3×3", "local 3×3, shared", (32, 32, 128), 1_000_000, 101e6, 101e6),
        layer("head", "global average pool", "", (128,), 0, 0, 9),
    ]
    text = rendered(model_table(rows))
    whole = "conv_10_activation conv 3×3 local 3×3, shared 32×32×128 1,000,000 101 M 101 M"  # no cell runs over two lines
    assert words_of(text, "conv_10_activation") == whole
    assert words_of(text, "head") == "head global average pool 128 9"


@pytest.mark.parametrize(("missing", "shown"), [(None, "nan"), (math.nan, "nan"), (math.inf, "inf")])
def test_the_closing_table_of_a_run_that_diverged(missing, shown):
    text = rendered(closing_table({"status": "diverged", "train": {"loss": missing, "accuracy": missing}, "steps": 10}))
    assert f"loss {shown}   accuracy {shown}" in line_of(text, "train ")
    assert "test" not in text


def test_the_closing_table_of_nothing_but_nulls():
    numbers = "test_examples epochs steps num_params seed num_devices num_processes examples_per_second peak_rss_mb"
    others = "name reason error test validation train model activation data platform parallel seconds run_dir figures"
    summary = {"status": "diverged", **dict.fromkeys([*numbers.split(), *others.split()])}
    assert words_of(rendered(closing_table(summary)), "status") == "│ status │ diverged │"


def test_the_closing_table_says_what_came_out_and_where(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_dir = tmp_path / "outputs" / "run"
    text = rendered(
        closing_table(
            {
                "name": "run",
                "status": "stopped_early",
                "reason": "the loss fell below 0.1",
                "test": {"loss": 0.0512, "accuracy": 0.98611},
                "validation": None,
                "train": {"loss": 1e-5},
                "test_examples": 360,
                "epochs": 1.0,
                "steps": 1800,
                "seconds": {"train": 6.81, "compile": 3.4, "total": 312.0},
                "peak_rss_mb": 812.3,
                "num_devices": 2,
                "platform": "cpu",
                "num_processes": 3,
                "run_dir": str(run_dir),
                "figures": [run_dir / "figures" / "a.png", run_dir / "figures" / "b.png"],
            }
        )
    )
    assert "stopped early   the loss fell below 0.1" in text
    assert "loss 0.0512   accuracy 98.61%   360 examples" in line_of(text, "test ")
    assert "loss 1.00e-05" in line_of(text, "train ")
    assert "validation" not in text
    assert "1 epoch   1,800 steps" in text
    assert "5:12   train 6.8 s, compile 3.4 s" in text
    assert "2 × cpu   3 processes" in text
    assert re.search(r"results +│ outputs/run ", text)
    assert "outputs/run/figures/" in text
    assert "a.png, b.png" in text
    assert str(tmp_path) not in text


def test_a_summary_of_a_failed_run_is_enough_for_a_table():
    text = rendered(closing_table({"name": "x", "status": "failed", "error": "no [data] here"}))
    assert "failed   no [data] here" in text


JOBS = [
    {
        "number": 0,
        "overrides": ["activation=relu", "model=fnn", "optimizer.learning_rate=0.1"],
        "status": "completed",
        "test": {"loss": 0.05, "accuracy": 0.98},
        "seconds": 12.3,
    },
    {
        "number": 1,
        "overrides": ["activation=tanh", "model=fnn", "optimizer.learning_rate=0.1"],
        "status": "failed",
        "error": "data=mnist: not found\nsecond line",
    },
    {
        "number": 2,
        "overrides": ["activation=elu", "model=fnn", "optimizer.learning_rate=0.2"],
        "status": "diverged",
        "test": None,
        "error": "the loss became nan",
    },
    {
        "number": 3,
        "overrides": ["activation=silu", "model=fnn", "optimizer.learning_rate=0.2"],
        "status": "completed",
        "test": {"loss": 0.04, "accuracy": 0.98},
        "seconds": 3612.0,
    },
]


def test_a_sweep_shows_every_job_and_what_differs():
    text = rendered(sweep_table(JOBS))
    header = line_of(text, "activation")
    assert "learning_rate" in header
    assert "model" not in header
    assert words_of(text, " relu ") == "0 relu 0.1 completed 0.0500 98.00% 12.3 s"
    assert words_of(text, " tanh ") == "1 tanh 0.1 failed"
    assert words_of(text, " elu ") == "2 elu 0.2 diverged"
    assert words_of(text, " silu ") == "★ 3 silu 0.2 completed 0.0400 98.00% 1:00:12"
    errors = ["job 1 failed: data=mnist: not found", "job 2 diverged: the loss became nan"]
    assert sweep_errors(JOBS).plain.splitlines() == errors


def test_the_best_of_a_sweep():
    def marked(*tests):
        lines = rendered(sweep_table([{"number": number, "test": test} for number, test in enumerate(tests)])).splitlines()
        return [int(line.split()[1]) for line in lines if "★" in line]

    assert marked({"loss": 0.1, "accuracy": 0.9}, {"loss": 0.2, "accuracy": 0.95}) == [1]
    assert marked({"loss": 0.3}, {"loss": 0.2}, {"loss": float("nan")}, None) == [1]
    assert marked({"loss": 0.3}, None) == []
    assert marked() == []


def seeds(*results, **more):
    return [{"number": n, "overrides": ["model=rnn", f"seed={n}"], "status": "completed", **r} for n, r in enumerate(results)]


def test_the_best_forecast_of_a_sweep_has_the_lowest_rmse():
    jobs = seeds(
        {"test": {"loss": 0.1}, "forecast": {"rmse": 15.478, "mae": 13.0, "naive": {}}},
        {"test": {"loss": 0.3}, "forecast": {"rmse": 9.5, "mae": 12345678.0, "naive": {}}},
        {"test": {"loss": 0.2}, "forecast": {"rmse": math.inf, "mae": math.nan, "naive": {}}},
        {"test": {"loss": 0.01}, "forecast": None},
    )
    text = rendered(sweep_table(jobs))
    assert words_of(text, "status") == "job seed status test loss forecast rmse forecast mae time"
    assert words_of(text, "15.48") == "0 0 completed 0.1000 15.48 13.00"
    assert words_of(text, "★") == "★ 1 1 completed 0.3000 9.50 1.235e+07"
    assert words_of(text, "inf") == "2 2 completed 0.2000 inf nan"
    assert words_of(text, " 3 ") == "3 3 completed 0.0100"


def test_seeds_end_with_their_mean():
    jobs = seeds(
        {"test": {"loss": 1.0, "accuracy": 0.98}, "forecast": {"rmse": 14.0, "mae": 10.0}},
        {"test": {"loss": 2.0, "accuracy": 0.96}, "forecast": {"rmse": 16.0, "mae": 10.5}},
        {"test": {"loss": 3.0, "accuracy": 0.94}, "forecast": {"rmse": None, "mae": math.inf}},
        {"status": "failed"},
    )
    assert words_of(rendered(sweep_table(jobs)), "mean") == (
        "mean ± std 2.0000 ± 1.0000 96.00% ± 2.00% 15.00 ± 1.41 10.25 ± 0.35"  # 1.41 is √2
    )


def test_only_seeds_have_a_mean():
    jobs = seeds({"test": {"loss": 1.0}}, {"test": {"loss": 2.0}})
    others = [{**job, "overrides": [*job["overrides"], f"activation={name}"]} for job, name in zip(jobs, "ab", strict=True)]
    for several in (others, jobs[:1], [{**job, "test": None} for job in jobs]):
        assert "mean" not in rendered(sweep_table(several))


def test_a_job_without_a_finite_loss_is_never_the_best():
    jobs = [{"number": n, "test": {"loss": loss, "accuracy": 0.9}} for n, loss in enumerate([None, math.nan, math.inf, 0.5])]
    text = rendered(sweep_table([*jobs, {"number": 4, "status": "diverged"}]))
    assert "★" not in text
    for shown in ("0 failed nan 90.00%", "1 failed nan 90.00%", "2 failed inf 90.00%", "3 failed 0.5000 90.00%", "4 diverged"):
        assert shown in " ".join(text.split())


def test_a_command_below_a_sweeps_table_stays_one_line():
    said = f"SIGTERM: resume with: python -m experiments.train resume=/outputs/{'long/' * 40}"
    assert said in rendered(sweep_errors([{"status": "preempted", "error": said}]))


def test_names_shared_by_two_groups_stay_whole():
    jobs = [{"overrides": [f"model.name={n}", f"data.name={n}"]} for n in range(2)]
    header = line_of(rendered(sweep_table(jobs)), "status")
    assert "model.name" in header
    assert "data.name" in header


@pytest.mark.parametrize("width", [80, 100, 140])
def test_a_sweeps_table_loses_nothing_where_room_is_scarce(width):
    overrides = [["experiment=cifar10_airbench94_muon", f"model.hidden=[{n},128,64]", f"seed={n}"] for n in range(3)]
    jobs = [
        {
            "overrides": each,
            "status": "stopped_early",
            "test": {"loss": 2.1455, "accuracy": 0.15},
            "forecast": {"rmse": 436.52, "mae": 414.95},
            "spread": {"test_loss": {"mean": 2.1455, "std": 0.1531, "n": 3}},
            "trials": 3,
            "seconds": 3700,
        }
        for each in overrides
    ]
    jobs[1]["overrides"] = ["experiment=textbook", *overrides[1][1:]]
    console = Console(width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(sweep_table(jobs))
    lines = capture.get().splitlines()
    assert all(len(line) <= width for line in lines)
    letters = "".join("".join(lines).split())
    for number in ("436.52", "414.95", "1:01:40", "15.00%", "0.1531"):
        assert letters.count(number) == 3
    assert "…" not in letters
    assert ("2.1455 ± 0.1531" in capture.get()) == (width == 140)
