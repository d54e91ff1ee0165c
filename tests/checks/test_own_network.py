"""Errors of a network and data written by hand: each names the slip, and what to write instead."""

import re
import shlex
from copy import deepcopy
from pathlib import Path

import pytest

from nnjax.cli.compose import compose_config
from nnjax.config.errors import ConfigError
from nnjax.config.parsing import config_hash, parse, to_mapping
from nnjax.config.schema import TraceConfig
from nnjax.data.dataset_spec import dataset_spec

INPUTS, TARGETS, LAYERS = "data.inputs=[[.05,.10]]", "data.targets=[[.01,.99]]", "model.layers=[{size:2},{size:2}]"
THREE = "data.inputs=[[0,1],[1,0],[1,1]]"


def config_of(*overrides):
    return compose_config("trace", ["model=neurons", *overrides], TraceConfig)


def layers(first):
    return f"model.layers=[{{{first}}},{{size:2}}]"


def error_of(*overrides):
    with pytest.raises(ConfigError) as caught:
        config_of(*overrides)
    return str(caught.value).splitlines()


NETWORKS = [
    (
        "size:2,weights:[[1,2],[3,4.5],[5,6]]",
        "model.layers.0.weights=[[1.0,2.0],[3.0,4.5],[5.0,6.0]]: has a row for each input",
    ),
    ("size:2,weights:[[1,2,3]]", "model.layers.0.weights=[[1.0,2.0,3.0]]: must have 2 rows, one for each neuron; has 1"),
    (
        "size:2,weights:[[1,2,3],[4,5]]",
        "model.layers.0.weights.1=[4.0,5.0]: must be 3 numbers, one for each input of the neuron",
    ),
    ("size:2,weights:[[9,1,2,3],[9,4,5,6]]", "bias weights stand apart, in biases, one for each neuron"),
    ("size:2,biases:[0.35]", "must be 2 numbers, one for each neuron; did you mean [0.35,0.35]?"),
    ("size:2,bias:0.35", "model.layers.0.bias=0.35: must be true or false; did you mean biases: [0.35,0.35]?"),
    ("size:2,activation:logistic", "did you mean sigmoid?"),
    ("size:2,activation:linear", "did you mean identity?"),
    ("size:2,activation:softmax", "or null; softmax is part of loss=cross_entropy, with identity in the output layer"),
    ("units:2", "model.layers.0.units=2: unknown key; did you mean model.layers.0.size?"),
    ("size:2,w:[[1,2,3],[4,5,6]]", "did you mean model.layers.0.weights?"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("first", "said"), NETWORKS)
def test_a_slip_in_a_layer_is_named(first, said):
    assert said in error_of(layers(first), "data.inputs=[[1,2,3]]", TARGETS)[0]


def test_transposed_weights_are_written_out_and_are_right():
    given = error_of(layers("size:2,weights:[[1,2],[3,4.5],[5,6]]"), "data.inputs=[[1,2,3]]", TARGETS)
    assert given[1].strip() == "write weights: [[1,3,5],[2,4.5,6]]"
    config = config_of(layers(f"size:2,{given[1].strip().removeprefix('write ')}"), "data.inputs=[[1,2,3]]", TARGETS)
    assert config.model.layers[0].weights == ((1, 3, 5), (2, 4.5, 6))


def test_one_number_for_all_biases_is_written_out():
    lines = error_of(layers("size:2,biases:0.35"), INPUTS, TARGETS)
    assert lines[1].strip() == "write biases: [0.35,0.35]"


def test_sizes_alone_are_no_layers():
    assert error_of("model.layers=[2,2]", INPUTS, TARGETS)[0].startswith("model.layers.0=2: must be a group of size, weights,")
    assert "did you mean {size: 2}?" in error_of("model.layers=[2,2]", INPUTS, TARGETS)[0]
    assert "did you mean" not in error_of("model.layers=[0]", INPUTS, TARGETS)[0]


def test_one_example_with_two_outputs():
    lines = error_of(LAYERS, INPUTS, "data.targets=[[.01],[.99]]")
    assert lines[0].startswith("data.targets=[[0.01],[0.99]]: must have as many rows as data.inputs, 1; has 2")
    assert lines[1].strip() == "for one example with 2 outputs, write data.targets=[[0.01,0.99]]"
    assert error_of(LAYERS, INPUTS, "data.targets=[.01,.99]")[1].strip() == "write data.targets=[[0.01,0.99]]"


def test_an_item_of_a_row_is_named_by_its_place():
    assert error_of(LAYERS, INPUTS, "data.targets=[[1,a]]")[0].startswith("data.targets.0.1=a: must be a number")


# --- classes -------------------------------------------------------------------------------------------------------


CLASSES = [
    ("[cat,dog]", "[cat,dgo,cat]", "data.targets.1=dgo: must be one of cat, dog; did you mean dog?"),
    ("null", "[cat,dog,cat]", "data.targets.0=cat: names a class, and data.classes=null has none"),
    ("[cat,dog]", "[[1,0],[0,1],[1,0]]", "data.targets.0=[1.0,0.0]: must be the name of its class"),
    ("[cat,dog]", "[cat,dog]", "data.targets=[cat,dog]: must have a name for each row of data.inputs, 3; has 2"),
    ("[cat,dog,cat]", "[cat,dog,cat]", "data.classes.2=cat: must differ from data.classes.0"),
    ('[cat," "]', "[cat,cat,cat]", 'data.classes.1=" ": is blank; must be a name'),
    ('[cat," dog"]', "[cat,cat,cat]", 'data.classes.1=" dog": must not begin or end with a blank'),
    ("[cat]", "[cat,cat,cat]", "data.classes=[cat]: needs at least 2 names"),
    ("[]", "[cat,cat,cat]", "data.classes=[]: needs at least 2 names"),
    ("[0,1]", "[0,1,0]", "data.classes.0=0: must be text"),
    ("[true,false]", "[cat,cat,cat]", "data.classes.0=true: must be text"),
    ("[a,b,c]", "[a,b,c]", "model.layers.1.size=2: must be 3, one neuron for each class of data=textbook"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("classes", "targets", "said"), CLASSES)
def test_a_slip_in_the_classes_is_named(classes, targets, said):
    assert error_of(LAYERS, THREE, f"data.classes={classes}", f"data.targets={targets}")[0].startswith(said)


def test_names_that_read_as_numbers_need_quotes():
    lines = error_of(LAYERS, THREE, "data.classes=[0,1]", 'data.targets=["0","1","0"]')
    assert lines[1].strip() == """names that read as numbers or truth values need quotes: 'data.classes=["0","1"]'"""
    lines = error_of(LAYERS, THREE, 'data.classes=["0","1"]', "data.targets=[0,1,0]")
    assert lines[2].strip() == """or, for names, 'data.targets=["0","1","0"]'"""
    config = config_of(LAYERS, THREE, 'data.classes=["1","0"]', 'data.targets=["0","1","0"]')
    assert config.data.class_numbers == (1, 0, 1)


def test_names_without_classes_bring_the_line_that_adds_them():
    lines = error_of(LAYERS, THREE, "data.targets=[dog,cat,dog]")
    assert lines[1].strip() == "for classes, write data.classes=[dog,cat]"


def test_classes_make_it_a_classification_in_the_order_of_the_names():
    config = config_of(
        "model.layers=[{size:2,activation:identity}]",
        THREE,
        "data.classes=[dog,cat]",
        "data.targets=[cat,dog,cat]",
        "loss=cross_entropy",
    )
    spec = dataset_spec(config.data)
    assert (spec.task, spec.num_outputs, config.data.class_numbers) == ("classification", 2, (1, 0, 1))
    assert parse(TraceConfig, to_mapping(config)) == config


def test_the_hash_of_a_config_without_classes_is_that_of_earlier_versions():
    config = config_of(LAYERS, INPUTS, TARGETS)
    earlier = to_mapping(config)
    del earlier["data"]["classes"]
    assert parse(TraceConfig, earlier) == config
    written = {"training": {}, "schedule": {}, "data": {"name": "textbook", "classes": None}}
    assert _hash_of(written) == _hash_of({**written, "data": {"name": "textbook"}})
    assert _hash_of(written) != _hash_of({**written, "data": {"name": "textbook", "classes": ["a", "b"]}})


def _hash_of(mapping):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nnjax.config.parsing.to_mapping", lambda config: deepcopy(config))
        return config_hash(mapping)


def test_the_textbooks_two_neurons_refuse_classes_with_what_fits():
    with pytest.raises(ConfigError, match="choose model=neurons or model=fnn"):
        compose_config("trace", ["data.inputs=[[1,2,3],[3,2,1]]", "data.classes=[a,b]", "data.targets=[a,b]"], TraceConfig)


def test_the_slip_that_the_page_shows_is_answered_so():
    page = (Path(__file__).parents[2] / "docs/own-network.md").read_text()
    command, answer = re.search(r"^\$ python -m experiments\.trace (.*)\n((?:.+\n)+)```", page, re.MULTILINE).groups()
    with pytest.raises(ConfigError) as caught:
        compose_config("trace", shlex.split(command), TraceConfig)
    assert str(caught.value) == answer.strip()
