import pytest

from nnjax.checks import search_checks
from nnjax.checks.search_checks import check_search, grid_size
from nnjax.checks.search_space import annotation_of, is_choice_of_options, number_kind
from nnjax.cli.compose import compose_config
from nnjax.config.errors import ConfigError
from nnjax.config.search_options import SearchConfig

RATE = "{key: optimizer.learning_rate, low: 1e-4, high: 0.1, log: true, points: 4}"
DROPOUT = "{key: model.dropout, low: 0.0, high: 0.5, points: 3}"


def search(*overrides, space=(RATE, DROPOUT)):
    return compose_config("search", ["model=fnn", f"search.space=[{','.join(space)}]", *overrides], SearchConfig)


def test_what_goes_together():
    for overrides in (
        [],
        ["search.sampler=cmaes"],
        ["search.sampler=grid"],
        ["search.objectives=[loss]"],
        ["search.objectives=[error,parameters,flops,seconds]", "search.pruner=none"],
        ["search.generation=6", "search.rates=3"],
    ):
        check_search(search(*overrides))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("{key: optimizer.lr, low: 1, high: 2}", "key=optimizer.lr: unknown key; did you mean optimizer.learning_rate?"),
        (
            "{key: optimizer.momentum, low: 0, high: 0.9}",
            "key=optimizer.momentum: unknown key for optimizer=adam; optimizer=sgd, optimizer=muon, optimizer=muon_sgd can",
        ),
        ("{key: model.hidden.1, low: 1, high: 2}", "key=model.hidden.1: unknown key"),
        ("{key: seed, low: 1, high: 2}", "key=seed: cannot be searched: a search compares settings, not seeds"),
        ("{key: training.vary.learning_rate, choices: [[1,2],[3]]}", "key=training.vary.learning_rate: cannot be searched"),
        ("{key: data.limit_train, low: 100, high: 200}", "key=data.limit_train: cannot be searched: the data is the same"),
        ("{key: parallel.devices, low: 1, high: 2}", "key=parallel.devices: cannot be searched: it changes the time"),
        ("{key: search.trials, low: 1, high: 2}", "key=search.trials: cannot be searched"),
        ("{key: model.dropout}", "low=null: must be a number; a range has low and high, or choices"),
        ("{key: model.dropout, low: 0.5, high: 0.5}", "high=0.5: must be greater than low, 0.5"),
        ("{key: model.dropout, low: 0, high: 0.5, log: true}", "low=0.0: must be greater than 0 with log: true"),
        ("{key: model.dropout, low: 0.1, high: 0.5, log: true, step: 0.1}", "step=0.1: does not go with log: true"),
        (
            "{key: model.dropout, low: 0, high: 0.5, step: 0.2}",
            "step=0.2: must lead from low, 0, to high in whole steps; high=0.4",
        ),
        ("{key: training.global_batch_size, low: 16.5, high: 32}", "low=16.5: must be a whole number"),
        ("{key: training.global_batch_size, low: 16, high: 32, step: 0.5}", "step=0.5: must be a whole number"),
        ("{key: model.hidden, low: 16, high: 32}", "key=model.hidden: holds no number; give choices"),
        ("{key: activation, low: 16, high: 32}", "key=activation: holds no number; give choices"),
        ("{key: activation, choices: [relu, tahn]}", "choices.1=tahn: must be one of relu, tanh,"),
        ("{key: activation, choices: [relu]}", "choices=[relu]: must hold at least two values, all different"),
        ("{key: model.hidden, choices: [[8], [8]]}", "choices=[[8],[8]]: must hold at least two values, all different"),
        ("{key: model.hidden, choices: [[8], [9]], low: 1}", "low=1.0: belongs to a range; model.hidden has choices"),
        ("{key: model.dropout, low: 0, high: .5, setp: 1}", "setp=1: unknown key; did you mean"),
    ],
)
def test_a_range_that_is_refused(item, message):
    with pytest.raises(ConfigError) as caught:
        search(space=(item,))
    assert str(caught.value).startswith(f"search.space.0.{message}")


def test_one_choice_is_not_answered_with_a_list_of_one_which_is_refused_too():
    with pytest.raises(ConfigError) as caught:
        search(space=("{key: activation, choices: relu}",))
    assert "write" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["search.space=[]"], "search.space=[]: needs at least one range"),
        ([f"search.space=[{RATE},{RATE}]"], "search.space=[optimizer.learning_rate,optimizer.learning_rate]: has opt"),
        (["data.validation=0"], "data.validation=0.0: a search is decided on the validation split, never on the test split"),
        (["search.objectives=[]"], "search.objectives=[]: needs at least one of error, loss"),
        (["search.objectives=[error,error]"], "search.objectives=[error,error]: must be different ones"),
        (["search.objectives=[parameters]"], "search.objectives=[parameters]: needs error or loss"),
        (["search.objectives=[error,loss]"], "search.pruner=median: judges by one objective"),
        (["search.objectives=[accuracy]"], "search.objectives.0=accuracy: must be one of error, loss,"),
        (
            ["data=synthetic", "data.task=regression", "data.outputs=1", "loss=mse"],
            "search.objectives=[error]: error needs classes; data=synthetic has values; choose loss",
        ),
        (
            ["search.space=[{key: loss.label_smoothing, low: 0, high: 0.2}]", "search.objectives=[loss]"],
            "search.space.0.key=loss.label_smoothing: losses of different kinds cannot be compared; choose error",
        ),
        (["training.vary.learning_rate=[0.1,0.2]"], "training.vary.learning_rate=[0.1,0.2]: a search gives each trial its own"),
        (["search.sampler=cmaes", f"search.space=[{RATE}]"], "search.sampler=cmaes: needs at least two ranges"),
        (
            ["search.sampler=cmaes", f"search.space=[{RATE},{{key: activation, choices: [relu,tanh]}}]"],
            "search.sampler=cmaes: needs ranges of numbers; activation has choices",
        ),
        (
            ["search.sampler=cmaes", "search.objectives=[error,flops]", "search.pruner=none"],
            "search.sampler=cmaes: minimises one objective",
        ),
        (
            ["search.sampler=grid", "search.space=[{key: model.dropout, low: 0, high: 0.5}]"],
            "search.space.0.points=null: a grid needs points or step for model.dropout",
        ),
        (
            ["search.sampler=grid", "search.space=[{key: model.dropout, low: 0, high: 0.5, points: 1000000}]"],
            "search.sampler=grid: has 1,000,000 points; must be at most 100,000",
        ),
        (["search.rates=2"], "search.rates=2: must divide search.generation=1"),
        (
            ["search.rates=2", "search.generation=4", f"search.space=[{DROPOUT}]"],
            "search.rates=2: needs optimizer.learning_rate",
        ),
        (["search.rates=2", "search.generation=4", "search.sampler=grid"], "search.rates=2: a grid has its own order"),
        (["parallel.processes=2"], "parallel.processes=2: a search runs in one process; start it again with resume=FOLDER"),
        (["resume=auto"], "resume=auto: must be the folder of a search"),
        (["search.trials=0"], "search.trials=0: must be a whole number of at least 1"),
    ],
)
def test_a_search_that_is_refused(overrides, message):
    with pytest.raises(ConfigError) as caught:
        search(*overrides)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(("module", "name"), [("optuna", "Optuna"), ("cmaes", "cmaes")])
def test_a_library_that_is_missing_is_named(monkeypatch, module, name):
    monkeypatch.setattr(search_checks, "find_spec", lambda wanted: None if wanted == module else object())
    with pytest.raises(ConfigError, match=rf"search\.sampler=cmaes: needs {name}, which is not installed"):
        search("search.sampler=cmaes")


def test_the_kind_of_a_key():
    config = search("model.hidden=[8,8]")
    assert [
        number_kind(config, key) for key in ("optimizer.learning_rate", "training.global_batch_size", "model.hidden.0")
    ] == [*(float, int, int)]
    assert number_kind(config, "optimizer.clip_norm") is float  # or null
    assert number_kind(config, "training.duration") is None
    assert is_choice_of_options(config, "schedule")
    assert not is_choice_of_options(config, "training")
    with pytest.raises(KeyError):
        annotation_of(config, "model.hidden.2")


def test_the_size_of_a_grid():
    assert grid_size(search()) == 12
    assert grid_size(search(space=("{key: training.global_batch_size, low: 16, high: 64, step: 16}",))) == 4
