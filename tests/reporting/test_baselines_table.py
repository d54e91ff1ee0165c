"""The forecasts that a network has to beat, in the closing table and in one of their own."""

import math
from types import SimpleNamespace

from rich.console import Console

from nnjax.reporting.baselines_table import baselines_table, other_forecasts
from nnjax.reporting.tables import closing_table

FORECAST = {
    "of": "sales",
    "first": "a",
    "last": "b",
    "rmse": 15.5,
    "mae": 13.0,
    "naive": {"last_season": {"rmse": 77.0, "mae": 71.0}, "season_before": {"rmse": 14.0, "mae": 20.0}},
    "baselines": {"season_growth": {"rmse": 17.0, "mae": 13.5}, "holt_winters_multiplicative": {"rmse": 13.9, "mae": 12.4}},
}


def lines_of(table):
    console = Console(width=140, record=True, file=SimpleNamespace(write=lambda text: None, flush=lambda: None))
    console.print(table)
    return [" ".join(line.replace("│", " ").split()) for line in console.export_text().splitlines()]


def test_methods_that_the_network_does_not_beat_are_named():
    lines = lines_of(closing_table({"forecast": FORECAST}))
    start = lines.index("forecast rmse 15.5 mae 13 sales, a to b")
    assert lines[start + 1 : start + 5] == [
        "naive rmse 77 mae 71 last season",
        "naive rmse 14 mae 20 season before better than the network",
        "baseline rmse 13.9 mae 12.4 holt winters multiplicative better than the network",
        "baseline rmse 17 mae 13.5 season growth",
    ]


def test_validation_rows_that_the_network_was_not_fitted_to_are_named():
    line = "baselines are fitted to the 19 validation rows, too; the network is not"
    assert line in lines_of(closing_table({"forecast": FORECAST, "validation_examples": 19}))
    for other in ({"validation_examples": 0}, {"forecast": FORECAST | {"baselines": {}}, "validation_examples": 19}):
        assert line not in lines_of(closing_table({"forecast": FORECAST} | other))


def test_a_run_of_an_earlier_version_has_no_baselines():
    earlier = {name: value for name, value in FORECAST.items() if name != "baselines"}
    assert [method for _, method, _, _ in other_forecasts(earlier)] == ["last season", "season before"]


def test_a_network_that_forecasts_nothing_beats_nothing():
    forecast = FORECAST | {"rmse": math.nan, "mae": math.nan}
    assert all(is_better for _, _, _, is_better in other_forecasts(forecast))
    assert not any(is_better for _, _, _, is_better in other_forecasts(FORECAST | {"rmse": 0.0}))


def test_several_trials_are_compared_as_one():
    better = [
        method for _, method, _, is_better in other_forecasts(FORECAST | {"together": {"rmse": 13.95, "mae": 1}}) if is_better
    ]
    assert better == ["holt winters multiplicative"]


def test_all_are_sorted_by_their_error():
    lines = lines_of(baselines_table(FORECAST | {"together": {"rmse": 15.2, "mae": 12.9}}))
    rows = [line for line in lines if line[-1:].isdigit()]
    assert rows == [
        "holt winters multiplicative 13.9 12.4",
        "season before 14 20",
        "the trials' mean forecast 15.2 12.9",
        "network 15.5 13",
        "season growth 17 13.5",
        "last season 77 71",
    ]
    diverged = baselines_table(FORECAST | {"rmse": math.inf, "mae": math.inf})
    assert [line for line in lines_of(diverged) if line][-1] == "network inf inf"


def test_a_run_that_held_nothing_out_says_so():
    assert "test nothing was held out (data.holdout=0), so nothing was tested" in lines_of(closing_table({"test_examples": 0}))
