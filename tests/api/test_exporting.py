"""A run's network in a file gives the run's outputs, whatever the kind of network and the number of examples."""

import numpy as np
import pytest
from small_runs import TINY

import nnjax
from nnjax.serving.model_file import read_model

IMAGES = (
    "data=synthetic",
    "data.num_train=48",
    "data.num_test=32",
    "data.input_shape=[8,8,3]",
    "data.outputs=3",
    "training.global_batch_size=16",
    "training.duration=2steps",
    "parallel.devices=1",
)
ROWS = ("data=digits", *TINY[2:])
NETWORKS = {
    "two neurons": ("model=two_neuron", "data=textbook", "training.duration=5steps", "parallel.devices=1"),
    "neurons": ("model=neurons", "training.duration=5steps", "parallel.devices=1"),
    "fnn": TINY,
    "fnn with BatchNorm": (*TINY, "model.normalization=batch", "activation=gelu"),
    "fnn with LayerNorm": (*TINY, "model.normalization=layer", "model.dropout=0.2"),
    "cnn": ("model=cnn", "model.blocks=[{features:4,batch_norm:true}]", "model.dense=[8]", *IMAGES),
    "trials": (*TINY, "training.seeds=3"),
    "trials of a cnn": ("model=cnn", "model.blocks=[{features:4}]", "model.dense=[8]", *IMAGES, "training.seeds=2"),
    "airbench, six views": (
        "model=airbench",
        "model.widths=[4,8,8]",
        *IMAGES,
        "training.test_views=6",
        "data.input_shape=[32,32,3]",
    ),
    "simple cells": ("model=rnn", "model.cell=simple", "model.hidden=[4]", *ROWS),
    "gru": ("model=rnn", "model.hidden=[4]", *ROWS),
    "lstm": ("model=rnn", "model.cell=lstm", "model.hidden=[4]", *ROWS),
    "series": (
        "model=rnn",
        "data=airline",
        "model.hidden=[4]",
        "training.duration=2steps",
        "parallel.devices=1",
        "training.seeds=2",
    ),
}


@pytest.fixture(autouse=True)
def untyped(monkeypatch):
    from nnjax.api import predicting

    monkeypatch.setattr(predicting, "fit_typical", lambda inputs: None)


def outputs_of(result, inputs):
    """The outputs [trials, n, k] of a training's own evaluation."""
    return result.model.outputs_of(inputs)


def examples(result, count):
    inputs = result.dataset.test.inputs
    return np.concatenate([inputs] * (count // len(inputs) + 1))[:count]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_gives_the_run_s_outputs(name, tmp_path):
    result = nnjax.fit(nnjax.compose(*NETWORKS[name], "report.figures=false"))
    path = result.export(tmp_path / "model.nnjax")
    model = read_model(path, isolated=False)
    assert model.facts == result.model.facts
    for count in (1, 7, 64):
        inputs = examples(result, count)
        expected = outputs_of(result, inputs)
        np.testing.assert_allclose(model.outputs_of(inputs), expected, rtol=1e-6, atol=1e-6 * max(1, np.abs(expected).max()))
