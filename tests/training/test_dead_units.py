"""Dead units in a training's summary, by layer."""

import json
from dataclasses import replace

import numpy as np
import pytest
from flax import nnx

import nnjax
from nnjax.reporting.closing_texts import dead_units_texts
from nnjax.training.dead_units import MOST_EXAMPLES, MOST_TRIALS, dead_units

SYNTHETIC = (
    "data=synthetic",
    "data.task=classification",
    "data.outputs=3",
    "data.num_train=600",
    "data.num_test=6",
    "data.validation=0",
    "training.duration=1step",
    "training.global_batch_size=8",
    "training.eval_batch_size=6",
)
LAYERS = "model.layers=[{size:3,biases:[-1e6,0,-1e6]},{size:3,activation:identity}]"


def summary_of(*overrides):
    return nnjax.fit(nnjax.compose(*overrides)).summary


def test_the_textbooks_output_neuron_dies_of_a_large_rate():
    summary = summary_of("experiment=textbook", "optimizer.learning_rate=-1.8")
    assert summary["dead_units"] == {
        "layers": [{"layer": "neuron_b", "dead": 1, "units": 1, "share": 1.0}],
        "examples": 1,
        "train_examples": 1,
    }
    assert dead_units_texts(summary["dead_units"]) == ("neuron_b 1 of 1 (100.0%)", "slope 0 for the training example")


@pytest.mark.slow
def test_where_all_is_alive_nothing_is_said():
    assert "dead_units" not in summary_of("experiment=textbook")
    assert "dead_units" not in summary_of("model=neurons", LAYERS, "activation=tanh", "data.input_shape=[2]", *SYNTHETIC)


def test_neurons_are_counted_by_layer_on_the_first_examples():
    dead = summary_of("model=neurons", LAYERS, "data.input_shape=[2]", *SYNTHETIC)["dead_units"]
    assert dead["layers"] == [{"layer": "layer_1", "dead": 2, "units": 3, "share": pytest.approx(2 / 3)}]
    assert (dead["examples"], dead["train_examples"]) == (MOST_EXAMPLES, 600)
    assert dead_units_texts(dead) == ("layer_1 2 of 3 (66.7%)", "slope 0 for the first 512 of 600 training examples")


@pytest.mark.slow
def test_several_trials_are_counted_together_and_their_number_is_said():
    overrides = ("model=neurons", LAYERS, "data.input_shape=[2]", *SYNTHETIC, "training.seeds=10")
    dead = summary_of(*overrides)["dead_units"]
    assert dead["layers"][0]["dead"] >= 2 * MOST_TRIALS
    assert dead["layers"][0]["share"] == dead["layers"][0]["dead"] / (3 * MOST_TRIALS)
    assert (dead["trials"], dead["num_trials"]) == (list(range(MOST_TRIALS)), 10)
    assert dead_units_texts(dead)[1].endswith("; 8 of 10 trials examined")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["model=fnn", "model=cnn"])
def test_a_unit_is_dead_exactly_if_its_output_is_0_for_every_example(model):
    sizes = ("model.hidden=[40]",) if model == "model=fnn" else ("model.dense=[20]",)
    rates = ("optimizer=sgd", "optimizer.learning_rate=0.8", "training.duration=1epoch")
    result = nnjax.fit(nnjax.compose(model, *sizes, "data.input_shape=[8,8,1]", *SYNTHETIC, *rates))
    params = result.params
    name = "dense_1" if model == "model=fnn" else "conv_1"
    experiment, state = result._experiment, result._state
    last, scale = (name, "kernel") if model == "model=fnn" else (f"{name}_norm", "scale")
    for unit in (0, 3):  # whatever the training did, these are dead
        params[last][scale][..., unit], params[last]["bias"][unit] = 0, -1
    state = replace(state, params=params)
    found = dead_units(experiment, experiment.layout.put(state))["dead_units"]
    layer = next(layer for layer in found["layers"] if layer["layer"] == name)
    inputs = np.asarray(result.dataset.train.inputs[:MOST_EXAMPLES], np.float32)
    inputs = (inputs - result.dataset.mean) / result.dataset.std
    outputs = _outputs(experiment, params, state.model_state, inputs)[f"{name}_activation"]
    dead = (outputs == 0).reshape(-1, outputs.shape[-1]).all(axis=0)
    assert dead[[0, 3]].all()
    assert (layer["dead"], layer["units"]) == (int(dead.sum()), outputs.shape[-1])


def _outputs(experiment, params, model_state, inputs):
    network = nnx.merge(experiment.recipe.network.eval_graph, params, model_state)
    return {name: np.asarray(values) for name, values in network.layer_outputs(inputs)}


def test_a_trial_that_is_not_finite_is_not_called_dead():
    result = nnjax.fit(nnjax.compose("model=neurons", LAYERS, "data.input_shape=[2]", *SYNTHETIC))
    params = result.params
    params["layer_1"]["kernel"][:] = np.nan
    experiment = result._experiment
    assert dead_units(experiment, experiment.layout.put(replace(result._state, params=params))) == {}


def test_the_summary_file_has_them(tmp_path):
    nnjax.fit(nnjax.compose("experiment=textbook", "optimizer.learning_rate=-1.8", "report.figures=false"), tmp_path / "run")
    assert json.loads((tmp_path / "run/summary.json").read_text())["dead_units"]["layers"][0]["layer"] == "neuron_b"
