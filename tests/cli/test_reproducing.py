"""What a config changes of the defaults, and the command that trains the same."""

import shlex

import pytest

from nnjax.cli.compose import compose_train, conf_dir
from nnjax.cli.reproducing import command_of, told_apart, written
from nnjax.config.errors import ConfigError
from nnjax.config.parsing import config_hash, to_mapping

EXPERIMENTS = sorted(path.stem for path in (conf_dir() / "experiment").glob("*.yaml") if not path.stem.startswith("search_"))


def words_of(config):
    command = command_of(told_apart(to_mapping(config)))
    start, *words = command.split("train", 1)
    assert start == "python -m experiments."
    return shlex.split(words[0])


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_command_of_every_experiment_trains_the_same(experiment):
    config = compose_train([f"experiment={experiment}"])
    assert config_hash(compose_train(words_of(config))) == config_hash(config)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ([], []),
        (["seed=3", "report.figures=false", "report.page=true"], ["seed=3"]),
        (["model=fnn", "model.hidden=[64,32]"], ["model=fnn", "model.hidden=[64,32]"]),
        (["model=two_neuron", "data=textbook"], ["model=two_neuron"]),  # which chooses its data and its loss
        (["training.stop.loss_below=0.1", "training.evaluate_every=10%"], None),
        (["optimizer=sgd", "schedule=constant", "optimizer.clip_norm=1"], None),
        (["data.limit_train=80", "training.vary.learning_rate=[0.1,1e-3]"], None),
    ],
)
def test_only_what_differs_is_named(overrides, words):
    config = compose_train(overrides)
    found = words_of(config)
    assert config_hash(compose_train(found)) == config_hash(config)
    if words is not None:
        assert found == words
    else:
        assert len(found) == len(overrides)


def test_a_change_has_its_default():
    (change,) = told_apart(to_mapping(compose_train(["optimizer=sgd", "optimizer.learning_rate=0.5"]))).changes
    assert (change.key, change.default, change.value) == ("optimizer.learning_rate", 0.1, 0.5)


def test_no_folder_of_this_machine_is_in_a_command():
    config = compose_train(["data=mnist", "data.directory=/home/me/secret", "parallel.memory_limit=4GB"])
    assert words_of(config) == ["data=mnist"]


def test_keys_of_an_older_version_are_passed_over():
    values = to_mapping(compose_train(["seed=1"]))
    del values["report"], values["optimizer"]["clip_norm"]
    assert words_of_mapping(values) == ["seed=1"]


def words_of_mapping(values):
    return shlex.split(command_of(told_apart(values)))[3:]


def test_an_option_that_is_not_here_is_an_error():
    values = to_mapping(compose_train([]))
    values["model"] = {"name": "my_own", "width": 3}
    with pytest.raises(ConfigError):
        told_apart(values)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ("5epochs", "5epochs"),
        ("null", "'null'"),
        ("a b", "'a b'"),
        (0.1, "0.1"),
        ([1, "x"], "[1,'x']"),
    ],
)
def test_values_are_written_in_hydras_grammar(value, text):
    assert written(value) == text
