"""The forecast of a series: made from what is known, step by step, and measured in the series' unit."""

import jax
import numpy as np
import pytest

from nnjax.checks.trials import Trial
from nnjax.cli.compose import compose_train
from nnjax.data.load import load
from nnjax.parallel.preemption import StopSignal
from nnjax.training.checkpoints import Checkpoints
from nnjax.training.clock import Clock
from nnjax.training.experiment import set_up
from nnjax.training.forecast import Forecast, errors_together, make_forecasts
from nnjax.training.loop import fit
from nnjax.training.training_progress import TrainingProgress

VALUES = np.array(load(compose_train(["data=airline", "model=fnn"]).data).series.values)


class Silent:
    def trained(self, step, metrics, examples_per_second):
        pass

    def evaluated(self, step, train, validation):
        pass

    def weights(self, step, values):
        pass


def trained(folder, values, *overrides):
    """An experiment on a file of these values, and its trained state on the devices."""
    file = folder / "made.csv"
    file.write_text("\n".join(["value", *map(str, values)]) + "\n")
    config = compose_train(
        [
            "data=series",
            f"data.file={file}",
            "data.transform=log",
            "training.duration=30steps",
            "report.figures=false",
            *overrides,
        ]
    )
    experiment, state = set_up(config, load(config.data), jax.devices()[:2])
    checkpoints = Checkpoints(folder / "checkpoints", keep=1)
    result = fit(
        experiment, state, TrainingProgress(), checkpoints=checkpoints, callback=Silent(), stop=StopSignal(), clock=Clock()
    )
    checkpoints.wait()
    return experiment, result.state


@pytest.mark.slow
@pytest.mark.parametrize("model", [["model=fnn", "model.hidden=[8]"], ["model=rnn", "model.hidden=[4]", "parallel=shard_map"]])
def test_a_step_is_fed_with_the_forecasts_before_it(tmp_path, model):
    experiment, state = trained(tmp_path, VALUES, "data.difference=1", "data.window=6", *model)
    series = experiment.dataset.series
    (forecast,) = make_forecasts(experiment, state, series)
    params, model_state = experiment.placement.fetch((state.params, state.model_state))
    values = list(VALUES[:120])
    for _ in range(24):
        window = (np.diff(np.log(values[-7:])) - series.transform.mean) / series.transform.std
        output, _ = experiment.recipe.network.apply(params, model_state, np.float32(window)[None, :, None], train=False)
        change = float(output[0, 0]) * series.transform.std + series.transform.mean
        values.append(values[-1] * np.exp(change))
    np.testing.assert_allclose(forecast.methods["network"], values[120:], rtol=1e-4)


@pytest.mark.slow
def test_held_out_values_change_neither_the_network_nor_the_forecast(tmp_path):
    others = np.concatenate([VALUES[:120], VALUES[120:][::-1] * 7])
    results = []
    for name, values in (("true", VALUES), ("others", others)):
        (tmp_path / name).mkdir()
        options = ["model=rnn", "model.hidden=[4]", "data.validation=0.2", "training.test=best"]
        experiment, state = trained(tmp_path / name, values, *options)
        (forecast,) = make_forecasts(experiment, state, experiment.dataset.series)
        results.append((experiment.placement.fetch(state.params), forecast))
    (params, first), (other_params, second) = results
    jax.tree.map(np.testing.assert_array_equal, params, other_params)
    np.testing.assert_array_equal(first.methods["network"], second.methods["network"])
    np.testing.assert_array_equal(first.methods["last_season"], second.methods["last_season"])
    assert first.errors["network"]["rmse"] < second.errors["network"]["rmse"]


@pytest.mark.slow
def test_naive_forecasts(tmp_path):
    values = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 30, 40, 50, 60, 70]
    options = ["data.window=2", "data.season=3", "data.holdout=5", "data.difference=0", "training.global_batch_size=4"]
    experiment, state = trained(tmp_path, values, "model=fnn", *options, "data.transform=none")
    (forecast,) = make_forecasts(experiment, state, experiment.dataset.series)
    assert forecast.methods["last_season"].tolist() == [10, 11, 12, 10, 11]
    assert forecast.methods["season_before"].tolist() == [10, 11, 12, 30, 40]


def test_errors_and_summary():
    methods = {"network": [13.0, 10], "last_season": [10.0, 11], "season_before": [12.0, 15]}
    labels, values = ("2024-01", "2024-02", "2024-03"), np.array([9.0, 10, 14])
    forecast = Forecast("sales", labels, values, 1, {name: np.array(ahead) for name, ahead in methods.items()})
    assert forecast.summary == {
        "of": "sales",
        "first": "2024-02",
        "last": "2024-03",
        "count": 2,
        "rmse": pytest.approx(np.sqrt((3**2 + 4**2) / 2)),
        "mae": 3.5,
        "naive": {
            "last_season": {"rmse": pytest.approx(np.sqrt(9 / 2)), "mae": 1.5},
            "season_before": {"rmse": pytest.approx(np.sqrt(5 / 2)), "mae": 1.5},
        },
    }


def test_trials_answer_together_where_they_differ_in_the_seed_alone():
    ahead = [np.array([1.0, 3.0]), np.array([3.0, 5.0]), np.array([np.inf, 0])]
    forecasts = [Forecast("x", ("a", "b", "c"), np.array([0.0, 2, 2]), 1, {"network": values}) for values in ahead]
    seeds = [Trial(seed, 0.1) for seed in range(3)]
    assert errors_together(forecasts, seeds) == {"together": {"rmse": pytest.approx(np.sqrt(2)), "mae": 1}}
    assert errors_together(forecasts, [*seeds[:2], Trial(0, 1e-6)]) == {}
    assert errors_together(forecasts[:1], seeds[:1]) == {}
