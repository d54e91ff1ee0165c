"""Trials: which there are, and what does not go together with them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.checks.experiment_checks import check_config
from nnjax.checks.trials import Trial, num_trials, trials
from nnjax.cli.compose import compose_train
from nnjax.config.errors import ConfigError
from nnjax.config.schema import Vary


def checked(*overrides):
    check_config(compose_train(list(overrides)))


def test_every_learning_rate_meets_every_seed():
    config = compose_train(["seed=5", "training.seeds=2", "training.vary.learning_rate=[0.1,0.3]"])
    assert trials(config) == (Trial(5, 0.1), Trial(6, 0.1), Trial(5, 0.3), Trial(6, 0.3))
    assert trials(compose_train(["seed=5", "optimizer.learning_rate=0.2"])) == (Trial(5, 0.2),)


DEFAULT = compose_train([])


@given(seeds=st.integers(1, 9), rates=st.none() | st.lists(st.floats(1e-6, 10), min_size=2, max_size=4, unique=True))
def test_there_are_as_many_as_are_counted_and_no_two_are_alike(seeds, rates):
    training = replace(DEFAULT.training, seeds=seeds, vary=Vary(rates and tuple(rates)))
    config = replace(DEFAULT, training=training)
    assert len(set(trials(config))) == len(trials(config)) == num_trials(config)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ("training.seeds=0", "training.seeds=0: must be a whole number of at least 1"),
        ("training.seeds=-1", "training.seeds=-1: must be a whole number of at least 1"),
        (
            "training.vary.learning_rate=[]",
            "training.vary.learning_rate=[]: must hold at least two learning rates; null varies",
        ),
        (
            "training.vary.learning_rate=[0.1]",
            "training.vary.learning_rate=[0.1]: must hold at least two learning rates; optimizer.learning_rate=0.1 sets one",
        ),
        (
            "training.vary.learning_rate=[1,1]",
            "training.vary.learning_rate=[1.0,1.0]: holds 1 2 times; training.seeds=2 repeats",
        ),
        ("training.vary.learning_rate=[1,-1]", "training.vary.learning_rate.1=-1.0: must be a number greater than 0"),
        (
            "training.seeds=2 seed=4294967295",
            "seed=4294967295: with training.seeds=2 the last seed is 4294967296; must be at most",
        ),
        ("training.seeds=2 debug=strict", "debug.strict=true: works with one network only; training.seeds=2 trains more"),
        (
            "training.seeds=2 training.test=best data.validation=0.1",
            "training.test=best: training.seeds=2 trains trials whose best steps differ; choose training.test=last",
        ),
        (
            "training.vary.learning_rate=[1,2] training.stop.patience=3",
            "training.stop.patience=3: 2 values of training.vary.learning_rate trains trials that end together",
        ),
        (
            "training.seeds=2 parallel.devices=3",  # too few to give each device one
            "training.global_batch_size=64: parallel.devices=3 does not divide it; choose 63 or 66",
        ),
    ],
)
def test_what_does_not_go_together(overrides, said):
    with pytest.raises(ConfigError) as error:
        checked(*overrides.split())
    assert str(error.value).startswith(said)


def test_what_does():
    checked("training.seeds=3", "parallel.devices=3")  # whole trials on each device, so no batch is split
    checked("training.seeds=4294967295", "seed=1", "parallel.memory_limit=off")
    checked("optimizer=textbook", "training.vary.learning_rate=[-1,-0.5]")
