"""The future of a series: the network's own errors rolled forward, held to formulas and to a simulation's true intervals."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from nnjax.cli.compose import compose_train
from nnjax.config.errors import DataError
from nnjax.data.load import load
from nnjax.training import forecast_coverage
from nnjax.training.experiment import set_up
from nnjax.training.forecast import make_forecasts
from nnjax.training.forecast_paths import drawn, intervals, one_step_residuals, rolled
from nnjax.training.future_forecast import FEWEST, forecast_future, trained_rows, validation_rows

LEVELS = (0.5, 0.9)


def ar(count, phi=0.8, noise=1.0, seed=3):
    """An autoregression of the first order; its forecast's variance after h steps is noise² · Σ φ^2i, i < h."""
    random, values = np.random.default_rng(seed), [0.0]
    for _ in range(count + 50):
        values.append(phi * values[-1] + random.normal(0, noise))
    return np.array(values[-count:])


def experiment_of(folder, values, *overrides, phi=0.8, devices=1):
    """An experiment on these values whose linear network forecasts phi times the last value, in its own scale."""
    file = folder / "made.csv"
    file.write_text("\n".join(["value", *map(repr, map(float, values))]) + "\n")
    config = compose_train(
        [
            *("data=series", f"data.file={file}", "data.window=3", "data.difference=0", "data.season=4", "data.holdout=30"),
            *("data.normalize=false", "model=fnn", "model.hidden=[]", "training.duration=1steps", *overrides),
        ]
    )
    experiment, state = set_up(config, load(config.data), jax.devices()[:devices])
    host = experiment.layout.get(experiment.layout.put(state))
    kernel = host.params["output"]["kernel"]
    wanted = np.zeros((3, 1), np.float32)
    wanted[2] = phi
    params = {"output": {"kernel": np.broadcast_to(wanted, kernel.shape).copy(), "bias": 0 * host.params["output"]["bias"]}}
    return experiment, experiment.layout.put(replace(host, params=params))


def everything_known(experiment):
    return replace(experiment.dataset.series, holdout=0)


def forecast_of(experiment, state, horizon=5, **changes):
    options = {"levels": LEVELS, "paths": 400, "seed": 0, **changes}
    return forecast_future(experiment, state, everything_known(experiment), labels=["x"] * horizon, **options)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return experiment_of(tmp_path_factory.mktemp("series"), ar(400))


def test_residuals_are_targets_minus_one_step_forecasts(made):
    experiment, state = made
    series = experiment.dataset.series
    values = series.values
    found = one_step_residuals(experiment, state, series, range(100, 140))
    assert found.shape == (1, 40)
    np.testing.assert_allclose(found[0], values[100:140] - 0.8 * values[99:139], atol=1e-5)
    assert one_step_residuals(experiment, state, series, range(100, 100)).shape == (1, 0)


def test_rows_that_training_saw(made):
    experiment, _ = made
    series, spec = experiment.dataset.series, experiment.dataset.spec
    assert (trained_rows(series, spec), validation_rows(series, spec)) == (range(3, 370), range(370, 370))


def test_draws_are_of_each_trial_s_own_residuals_without_their_mean():
    residuals = np.array([[1.0, 2, 6], [10, 20, 60]])
    found = drawn(residuals, origins=2, paths=500, horizon=7, seed=1)
    assert found.shape == (2, 2, 500, 7)
    assert sorted(set(found[0].ravel().tolist())) == [-2, -1, 3]
    assert sorted(set(found[1].ravel().tolist())) == [-20, -10, 30]
    np.testing.assert_array_equal(found, drawn(residuals, origins=2, paths=500, horizon=7, seed=1))
    assert (found != drawn(residuals, origins=2, paths=500, horizon=7, seed=2)).any()


def test_errors_become_inputs_of_the_steps_after_them(made):
    experiment, state = made
    windows = np.array([[[9], [9], [1]], [[9], [9], [-2]]], np.float32)
    noise = np.zeros((1, 2, 2, 3), np.float32)
    noise[0, 1, 1, 0] = 1
    found = rolled(experiment, state, windows, noise)
    np.testing.assert_allclose(found[0, 0, 0], [0.8, 0.64, 0.512], rtol=1e-5)
    np.testing.assert_allclose(found[0, 1, 0], [-1.6, -1.28, -1.024], rtol=1e-5)
    np.testing.assert_allclose(found[0, 1, 1], [-0.6, -0.48, -0.384], rtol=1e-5)


def test_the_forecast_is_that_of_the_test_where_it_starts_there(made):
    experiment, state = made
    series = experiment.dataset.series
    (tested,) = make_forecasts(experiment, state, series)
    cut = replace(series, values=series.known, holdout=0)
    future = forecast_future(experiment, state, cut, labels=["x"] * 30, levels=LEVELS, paths=100, seed=0)
    np.testing.assert_allclose(future.values, tested.methods["network"], rtol=1e-5)
    assert future.spread.tolist() == [0] * 30


@pytest.mark.slow
def test_intervals_are_as_wide_as_the_formula_says(made):
    experiment, state = made
    future = forecast_of(experiment, state, horizon=8, paths=20_000)
    scale = future.residuals.std()
    expected = scale * np.sqrt(np.cumsum(0.8 ** (2 * np.arange(8))))
    last = everything_known(experiment).values[-1]
    np.testing.assert_allclose(future.values, last * 0.8 ** np.arange(1, 9), rtol=1e-4)
    normal = {0.5: 0.6745, 0.9: 1.6449}  # of sums of many errors
    for level, quantile in normal.items():
        width = (future.upper[level] - future.lower[level]) / 2
        np.testing.assert_allclose(width[3:], quantile * expected[3:], rtol=0.08)
    assert future.source == "unseen"
    assert future.residuals.shape == (1, 30)


def test_a_process_of_known_noise_lies_inside_as_often_as_the_level_says(tmp_path):
    experiment, state = experiment_of(tmp_path, ar(1500, seed=8), "data.holdout=500")
    future = forecast_of(experiment, state, horizon=4, paths=1000)
    measured = {found.rows: found for found in future.coverage}
    assert set(measured) == {"held_out", "held_out_rolling", "held_out_halves", "trained"}
    for name in ("held_out", "trained"):
        for level in LEVELS:
            share = measured[name].inside[level] / measured[name].count
            assert share == pytest.approx(level, abs=0.12), name
    assert measured["held_out"].count == 500
    assert measured["trained"].origins == 30
    assert measured["trained"].width[0.9] > measured["trained"].width[0.5] > 0


def test_origins_are_the_rows_that_they_say(made):
    """From the last known row, 370 rows, on; and from evenly spaced ones up to the last with a whole horizon after it."""
    labels = made[0].dataset.series.labels
    measured = {found.rows: found for found in forecast_of(*made, horizon=5).coverage}
    assert (measured["held_out"].first, measured["held_out"].horizon, measured["held_out"].distinct) == (labels[369], 30, 30)
    rolling = measured["held_out_rolling"]
    assert (rolling.first, rolling.origins, rolling.count, rolling.distinct) == (labels[369], 26, 130, 30)
    assert (measured["trained"].first, measured["trained"].origins) == (labels[2], 30)


def test_the_same_seed_gives_the_same_intervals_and_another_one_others(made):
    first, second, other = (forecast_of(*made, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.upper[0.9], second.upper[0.9])
    assert (first.upper[0.9] != other.upper[0.9]).all()
    np.testing.assert_array_equal(first.values, other.values)


def test_few_rows_that_training_did_not_see_are_left_out(tmp_path):
    experiment, state = experiment_of(tmp_path, ar(120), f"data.holdout={FEWEST - 1}")
    assert forecast_of(experiment, state).source == "trained"
    assert forecast_of(experiment, state, source="unseen").residuals.shape == (1, FEWEST - 1)


def test_nothing_held_out_is_forecast_all_the_same(tmp_path):
    experiment, state = experiment_of(tmp_path, ar(120), "data.holdout=0")
    future = forecast_of(experiment, state)
    assert [found.rows for found in future.coverage] == ["trained"]
    with pytest.raises(DataError, match=r"^residuals=unseen: there is no such row"):
        forecast_of(experiment, state, source="unseen")


def test_validation_rows_measure_beside_the_training_s(tmp_path):
    experiment, state = experiment_of(tmp_path, ar(200), "data.validation=0.2", "data.holdout=10")
    future = forecast_of(experiment, state)
    assert [(found.rows, found.source) for found in future.coverage if found.rows == "held_out"] == [
        ("held_out", "unseen"),
        ("held_out", "trained"),
    ]
    assert future.residuals.shape == (1, 37 + 10)
    assert [found.source for found in forecast_of(experiment, state, source="trained").coverage] == ["trained"] * 3


@pytest.mark.slow
@pytest.mark.parametrize("wrapper", ["parallel=pmap", "parallel=shard_map"])
@pytest.mark.parametrize(("trials", "devices"), [(3, 2), (2, 2), (2, 1)])
def test_several_trials_answer_as_one(tmp_path, wrapper, trials, devices):
    experiment, state = experiment_of(tmp_path, ar(120), f"training.seeds={trials}", wrapper, devices=devices)
    host = experiment.layout.get(state)
    kernel = host.params["output"]["kernel"].copy()
    kernel[1:] *= 0.5  # other trials forget faster
    state = experiment.layout.put(replace(host, params={**host.params, "output": {**host.params["output"], "kernel": kernel}}))
    future = forecast_of(experiment, state, horizon=2)
    last = everything_known(experiment).values[-1]
    expected = last * np.array([[0.8, 0.64], *[[0.4, 0.16]] * (trials - 1)])
    np.testing.assert_allclose(future.trials, expected, rtol=1e-4)
    np.testing.assert_allclose(future.values, expected.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(future.spread, expected.std(axis=0, ddof=1), rtol=1e-3)
    assert future.residuals.shape == (trials, 30)


def test_a_trial_that_diverged_is_left_out(tmp_path):
    experiment, state = experiment_of(tmp_path, ar(120), "training.seeds=2")
    host = experiment.layout.get(state)
    bias = host.params["output"]["bias"].copy()
    bias[1] = np.nan
    params = {"output": {**host.params["output"], "bias": bias}}
    future = forecast_of(experiment, experiment.layout.put(replace(host, params=params)))
    assert future.diverged == (1,)
    assert np.isfinite(future.values).all()
    assert np.isfinite(future.upper[0.9]).all()
    bias[:] = np.nan
    with pytest.raises(DataError, match="the forecast of value is not finite"):
        forecast_of(experiment, experiment.layout.put(replace(host, params=params)))


def with_outputs(state, experiment, change):
    """The state with other parameters of the output layer."""
    host = experiment.layout.get(state)
    output = {name: np.array(values) for name, values in host.params["output"].items()}
    change(output)
    return experiment.layout.put(replace(host, params={**host.params, "output": output}))


def test_the_errors_of_the_intervals_are_measured_where_no_validation_row_is(made):
    """The first half's errors, on the second half: neither the training's, nor those of the rows compared."""
    experiment, state = made
    future = forecast_of(experiment, state, horizon=4)
    (halves,) = [found for found in future.coverage if found.rows == "held_out_halves"]
    assert (halves.source, halves.residuals, halves.horizon) == ("unseen", 15, 4)
    assert (halves.origins, halves.count, halves.distinct) == (12, 48, 15)  # from the rows 385 to 396
    assert halves.first == experiment.dataset.series.labels[384]
    assert "held_out_halves" not in [found.rows for found in forecast_of(experiment, state, source="trained").coverage]


@pytest.mark.slow
def test_an_outlier_widens_the_intervals_made_of_its_half_alone(tmp_path):
    widths = []
    for outlier in (None, 374, 390):  # the held-out rows are 370 to 399
        values = ar(400)
        if outlier:
            values[outlier] += 100
        experiment, state = experiment_of(tmp_path, values)
        (halves,) = [found for found in forecast_of(experiment, state).coverage if found.rows == "held_out_halves"]
        widths.append(halves.width[0.9])
    assert widths[1] > 3 * widths[0]
    assert widths[2] == pytest.approx(widths[0], rel=1e-3)


def test_one_error_alone_makes_no_intervals(tmp_path):
    experiment, state = experiment_of(tmp_path, ar(120), "data.holdout=1")
    with pytest.raises(
        DataError, match=r"^residuals=unseen: there is one such row, whose error alone gives intervals no width"
    ):
        forecast_of(experiment, state, source="unseen")
    assert {found.source for found in forecast_of(experiment, state).coverage} == {"trained"}


def test_a_course_that_runs_away_is_left_out_and_counted():
    courses = np.array([[1.0, 1], [2, 2], [3, 3], [0, np.nan], [np.inf, 5]])
    lower, upper, lost = intervals(courses, (0.5,))
    assert (lower[0.5].tolist(), upper[0.5].tolist(), lost) == ([1.5, 1.5], [2.5, 2.5], 2)
    lower, upper, lost = intervals(courses[3:], (0.5,))
    assert lost == 2
    assert np.isnan([*lower[0.5], *upper[0.5]]).all()


def test_intervals_of_courses_that_run_away_stay_numbers(tmp_path):
    """The last value is 0, and so is the forecast; float32 ends along the courses with the larger errors."""
    values = ar(120)
    values[-1] = 0
    experiment, state = experiment_of(tmp_path, values, "data.transform=none")

    def steep(output):
        output["kernel"][2] = 5e7

    future = forecast_of(experiment, with_outputs(state, experiment, steep), horizon=5)
    assert np.isfinite(future.values).all()
    assert 0 < future.lost < future.courses == 400
    assert np.isfinite([*future.lower[0.9], *future.upper[0.9]]).all()
    assert all(np.isfinite(found.width[0.9]) for found in future.coverage if found.horizon <= 5)


def test_an_error_that_most_rows_share_is_known(made):
    experiment, state = made

    def shifted(output):
        output["bias"][:] = 3.0

    mean, error = forecast_of(experiment, with_outputs(state, experiment, shifted)).bias
    fair_mean, fair_error = forecast_of(experiment, state).bias
    assert mean == pytest.approx(fair_mean - 3, abs=1e-4)
    assert error == pytest.approx(fair_error, rel=1e-4)
    assert abs(fair_mean) < 2 * fair_error < 2


@pytest.mark.slow
@pytest.mark.parametrize("validation", ["data.validation=0.2", "data.validation=0"])
def test_trials_of_another_learning_rate_do_not_answer(tmp_path, validation):
    varied = "training.vary.learning_rate=[0.03,0.000001]"
    experiment, state = experiment_of(tmp_path, ar(200), "training.seeds=2", varied, validation)

    def untrained(output):
        output["kernel"][2:] = -5.0  # the trials of the second rate

    future = forecast_of(experiment, with_outputs(state, experiment, untrained), horizon=2)
    last = everything_known(experiment).values[-1]
    assert (future.used, future.learning_rate, future.diverged) == ((0, 1), 0.03, ())
    np.testing.assert_allclose(future.values, last * np.array([0.8, 0.64]), rtol=1e-4)
    assert future.spread.tolist() == [0, 0]
    assert future.courses == 400


@pytest.mark.slow
def test_measurements_of_many_values_are_made_in_parts(made, monkeypatch):
    whole = forecast_of(*made).coverage
    monkeypatch.setattr(forecast_coverage, "_MOST_AT_ONCE", 400 * 5 * 7)  # seven origins
    sizes, draw = [], forecast_coverage.drawn
    monkeypatch.setattr(
        forecast_coverage, "drawn", lambda *about, **options: sizes.append(options["origins"]) or draw(*about, **options)
    )
    parts = forecast_of(*made).coverage
    assert max(sizes) == 7
    for one, other in zip(whole, parts, strict=True):
        assert (one.rows, one.count, one.first) == (other.rows, other.count, other.first)
        assert other.width[0.9] == pytest.approx(one.width[0.9], rel=0.1)


def test_of_very_many_rows_at_once_the_first_are_measured(made, monkeypatch):
    """A newer file of 40 000 rows took 1.7 GB."""
    monkeypatch.setattr(forecast_coverage, "_MOST_AT_ONCE", 400 * 12)
    experiment, state = made
    series = everything_known(experiment)
    longer = replace(series, values=np.concatenate([series.values, ar(40, seed=5)]), labels=series.labels + ("n",) * 40)
    future = forecast_future(experiment, state, longer, labels=["x"], levels=LEVELS, paths=400, seed=0, newer=40)
    at_once = [found for found in future.coverage if found.rows in ("held_out", "newer")]
    assert [(found.horizon, found.count) for found in at_once] == [(12, 12)] * 3
    assert [found.first for found in at_once] == [series.labels[369], series.labels[399], series.labels[399]]


def test_newer_rows_are_measured_and_their_errors_used(made):
    experiment, state = made
    series = everything_known(experiment)
    longer = replace(series, values=np.concatenate([series.values, ar(40, seed=5)]), labels=series.labels + ("n",) * 40)
    future = forecast_future(experiment, state, longer, labels=["x"], levels=LEVELS, paths=100, seed=0, newer=40)
    assert future.residuals.shape == (1, 70)
    values = longer.values
    np.testing.assert_allclose(future.residuals[0, 30:], values[400:] - 0.8 * values[399:439], atol=1e-5)
    np.testing.assert_allclose(future.residuals[0, :30], values[370:400] - 0.8 * values[369:399], atol=1e-5)
    newer, trained = [found for found in future.coverage if found.rows == "newer"]
    assert (newer.source, newer.residuals, trained.source) == ("unseen", 30, "trained")
    assert newer.first == series.labels[399]
    assert (newer.origins, newer.horizon, newer.count) == (1, 40, 40)
