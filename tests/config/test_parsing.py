import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnjax.config.errors import ConfigError
from nnjax.config.options import FNN, ConvBlock
from nnjax.config.parsing import config_hash, keys_of, parse, to_mapping
from nnjax.config.schema import EvaluateConfig, PrepareConfig, TrainConfig
from nnjax.config.suggest import ALIASES, suggest
from nnjax.config.training_options import Adam
from nnjax.config.types import LARGEST_INT, Bounds, Duration, MemorySize

Values = Callable[..., dict[str, Any]]
GONE = "<deleted>"

# group choices, keys changed, the first line of the message
BAD_VALUES = [
    # numbers
    ("", {"optimizer.learning_rate": "abc"}, "optimizer.learning_rate=abc: must be a number greater than 0"),
    ("", {"optimizer.learning_rate": -1}, "optimizer.learning_rate=-1: must be a number greater than 0"),
    ("", {"optimizer.learning_rate": 0.0}, "optimizer.learning_rate=0.0: must be a number greater than 0"),
    ("", {"optimizer.learning_rate": None}, "optimizer.learning_rate=null: must be a number greater than 0"),
    ("", {"optimizer.learning_rate": True}, "optimizer.learning_rate=true: must be a number greater than 0"),
    ("", {"optimizer.learning_rate": [0.1]}, "optimizer.learning_rate=[0.1]: must be a number greater than 0"),
    ("", {"optimizer.learning_rate": float("nan")}, "optimizer.learning_rate=nan: must be a number greater than 0"),
    (
        "",
        {"optimizer.learning_rate": float("inf")},
        "optimizer.learning_rate=inf: must be a number greater than 0, and finite",
    ),
    ("", {"optimizer.learning_rate": 10**400}, f"optimizer.learning_rate=1{'0' * 58}…: must be a number greater than 0"),
    ("", {"optimizer.b1": 1.0}, "optimizer.b1=1.0: must be a number of at least 0 and less than 1"),
    ("", {"optimizer.clip_norm": 0}, "optimizer.clip_norm=0: must be a number greater than 0, or null"),
    ("", {"data.validation": 0.95}, "data.validation=0.95: must be a number of at least 0 and at most 0.9"),
    ("", {"training.global_batch_size": 0}, "training.global_batch_size=0: must be a whole number of at least 1"),
    ("", {"training.global_batch_size": 2.5}, "training.global_batch_size=2.5: must be a whole number of at least 1"),
    ("", {"training.global_batch_size": "6_4"}, "training.global_batch_size=6_4: must be a whole number of at least 1"),
    ("", {"data.limit_train": 1e3}, "data.limit_train=1000.0: must be a whole number of at least 1, written 1000, or null"),
    ("", {"seed": -1}, "seed=-1: must be a whole number of at least 0 and at most 4294967295"),
    ("", {"seed": 2**32}, "seed=4294967296: must be a whole number of at least 0 and at most 4294967295"),
    ("", {"seed": True}, "seed=true: must be a whole number of at least 0 and at most 4294967295"),
    ("", {"parallel.devices": 0}, "parallel.devices=0: must be a whole number of at least 1, or auto"),
    ("", {"parallel.devices": "all"}, "parallel.devices=all: must be a whole number of at least 1, or auto"),
    # text, truth values, choices
    ("", {"resume": 7}, "resume=7: must be text, or null"),
    ("", {"data.normalize": 1}, "data.normalize=1: must be true or false"),
    ("", {"data.normalize": "yes"}, "data.normalize=yes: must be true or false"),
    (
        "",
        {"training.precision": "float16"},
        "training.precision=float16: must be one of float32, bfloat16; did you mean bfloat16?",
    ),
    ("", {"training.precision": None}, "training.precision=null: must be one of float32, bfloat16"),
    ("", {"parallel.platform": "gpus"}, "parallel.platform=gpus: must be one of auto, cpu, gpu, tpu; did you mean gpu?"),
    ("", {"model.name": "cn"}, "model.name=cn: must be one of two_neuron, neurons, fnn, cnn, airbench, rnn; did you mean cnn?"),
    (
        "",
        {"model.name": ["cnn"]},
        "model.name=[cnn]: must be one of two_neuron, neurons, fnn, cnn, airbench, rnn; did you mean cnn?",
    ),
    ("", {"debug.name": True}, "debug.name=true: must be one of off, fast, overfit, strict, profile"),
    # sizes
    ("", {"parallel.memory_limit": 12}, "parallel.memory_limit=12: must be one of auto, off, or a size such as 12GB"),
    ("", {"parallel.memory_limit": "12GBs"}, "parallel.memory_limit=12GBs: must be one of auto, off, or a size such as 12GB"),
    (
        "model=fnn",
        {"model.hidden": [8, 2**63]},
        "model.hidden.1=9223372036854775808: must be at most 9223372036854775807",
    ),
    ("", {"training.seeds": 10**300}, f"training.seeds={'1' + '0' * 58}…: must be at most 9223372036854775807"),
    ("", {"training.seeds": "1" * 5000}, f"training.seeds={'1' * 59}…: must be a whole number of at least 1"),
    # durations
    (
        "",
        {"training.duration": 10},
        "training.duration=10: must be a number and a unit, such as 500steps, 10epochs, 50000examples or 5%",
    ),
    ("", {"training.duration": "0epochs"}, "training.duration=0epochs: must be greater than zero"),
    ("", {"training.duration": "1.5steps"}, "training.duration=1.5steps: must be a whole number of steps"),
    ("schedule=onecycle", {"schedule.warmup": "120%"}, "schedule.warmup=120%: must be at most 100%"),
    (
        "",
        {"training.checkpoint_every": "daily"},
        "training.checkpoint_every=daily: must be a number and a unit, such as 500steps, 10epochs, 50000examples or 5%, "
        "or null",
    ),
    ("schedule=step", {"schedule.boundaries": ["0%"]}, "schedule.boundaries.0=0%: must be greater than zero"),
    # lists and groups
    ("", {"model.dense": 256}, "model.dense=256: must be a list, each item a whole number of at least 1"),
    ("", {"model.dense": "256"}, "model.dense=256: must be a list, each item a whole number of at least 1"),
    ("", {"model.dense": [256, 0]}, "model.dense.1=0: must be a whole number of at least 1"),
    ("", {"model.blocks.1.features": "x"}, "model.blocks.1.features=x: must be a whole number of at least 1"),
    ("", {"model.blocks": [{}]}, "model.blocks.0.features: missing; must be a whole number of at least 1"),
    (
        "",
        {"model.blocks": [3]},
        "model.blocks.0=3: must be a group of features, kernel, convolutions, pool, pooling, batch_norm, dropout",
    ),
    ("model=two_neuron", {"data.inputs": [1, 2]}, "data.inputs.0=1: must be a list, each item a number"),
    ("", {"training.stop": None}, "training.stop=null: must be a group of loss_below, accuracy_above, patience, max_seconds"),
    ("", {"optimizer": 3}, "optimizer=3: must be one of sgd, textbook, adam, adamw, lion, muon, muon_sgd"),
    (
        "",
        {"loss": "mse"},
        "loss=mse: only the command line chooses so; in a file, write 'override /loss: mse' under defaults",
    ),
    # missing
    ("", {"model.head": GONE}, "model.head: missing; must be one of flatten, average, max"),
    ("", {"model.head": "???"}, "model.head: missing; must be one of flatten, average, max"),
    ("", {"optimizer": GONE}, "optimizer: missing; must be one of sgd, textbook, adam, adamw, lion, muon, muon_sgd"),
    ("", {"optimizer.name": GONE}, "optimizer.name: missing; must be one of sgd, textbook, adam, adamw, lion, muon, muon_sgd"),
    # unknown, by spelling
    ("", {"optimizer.learning_rte": 0.1}, "optimizer.learning_rte=0.1: unknown key; did you mean optimizer.learning_rate?"),
    ("", {"sed": 1}, "sed=1: unknown key; did you mean seed?"),
    ("", {"modle": "fnn"}, "modle=fnn: unknown key; did you mean model=fnn?"),
    ("", {"training.stp.patience": 3}, "training.stp.patience=3: unknown key; did you mean training.stop.patience?"),
    ("", {"optimiser.learning_rate": 3}, "optimiser.learning_rate=3: unknown key; did you mean optimizer.learning_rate?"),
    ("", {"model.blocks.0.feature": 3}, "model.blocks.0.feature=3: unknown key; did you mean model.blocks.0.features?"),
    ("", {"xyzzy": 3}, "xyzzy=3: unknown key"),
    # unknown, by habit
    ("", {"optimizer.lr": 0.1}, "optimizer.lr=0.1: unknown key; did you mean optimizer.learning_rate?"),
    ("", {"learning-rate": 0.1}, "learning-rate=0.1: unknown key; did you mean optimizer.learning_rate?"),
    ("", {"training.epochs": 5}, "training.epochs=5: unknown key; did you mean training.duration=5epochs?"),
    ("", {"max_epochs": None}, "max_epochs=null: unknown key; did you mean training.duration?"),
    ("", {"training.batch_size": 8}, "training.batch_size=8: unknown key; did you mean training.global_batch_size?"),
    ("", {"dataset": "mnist"}, "dataset=mnist: unknown key; did you mean data=mnist?"),
    ("", {"gpus": 2}, "gpus=2: unknown key; did you mean parallel.devices?"),
    ("", {"momentum": 0.9}, "momentum=0.9: unknown key; did you mean optimizer.momentum?"),
    # known elsewhere
    ("", {"model.hidden": [5]}, "model.hidden=[5]: unknown key for model=cnn; model=fnn and model=rnn can have it"),
    (
        "optimizer=muon",
        {"optimizer.b1": 0.9},
        "optimizer.b1=0.9: unknown key for optimizer=muon; optimizer=adam and optimizer=adamw and optimizer=lion can have it",
    ),
]


class Where:
    """Origins of a few keys."""

    def describe(self, key: str) -> str | None:
        return {
            "optimizer.learning_rate": "the command line",
            "training.duration": "conf/training/default.yaml:2",
            "model.blocks.0.pool": "conf/model/cnn.yaml:5",
            "model.head": "the command line",
        }.get(key)


def message(values: dict[str, Any], **options: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(TrainConfig, values, **options)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(("choices", "changes", "first_line"), BAD_VALUES)
def test_a_bad_value_is_named(
    values_of: Values, delete: object, choices: str, changes: dict[str, Any], first_line: str
) -> None:
    changes = {key: delete if value == GONE else value for key, value in changes.items()}
    assert message(values_of(choices, changes))[0] == first_line


@pytest.mark.parametrize(
    ("choices", "changes", "first", "second"),
    [
        # another key was meant: one of the same word
        (
            "model=neurons",
            {"model.layers": [{"size": 1, "bias": 0.35}]},
            "must be true or false; did you mean biases: [0.35]?",
            "",
        ),
        ("model=neurons", {"model.layers": [{"size": 2, "bias": [0.1, 2]}]}, "; did you mean biases: [0.1,2]?", ""),
        ("model=neurons", {"model.layers": [{"size": 2, "bias": "0.1, 2"}]}, "; did you mean biases: [0.1,2]?", ""),
        ("model=neurons", {"model.layers": [{"size": 2, "weight": 1}]}, "did you mean model.layers.0.weights?", ""),
        ("", {"model.block": {"features": 8}}, "model.block={features:8}: unknown key; did you mean model.blocks?", ""),
        (
            "",
            {"optimizer.learning_rate": [0.1, 0.3]},
            "must be a number greater than 0; did you mean training.vary.learning_rate=[0.1,0.3]?",
            "",
        ),
        # another form of the value was meant
        ("model=neurons", {"model.layers": [{"size": 1, "biases": 0.35}]}, "must be a list", "write biases: [0.35]"),
        ("model=neurons", {"model.layers": [{"size": 1, "weights": [1, 2]}]}, "must be a list", "write weights: [[1,2]]"),
        ("model=neurons", {"model.layers": [{"size": [4]}]}, "must be a whole number", "write size: 4"),
        ("model=neurons", {"model.layers": {"size": 4}}, "must be a list", "write model.layers=[{size:4}]"),
        ("model=fnn", {"model.hidden": 256}, "must be a list, each item a whole number", "write model.hidden=[256]"),
        ("model=fnn", {"model.hidden": "128, 64"}, "must be a list", "write model.hidden=[128,64]"),
        ("model=two_neuron", {"model.neuron_a.bias": [0.5]}, "must be a number", "write model.neuron_a.bias=0.5"),
        ("schedule=step", {"schedule.boundaries": "50%"}, "must be a list", "write schedule.boundaries=[50%]"),
        ("", {"schedule.restarts": "5epochs"}, "must be a list", "write schedule.restarts=[5epochs]"),
        ("", {"training.vary.learning_rate": 0.1}, "or null; did you mean optimizer.learning_rate=0.1?", ""),
        ("", {"training.vary.learning_rate": "0.1 0.2"}, "", "write training.vary.learning_rate=[0.1,0.2]"),
        ("", {"training.vary.learning_rate": [None]}, "must be a number", "write training.vary.learning_rate=null"),
        ("", {"seed": [1, 2]}, "must be a whole number", "to run with each of them: -m seed=1,2"),
        # nothing of the kind, or one item of a list that needs two
        ("data=textbook", {"data.classes": "cat"}, "data.classes=cat: must be a list, each item text, or null", ""),
        ("data=textbook", {"data.classes": [1]}, "data.classes.0=1: must be text", ""),
        ("data=textbook", {"data.classes": "cat, dog"}, "must be a list", "write data.classes=[cat,dog]"),
        ("", {"data.normalize": 1}, "data.normalize=1: must be true or false", ""),
        ("model=fnn", {"model.hidden": "wide"}, "must be a list, each item a whole number of at least 1", ""),
        ("model=fnn", {"model.hidden": [0]}, "model.hidden.0=0: must be a whole number of at least 1", ""),
    ],
)
def test_one_and_several_are_told_apart(
    values_of: Values, choices: str, changes: dict[str, Any], first: str, second: str
) -> None:
    lines = message(values_of(choices, changes))
    assert first in lines[0]
    assert lines[0].endswith("?") == ("?" in first)
    assert second in "\n".join(lines[1:])
    assert second or not any(line.strip().startswith(("write", "to run", "names that")) for line in lines[1:])


def test_the_shipped_defaults_are_read(values_of: Values) -> None:
    config = parse(TrainConfig, values_of("model=fnn data=mnist"))
    assert isinstance(config.model, FNN)
    assert config.model.hidden == (256,)
    assert isinstance(config.optimizer, Adam)
    assert config.training.duration == Duration(10, "epochs")
    assert config.parallel.devices == "auto"
    assert config.resume is None


@pytest.mark.parametrize(
    ("key", "given_value", "value"),
    [
        ("optimizer.learning_rate", "1e-3", 0.001),  # YAML 1.1 reads it as text
        ("optimizer.learning_rate", 1, 1.0),
        ("seed", "12", 12),  # as an environment variable gives it
        ("seed", 2**32 - 1, 2**32 - 1),
        ("parallel.devices", 4, 4),
        ("report.tensorboard", False, "off"),  # YAML 1.1 reads a bare off so
        ("report.tensorboard", True, "on"),
        ("debug.name", False, "off"),
        ("training.stop.patience", 3, 3),
        ("data.limit_train", None, None),
        ("model.blocks", [{"features": 5}], (ConvBlock(features=5),)),
        ("model.dense", (), ()),
        ("training.duration", "5 epochs", Duration(5, "epochs")),
    ],
)
def test_a_value_becomes_what_its_field_says(values_of: Values, key: str, given_value: Any, value: Any) -> None:
    config: Any = parse(TrainConfig, values_of(changes={key: given_value}))
    for part in key.split("."):
        config = getattr(config, part)
    assert config == value
    assert type(config) is type(value)


def test_all_problems_are_told_and_the_first_one_leads(values_of: Values) -> None:
    changes = {"optimizer.learning_rte": 0.1, "training.duration": 10, "model.blocks.0.pool": 0}
    lines = message(values_of(changes=changes), origins=Where())
    assert lines == [
        "model.blocks.0.pool=0: must be a whole number of at least 1 (set in conf/model/cnn.yaml:5)",
        "  also: optimizer.learning_rte=0.1: unknown key; did you mean optimizer.learning_rate?",
        "  also: training.duration=10: must be a number and a unit, such as 500steps, 10epochs, 50000examples or 5% "
        "(set in conf/training/default.yaml:2)",
    ]


def test_the_command_line_is_named(values_of: Values) -> None:
    lines = message(values_of(changes={"optimizer.learning_rate": "abc"}), origins=Where())
    assert lines == ["optimizer.learning_rate=abc: must be a number greater than 0 (set on the command line)"]


def test_a_key_taken_away_is_looked_for_where_that_was_done(values_of: Values, delete: object) -> None:
    lines = message(values_of(changes={"model.head": delete}), origins=Where())
    assert lines == ["model.head: missing; must be one of flatten, average, max (see the command line)"]


def test_an_unknown_key_is_shown_what_there_is(values_of: Values) -> None:
    lines = message(values_of(changes={"optimizer.xyzzy": 1}))
    own = "learning_rate, weight_decay, clip_norm, parameter_groups, lookahead, name, b1, b2, eps"
    assert lines[1] == f"  keys of optimizer=adam: {own}"


def test_a_long_value_is_shortened_and_kept_on_one_line(values_of: Values) -> None:
    (line,) = message(values_of(changes={"optimizer.learning_rate": "a\nb " * 100}))
    assert line.startswith("optimizer.learning_rate=a b a b ")
    assert len(line) < 130


def test_a_union_takes_any_of_its_types() -> None:
    assert parse(EvaluateConfig, {"run": "outputs/a", "checkpoint": "best"}).checkpoint == "best"
    assert parse(EvaluateConfig, {"run": "outputs/a", "checkpoint": 7}).checkpoint == 7
    with pytest.raises(ConfigError, match=r"^checkpoint=-1: must be one of last, best, tested, or a whole"):
        parse(EvaluateConfig, {"run": "outputs/a", "checkpoint": -1})


@cache
def strategy(annotation: Any) -> st.SearchStrategy[Any]:
    """Any value that a field of this annotation can hold."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds: Bounds = arguments[1]
        low = bounds.at_least if bounds.at_least is not None else bounds.above
        high = bounds.at_most if bounds.at_most is not None else bounds.below
        if arguments[0] is int:
            return st.integers(low, LARGEST_INT if high is None else high).filter(bounds.contains)
        return st.floats(low, high).filter(bounds.contains)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(strategy(arguments[0]), max_size=3).map(tuple)
    if arguments:
        return st.one_of(*map(strategy, arguments))
    if annotation is Duration:
        return st.builds(Duration, st.integers(1, 100).map(float), st.sampled_from(["steps", "epochs", "examples", "%"]))
    if annotation is MemorySize:
        sizes = st.tuples(st.integers(1, 10**6), st.sampled_from(["kB", "GB", "TiB"]))
        return sizes.map(lambda size: MemorySize.parse(f"{size[0]}{size[1]}"))
    if is_dataclass(annotation):
        hints = get_type_hints(annotation, include_extras=True)
        return st.builds(annotation, **{item.name: strategy(hints[item.name]) for item in fields(annotation)})
    plain = {
        int: st.integers(-LARGEST_INT, LARGEST_INT),
        bool: st.booleans(),
        NoneType: st.none(),
        str: st.text().filter(lambda s: s != "???"),
    }
    return st.floats(allow_nan=False, allow_infinity=False) if annotation is float else plain[annotation]


@pytest.mark.slow
@pytest.mark.parametrize("schema", [TrainConfig, EvaluateConfig, PrepareConfig])
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_config_is_read_as_it_is_written(schema: type, data: st.DataObject) -> None:
    config = data.draw(strategy(schema))
    assert parse(schema, to_mapping(config)) == config


def test_a_mapping_is_plain_and_a_copy(values_of: Values) -> None:
    config = parse(TrainConfig, values_of())
    mapping = to_mapping(config)
    assert mapping["training"]["duration"] == "30epochs"
    assert mapping["model"]["dense"] == [256]
    mapping["training"]["keep"] = 99
    assert config.training.keep == 2


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"resume": "outputs/a"}, True),
        ({"training.planned": "30epochs"}, True),  # which is the duration
        ({"training.planned": "15epochs"}, False),
        ({"schedule.restarts": ["15epochs"]}, False),
        ({"report.figures": False}, True),
        ({"data.placement": "host"}, True),
        ({"training.duration": "30 epochs"}, True),
        ({"optimizer.learning_rate": "1e-3"}, True),
        ({"optimizer.learning_rate": 0.002}, False),
        ({"seed": 1}, False),
        ({"model.blocks.0.features": 33}, False),
    ],
)
def test_the_hash_tells_experiments_apart(values_of: Values, changes: dict[str, Any], same: bool) -> None:
    base, other = (config_hash(parse(TrainConfig, values_of(changes=change))) for change in ({}, changes))
    assert (base == other) is same
    assert len(base) == 12
    assert int(base, 16) >= 0


def test_the_hash_is_the_same_in_every_process(values_of: Values) -> None:
    values = values_of()
    script = (
        f"from nnjax.config import parsing, schema; print(parsing.config_hash(parsing.parse(schema.TrainConfig, {values})))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.strip() == config_hash(parse(TrainConfig, values))


def test_the_keys_are_those_of_all_options() -> None:
    keys = keys_of(TrainConfig)
    expected = {"model.hidden", "model.blocks", "model.neuron_a.weights", "optimizer.nesterov", "training.stop.patience"}
    assert expected <= set(keys)
    assert {"seed", "resume"} <= set(keys)
    assert len(keys) == len(set(keys))
    assert "training.stop" not in keys


def test_every_habit_leads_to_a_key_or_group_that_exists() -> None:
    groups = {key.partition(".")[0] for key in keys_of(TrainConfig)}
    for habit, target in ALIASES.items():
        assert target.partition("=")[0] in {*keys_of(TrainConfig), *groups}, habit


def test_a_habit_is_no_help_where_its_key_does_not_exist() -> None:
    assert suggest("lr", keys_of(EvaluateConfig)) is None
    assert suggest("lr", keys_of(TrainConfig)) == "optimizer.learning_rate"


def test_the_config_package_imports_nothing_heavy() -> None:
    script = (
        "import pkgutil, sys, importlib, nnjax.config as package\n"
        "for module in pkgutil.iter_modules(package.__path__): importlib.import_module(f'nnjax.config.{module.name}')\n"
        "print(sorted({'numpy', 'jax', 'jaxlib', 'flax', 'optax', 'tensorflow_datasets', 'matplotlib'} & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"
