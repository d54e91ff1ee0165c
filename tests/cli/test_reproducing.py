"""What a config changes of the defaults, and the command that trains the same."""

import shlex

import pytest

from nnjax.cli.compose import compose_train, conf_dir
from nnjax.cli.json_values import as_hydra
from nnjax.cli.reproducing import NOT_SET, command_of, told_apart, written
from nnjax.config.errors import ConfigError
from nnjax.config.parsing import config_hash, to_mapping

FILES = (conf_dir() / "experiment").glob("*.yaml")
EXPERIMENTS = sorted(path.stem for path in FILES if "override /search" not in path.read_text(encoding="utf-8"))


def words_of(config):
    command = command_of(told_apart(to_mapping(config)))
    start, *words = command.split("train", 1)
    assert start == "python -m experiments."
    return shlex.split(words[0])


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_command_of_every_experiment_trains_the_same(experiment):
    config = compose_train([f"experiment={experiment}"])
    assert config_hash(compose_train(words_of(config))) == config_hash(config)


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sales.csv", "a b.csv", '$HOME\'s "x".csv', "1e5", "1_000", "[x],{y}.csv", "a=b", "no"])
def test_a_series_of_ones_own_has_its_command(tmp_path, monkeypatch, name):
    """`data.file` has no default; and no name of a file is read as anything but a name."""
    monkeypatch.chdir(tmp_path)
    rows = "\n".join(f"{2000 + n // 12}-{n % 12 + 1:02},{100 + n + 10 * (n % 12) + n * n % 13}" for n in range(120))
    (tmp_path / name).write_text(f"month,sales\n{rows}\n")
    config = compose_train(["model=fnn", "data=series", f"data.file={as_hydra(name)}", "seed=2"])
    told = told_apart(to_mapping(config))
    assert [(change.key, change.default) for change in told.changes] == [("data.file", NOT_SET), ("seed", 0)]
    assert config_hash(compose_train(words_of(config))) == config_hash(config)


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
        ("1e5", "'1e5'"),
        ("infinity", "'infinity'"),
        ("a b", "'a b'"),
        (0.1, "0.1"),
        ([1, "x"], "[1,'x']"),
    ],
)
def test_values_are_written_in_hydras_grammar(value, text):
    assert written(value) == text
