import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from searches import DROPOUT, RANGE, RATE, search

from nnjax.config.parsing import parse, to_mapping
from nnjax.config.schema import TrainConfig
from nnjax.searching.space import distributions, experiment_of, grid, text_of, values_of, with_values

LAYERS = "{key: model.hidden, choices: [[16], [32, 16]]}"
BATCH = "{key: training.global_batch_size, low: 16, high: 64, step: 16}"
ACTIVATION = "{key: activation, choices: [relu, tanh]}"


def test_ranges_become_optuna_s_by_the_type_of_their_key():
    assert distributions(search(space=(RANGE, DROPOUT, BATCH, LAYERS, ACTIVATION))) == {
        RATE: FloatDistribution(1e-4, 0.1, log=True),
        "model.dropout": FloatDistribution(0.0, 0.5),
        "training.global_batch_size": IntDistribution(16, 64, step=16),
        "model.hidden": CategoricalDistribution(("[16]", "[32, 16]")),
        "activation": CategoricalDistribution(("relu", "tanh")),
    }


def test_a_key_may_be_an_item_of_a_list():
    config = search("model.hidden=[8,8]", space=("{key: model.hidden.1, low: 4, high: 6}",))
    assert distributions(config) == {"model.hidden.1": IntDistribution(4, 6)}
    assert with_values(experiment_of(config), {"model.hidden.1": 5}, {})["model"]["hidden"] == [8, 5]


def test_choices_come_back_as_they_stand_in_the_config():
    space = search(space=(LAYERS, ACTIVATION)).search.space
    assert values_of(space, {"model.hidden": "[32, 16]", "activation": "tanh"}) == {
        "model.hidden": [32, 16],
        "activation": "tanh",
    }
    assert [text_of(value) for value in (True, 3, "a", None, [{"features": 4}])] == [
        *("true", "3", "a", "null", '[{"features": 4}]')
    ]


def test_values_are_set_in_a_copy_and_options_before_their_keys():
    config = search("optimizer=sgd")
    base = experiment_of(config)
    before = to_mapping(config)
    options = {"optimizer=adam": {**base["optimizer"], "name": "adam", "learning_rate": 0.5}}
    changed = with_values(base, {RATE: 0.25, "optimizer": "adam"}, options)
    assert changed["optimizer"] == {**options["optimizer=adam"], "learning_rate": 0.25}
    assert base == experiment_of(config)
    assert to_mapping(config) == before


def test_the_experiment_is_one_that_train_takes():
    config = search("seed=3")
    experiment = parse(TrainConfig, experiment_of(config))
    assert (experiment.seed, experiment.model, experiment.resume) == (3, config.model, None)


def test_a_grid_takes_both_ends_and_the_last_key_changes_fastest():
    points = list(grid(search(space=(RANGE, DROPOUT))))
    assert len(points) == 12
    assert points[0] == {RATE: 1e-4, "model.dropout": 0.0}
    assert points[1] == {RATE: 1e-4, "model.dropout": 0.25}
    assert [point[RATE] for point in points[::3]] == pytest.approx([1e-4, 1e-3, 1e-2, 0.1])
    assert points[-1] == {RATE: 0.1, "model.dropout": 0.5}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("item", "values"),
    [
        ("{key: training.global_batch_size, low: 16, high: 64, step: 16}", [16, 32, 48, 64]),
        ("{key: training.global_batch_size, low: 16, high: 18}", [16, 17, 18]),
        ("{key: training.global_batch_size, low: 1, high: 100, log: true, points: 3}", [1, 10, 100]),
        ("{key: model.dropout, low: 0.1, high: 0.4, step: 0.1}", [0.1, 0.2, 0.3, 0.4]),
        ("{key: model.dropout, low: 0.1, high: 0.4, points: 1}", [0.25]),
        ("{key: activation, choices: [relu, tanh]}", ["relu", "tanh"]),
    ],
)
def test_the_points_of_one_range(item, values):
    config = search(space=(item,))
    points = [next(iter(point.values())) for point in grid(config)]
    assert points == (values if isinstance(values[0], str) else pytest.approx(values))
    (distribution,) = distributions(config).values()
    assert all(distribution._contains(distribution.to_internal_repr(point)) for point in points)
