"""The future of a series from a run: by the verb, by `load_run(…).forecast`, and where nothing was held out."""

import csv
import json

import numpy as np
import pytest
from small_runs import SERIES

import nnjax
from experiments.evaluate import evaluate
from experiments.forecast import forecast
from experiments.train import train
from nnjax.api.resuming import check_data
from nnjax.checks import forecast_checks
from nnjax.cli.compose import compose_config
from nnjax.cli.finished_runs import finished
from nnjax.cli.runs import write_config
from nnjax.config.forecast_options import ForecastConfig
from nnjax.config.schema import EvaluateConfig
from nnjax.data.load import load

MONTHS = [f"{2020 + month // 12}-{month % 12 + 1:02}" for month in range(60)]
VALUES = [100 + month + 9 * (month % 12 > 5) + month % 5 for month in range(60)]


def text(count, more=()):
    rows = [f"{month},{value}" for month, value in zip(MONTHS[:count], VALUES[:count], strict=True)]
    return "\n".join(["month,sales", *rows, *(f"{month}," for month in more)]) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run on 48 months, of which three are held out, and the same series with more."""
    folder = tmp_path_factory.mktemp("series")
    (folder / "own.csv").write_text(text(48))
    (folder / "newer.csv").write_text(text(52, more=MONTHS[52:54]))
    config = nnjax.compose(*SERIES, f"data.file={folder / 'own.csv'}", "model.hidden=[4]", "parallel.devices=1")
    nnjax.fit(config, folder / "run")
    return folder


def do(folder, out, *overrides):
    config = compose_config("forecast", [f"run={folder / 'run'}", "paths=800", *overrides], ForecastConfig)
    out.mkdir(exist_ok=True)
    return forecast(config, out)


@pytest.mark.slow
def test_the_command_and_the_library_forecast_the_same(folder, tmp_path, capsys):
    found = do(folder, tmp_path, "horizon=6")
    future = nnjax.load_run(folder / "run").forecast(6, paths=800)
    assert found["labels"] == list(future.labels) == MONTHS[48:54]
    assert found["forecast"] == future.values.tolist()
    assert found["intervals"][1]["upper"] == future.upper[0.95].tolist()
    assert found["known"] == {"first": "2020-01", "last": "2023-12", "count": 48}
    assert json.loads((tmp_path / "forecast.json").read_text()) == found
    with (tmp_path / "forecast.csv").open(newline="") as file:
        assert [row["label"] for row in csv.DictReader(file)] == MONTHS[48:54]
    assert (tmp_path / "figures" / "forecast.png").exists()
    said = " ".join(capsys.readouterr().out.split())
    assert "All 48 rows are known, up to 2023-12, the 3 from 2023-10 on included, which the training did not use" in said
    for line in ("2024-06", "held out, at once 1 3 41 trained", "a share of them is no proof", "Written: "):
        assert line in said


@pytest.mark.slow
def test_a_newer_file_is_forecast_from_its_end_for_its_rows_without_a_value(folder, tmp_path, capsys):
    found = do(folder, tmp_path, f"data.file={folder / 'newer.csv'}", "figures=false")
    assert (found["labels"], found["known"]["last"], found["newer"]) == (MONTHS[52:54], "2024-04", 4)
    assert found["residuals"] == {"of": "trained", "count": 41}
    assert not (tmp_path / "figures").exists()
    said = " ".join(capsys.readouterr().out.split())
    assert "All 52 rows are known, up to 2024-04, the 7 from 2023-10 on included, which the training did not use" in said
    future = nnjax.load_run(folder / "run").forecast(file=folder / "newer.csv", paths=800)
    assert future.values.tolist() == found["forecast"]


@pytest.mark.slow
def test_rows_that_differ_are_warned_of(folder, tmp_path, capsys):
    (tmp_path / "other.csv").write_text(text(52).replace("2020-03,104", "2020-03,999"))
    do(folder, tmp_path / "out", f"data.file={tmp_path / 'other.csv'}", "figures=false")
    said = capsys.readouterr()
    assert "sales of 2020-03 is 999, and 104 in the run's data" in " ".join((said.out + said.err).split())
    with pytest.warns(UserWarning, match=r"sales of 2020-03 is 999, and 104 in the run's data; 1 row of 48 shared ones differ"):
        nnjax.load_run(folder / "run").forecast(1, file=tmp_path / "other.csv")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["levels=[]"], r"levels=\[\]: must hold at least one value, such as levels=\[0.8,0.95\]"),
        (["levels=[0.99]", "paths=1000"], r"paths=1000: the ends of levels=0.99 need at least 4,000 paths"),
        (
            ["horizon=100000"],
            "horizon=100000: 100,000 rows along 1,000 paths are 100,000,000 simulated values; at most 20,000,000",
        ),
        (["horizon=0"], "horizon=0: must be a whole number of at least 1"),
        (["data.column=x"], "data.column=x: unknown key"),
    ],
)
def test_values_that_make_no_forecast_are_refused(overrides, message):
    with pytest.raises(nnjax.ConfigError, match=message):
        compose_config("forecast", ["run=here", *overrides], ForecastConfig)


def test_the_library_checks_its_arguments_as_the_command_does(folder):
    run = nnjax.load_run(folder / "run")
    with pytest.raises(nnjax.ConfigError, match=r"levels\.0=1\.5: must be a number greater than 0 and less than 1"):
        run.forecast(levels=[1.5])
    with pytest.raises(nnjax.ConfigError, match=r"levels=0\.9: must be a list"):
        run.forecast(levels=0.9)
    with pytest.raises(nnjax.ConfigError, match=r"residuals=mine: must be one of auto, unseen, trained"):
        run.forecast(residuals="mine")
    with pytest.raises(nnjax.DataError, match=r"data\.file=none\.csv: is missing"):
        run.forecast(file="none.csv")


def test_a_season_that_is_too_long_is_refused_as_a_horizon_is(folder, monkeypatch):
    monkeypatch.setattr(forecast_checks, "_MOST_VALUES", 999)
    with pytest.raises(nnjax.ConfigError, match=r"horizon=null: 1 rows along 1,000 paths are 1,000 simulated values"):
        nnjax.load_run(folder / "run").forecast()


@pytest.mark.slow
def test_the_library_names_the_command_for_a_file_that_has_grown(folder, tmp_path):
    own = (folder / "own.csv").read_text()
    (folder / "own.csv").write_text(text(50))
    try:
        with pytest.raises(
            nnjax.DataError,
            match=r"holds other data .* added at its end, `python -m experiments.forecast run=.*\.forecast\(file=…\)",
        ):
            nnjax.load_run(folder / "run")
        assert do(folder, tmp_path, "figures=false", "horizon=1")["labels"] == [MONTHS[50]]
    finally:
        (folder / "own.csv").write_text(own)


@pytest.mark.parametrize("options", [[], ["data.order=sorted"], ["data.limit_train=20"]])
def test_the_command_is_named_where_it_opens_a_file_that_has_grown(folder, options):
    config = nnjax.compose(*SERIES, f"data.file={folder / 'own.csv'}", *options)
    with pytest.raises(nnjax.DataError) as caught:
        check_data(config, "one", lambda: "other")
    assert ("experiments.forecast" in str(caught.value)) == (not options)


def test_numbers_of_numpy_are_numbers(folder):
    future = nnjax.load_run(folder / "run").forecast(np.int64(3), levels=np.array([0.5, 0.8]), paths=np.int32(400))
    assert (len(future.values), list(future.lower), future.courses) == (3, [0.5, 0.8], 400)


def test_a_run_on_other_data_has_no_future(trained):
    with pytest.raises(
        nnjax.ConfigError, match="this run: was trained on data=digits, which is no series; forecasts need a run"
    ):
        trained.forecast(3)


def test_the_evaluation_names_the_verb_for_newer_rows(folder):
    with pytest.raises(nnjax.ConfigError, match=r"data.file=x.csv: unknown key; it measures .* experiments.forecast run="):
        compose_config("evaluate", ["run=here", "data.file=x.csv"], EvaluateConfig)


@pytest.fixture(scope="module")
def untested(folder):
    """A run that was trained on all rows."""
    out = folder / "untested"
    config = nnjax.compose(
        *SERIES, f"data.file={folder / 'own.csv'}", "model.hidden=[4]", "data.holdout=0", "training.seeds=13"
    )
    return nnjax.fit(config, out)


@pytest.mark.slow
def test_nothing_held_out_is_nothing_tested(untested, folder):
    assert set(untested.metrics) == {"train"}
    summary = json.loads((folder / "untested" / "summary.json").read_text())
    assert (summary["status"], summary["test_examples"], summary["tested_step"]) == ("completed", 0, summary["steps"])
    assert not {"test", "forecast"} & summary.keys()
    assert len(summary["trials"]) == 13
    assert len(untested.dataset.train) == 48 - 1 - 3
    assert {record["split"] for record in untested.history} == {"train"}
    with pytest.raises(nnjax.InputError, match=r"split=test: is empty; data\.holdout=24 holds the last 24 values out"):
        untested.evaluate("test")


@pytest.mark.slow
def test_a_run_that_tested_nothing_is_read_forecast_and_complete(untested, folder, tmp_path):
    run = folder / "untested"
    again = nnjax.load_run(run)
    future = again.forecast(2, paths=800)
    np.testing.assert_array_equal(future.values, untested.forecast(2, paths=800).values)
    assert {found.rows for found in future.coverage} == {"trained"}
    line = finished(again.config, run)
    assert "complete: " in line
    assert "steps, nothing held out; see " in line
    config = compose_config("evaluate", [f"run={run}"], EvaluateConfig)
    with pytest.raises(nnjax.ConfigError, match=r"has nothing to measure, since data.holdout=0 .*experiments.forecast run="):
        evaluate(config, tmp_path)


@pytest.mark.slow
def test_figures_of_a_run_that_tested_nothing(folder, tmp_path, capsys):
    overrides = [option for option in SERIES if option != "report.figures=false"]
    config = nnjax.compose(
        *overrides, f"data.file={folder / 'own.csv'}", "data.holdout=0", "data.validation=0.2", "training.test=best"
    )
    write_config(config, tmp_path)
    summary = train(config, tmp_path)
    assert [path.rpartition("/")[2] for path in summary["figures"]] == ["learning_curves.png"]
    assert summary["validation"]["loss"] > 0
    assert "nothing was held out (data.holdout=0), so nothing was tested" in capsys.readouterr().out


def test_rows_without_a_value_are_left_out_of_a_training(folder):
    said = []
    data = load(nnjax.compose(*SERIES, f"data.file={folder / 'newer.csv'}").data, echo=said.append)
    assert len(data.series.values) == 52
    assert said == [
        "2 rows, 2024-05 to 2024-06, have no value at the end of the file: left out here; experiments.forecast forecasts them"
    ]
