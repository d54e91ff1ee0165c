"""Time series through the real command: the shipped forecast, a person's own file, and what is said of a bad one."""

import csv
import json
import re
import subprocess
import sys

import pytest
from commands import environment, run, summary_of

ROWS = 72
SALES = [100 + month + 20 * (month % 12 == 11) + 7 * (month % 5) for month in range(ROWS)]
FILE = "month;sales\n" + "".join(f"{2019 + i // 12}-{i % 12 + 1:02};{value}\n" for i, value in enumerate(SALES))
SMALL = ["model=fnn", "model.hidden=[8]", "data=series", "data.file=my.csv", "training.duration=20steps", "data.window=6"]


@pytest.mark.slow
def test_the_airline_forecast_beats_both_naive_ones_with_every_seed(tmp_path):
    seeds = "seed=0,1,2,3,4"
    result = run("train", "-m", "experiment=airline_rnn", seeds, "report.figures=false", f"hydra.sweep.dir={tmp_path}")
    summaries = [summary_of(path.parent) for path in tmp_path.glob("*/summary.json")]
    assert sorted(summary["seed"] for summary in summaries) == [0, 1, 2, 3, 4]
    for forecast in (summary["forecast"] for summary in summaries):
        assert (forecast["first"], forecast["last"], forecast["count"]) == ("1959-01", "1960-12", 24)
        # the naive forecasts have nothing to do with the network
        assert forecast["naive"]["last_season"] == {"rmse": pytest.approx(76.994, abs=1e-3), "mae": 71.25}
        before = {"rmse": pytest.approx(49.987, abs=1e-3), "mae": pytest.approx(47.583, abs=1e-3)}
        assert forecast["naive"]["season_before"] == before
        for naive in forecast["naive"].values():
            assert forecast["rmse"] < 0.6 * naive["rmse"]
            assert forecast["mae"] < 0.6 * naive["mae"]
        assert f"rmse {forecast['rmse']:.4g}" in result.stdout
    table = result.stdout[result.stdout.index("forecast rmse") :]
    best = min(summaries, key=lambda summary: summary["forecast"]["rmse"])
    assert f"★ {best['seed']} " in table
    mean = sum(summary["forecast"]["rmse"] for summary in summaries) / 5
    assert re.search(rf"mean .* {mean:.2f} ± ", table)
    assert "one step ahead, scaled" in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("experiment", "rmse"), [("airline_linear", 15.16), ("airline_fnn", 14.66)])
def test_the_airline_forecasts_of_the_readme_beside_those_without_a_network(tmp_path, experiment, rmse):
    result = run("train", f"experiment={experiment}", "report.figures=false", f"hydra.run.dir={tmp_path}")
    forecast = summary_of(tmp_path)["forecast"]
    # eight networks of some hundred steps differ a little between machines; a ridge regression does not
    assert forecast.get("together", forecast)["rmse"] == pytest.approx(
        rmse, abs=0.05 if experiment == "airline_linear" else 0.6
    )
    expected = {
        "season_growth": 17.28,
        "lag_regression": 15.42,
        "holt_winters_additive": 35.76,
        "holt_winters_multiplicative": 13.88,
    }
    assert {name: errors["rmse"] for name, errors in forecast["baselines"].items()} == pytest.approx(expected, abs=0.02)
    (line,) = [line for line in result.stdout.splitlines() if "holt winters multiplicative" in line]
    assert "better than the network" in line
    with (tmp_path / "forecast.csv").open(newline="") as file:
        assert list(next(csv.reader(file)))[-4:] == list(expected)


@pytest.mark.slow
def test_a_persons_own_file_from_their_own_folder(tmp_path):
    (tmp_path / "my.csv").write_text(FILE)
    run("train", *SMALL, "hydra.run.dir=run", "data.validation=0.2", cwd=tmp_path)
    summary = summary_of(tmp_path / "run")
    assert (summary["forecast"]["of"], summary["forecast"]["first"]) == ("sales", "2023-01")
    assert str(tmp_path / "run" / "figures" / "forecast.png") in summary["figures"]
    assert (tmp_path / "run" / "figures" / "forecast.png").exists()
    result = run("evaluate", f"run={tmp_path / 'run'}", f"hydra.run.dir={tmp_path / 'again'}")
    assert repr(summary["test"]["loss"]) in result.stdout
    for name in ("rmse", "mae"):
        assert " ".join(result.stdout.split()).count(repr(summary["forecast"][name])) == 2
    assert json.loads((tmp_path / "again" / "evaluation.json").read_text())["forecast"] == summary["forecast"]
    with (tmp_path / "run" / "forecast.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["truth"]) for row in rows] == SALES[-24:]
    errors = [float(row["network"]) - float(row["truth"]) for row in rows]
    assert sum(map(abs, errors)) / 24 == pytest.approx(summary["forecast"]["mae"])


@pytest.mark.slow
def test_a_file_that_runs_backwards_is_sorted_on_request(tmp_path):
    header, *rows = FILE.replace("-", "M").splitlines()
    (tmp_path / "my.csv").write_text(FILE)
    (tmp_path / "new_first.csv").write_text("\n".join([header, *rows[::-1]]) + "\n")
    small = [argument for argument in SMALL if not argument.startswith("data.file")]
    refused = run("train", *small, "data.file=new_first.csv", check=3, cwd=tmp_path)
    assert refused.stderr.splitlines()[0] == (
        "data.file=new_first.csv: line 3: month 2024M11 comes after 2024M12; sort the rows from old to new, "
        "or say data.order=sorted"
    )
    places = ["data.file=new_first.csv", "data.order=sorted", "data.column=-1", "hydra.run.dir=sorted", "report.figures=false"]
    result = run("train", *small, *places, cwd=tmp_path)
    assert "data.column=-1 is sales" in result.stdout
    run("train", *SMALL, "hydra.run.dir=run", "report.figures=false", cwd=tmp_path)
    found, wanted = (summary_of(tmp_path / name) for name in ("sorted", "run"))
    assert (found["test"], found["forecast"]["rmse"]) == (wanted["test"], wanted["forecast"]["rmse"])
    assert found["forecast"]["first"] == "2023M01"


BAD = [
    (FILE.replace(";151", ";"), [], r"data\.file=my\.csv: line \d+: sales is empty; a series has no gaps: fill it in"),
    (
        FILE,
        ["data.column=sale"],
        r"data\.column=sale: my\.csv has no such column; did you mean sales\? There are: month, sales",
    ),
    (
        FILE.replace("2020-03;", "2020-03x;"),
        [],
        r"data\.file=my\.csv: line 16: month is 2020-03x; must be a date that exists.*",
    ),
    (
        FILE,
        ["data.window=40"],
        r"data\.file=my\.csv: has 72 values; needs at least 92: data\.window=40 \+ data\.difference=12 \+ data\.holdout=24 \+ "
        r"training\.global_batch_size=16; make one of these smaller",
    ),
    (re.sub(";.*", ";5", FILE).replace(";5", ";sales", 1), ["data.difference=0"], r".*my\.csv: sales is 5 in every row.*"),
]


@pytest.mark.parametrize(("content", "overrides", "message"), BAD)
def test_a_mistake_in_the_file_ends_with_3_and_one_line_that_says_where(tmp_path, content, overrides, message):
    (tmp_path / "my.csv").write_text(content)
    result = run("train", *SMALL, *overrides, check=3, cwd=tmp_path)
    assert re.fullmatch(message, result.stderr.splitlines()[0])
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "my.csv"]


@pytest.mark.slow
def test_a_mistake_in_the_file_is_told_before_anything_heavy_is_loaded(tmp_path):
    (tmp_path / "my.csv").write_text("sales\n1\nx\n3\n")
    loaded = 'import atexit, sys; atexit.register(lambda: print(sorted({"jax", "flax", "matplotlib"} & sys.modules.keys())))'
    code = f"{loaded}; import runpy; runpy.run_module('experiments.train', run_name='__main__')"
    command = [sys.executable, "-c", code, *SMALL]
    result = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60)
    assert result.returncode == 3
    assert result.stdout == "[]\n"


@pytest.mark.slow
def test_a_file_that_moved_is_named_to_a_resumed_run(tmp_path):
    (tmp_path / "my.csv").write_text(FILE)
    first = run("train", *SMALL, "hydra.run.dir=run", "report.figures=false", cwd=tmp_path)
    assert "completed" in first.stdout
    (tmp_path / "my.csv").rename(tmp_path / "moved.csv")
    run("train", "resume=run", check=3, cwd=tmp_path)
    longer = run("train", "resume=run", "data.file=moved.csv", "training.duration=30steps", cwd=tmp_path)
    assert "Resuming from step 20 of 30\ntraining.duration=30steps (until now 20steps):\n" in longer.stdout
    assert "\n    training.planned=20steps 'schedule.restarts=[20steps]'\n" in longer.stdout
    log = (tmp_path / "run/train.log").read_text()
    assert log.index("training.planned=20steps") < log.rindex("train loss")  # before training
    assert summary_of(tmp_path / "run")["steps"] == 30
