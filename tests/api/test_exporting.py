"""A run's network in a file gives the run's outputs, whatever the kind of network and the number of examples."""

import os
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_runs import TINY

import nnjax
from nnjax.api.exporting import check_target, export_model
from nnjax.config.errors import StorageError
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
    "fnn of squared errors": (*TINY, "loss=mse"),  # outputs below 0 and above 1 stand for probabilities
    "fnn with BatchNorm": (*TINY, "model.normalization=batch", "activation=gelu"),
    "fnn with LayerNorm": (*TINY, "model.normalization=layer", "model.dropout=0.2"),
    "cnn": ("model=cnn", "model.blocks=[{features:4,batch_norm:true}]", "model.dense=[8]", *IMAGES, "training.test_views=6"),
    "bfloat16": ("model=cnn", "model.blocks=[{features:4}]", "model.dense=[8]", *IMAGES, "training.precision=bfloat16"),
    "trials": (*TINY, "training.seeds=3"),
    "trials, one of which diverged": (*TINY, "training.vary.learning_rate=[0.001,1e30]"),
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


def examples(result, count):
    inputs = result.dataset.test.inputs
    return np.concatenate([inputs] * (count // len(inputs) + 1))[:count]


SLOW = {
    "fnn",
    "fnn of squared errors",
    "bfloat16",
    "airbench, six views",
    "neurons",
    "fnn with LayerNorm",
    "trials, one of which diverged",
    "trials of a cnn",
    "simple cells",
    "lstm",
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in NETWORKS])
def test_a_file_gives_the_run_s_outputs(name, tmp_path):
    result = nnjax.fit(nnjax.compose(*NETWORKS[name], "report.figures=false"))
    check(result, tmp_path / "model.nnjax")


@pytest.mark.slow
def test_a_trial_without_a_temperature_is_left_out_of_the_file_as_well(tmp_path):
    result = nnjax.fit(nnjax.compose(*TINY, "training.seeds=2", "report.figures=false"))
    kept, _ = result.summary["calibration"]["temperature"]
    known = result.summary["calibration"] | {"temperature": [kept, None]}
    result = replace(result, summary={**result.summary, "calibration": known})
    assert read_model(result.export(tmp_path / "model.nnjax"), isolated=False).facts.num_trials == 1
    check(result, tmp_path / "model.nnjax")


def check(result, path):
    """Exports a result, reads the file, and compares outputs: they agree within 1e-6 of the largest."""
    model = read_model(result.export(path), isolated=False)
    assert model.facts == result.model.facts
    for count in (1, 7, 64):
        inputs = examples(result, count)
        expected = result.model.outputs_of(inputs)
        largest = max(1, np.abs(expected).max())  # of logits: one rounding of a 32 is 2e-6
        np.testing.assert_allclose(model.outputs_of(inputs), expected, rtol=0, atol=1e-6 * largest)


@pytest.mark.slow
def test_a_registered_model_runs_without_its_code(tmp_path, own_registry):
    @dataclass(frozen=True)
    class Odd:
        width: int = 8

    @nnjax.register_model("odd")
    def odd(options: Odd, activation, spec, *, rngs, dtype):
        class Layers(nnx.Module):
            def __init__(self):
                self.parts = nnx.List([nnx.Linear(64, options.width, rngs=rngs), nnx.Linear(options.width, 10, rngs=rngs)])

            def __call__(self, x):
                x = jax.nn.gelu(self.parts[0](x.reshape(x.shape[0], -1)), approximate=False)
                return self.parts[1](jnp.sort(x, axis=1))

        return Layers()

    check(nnjax.fit(nnjax.compose("model=odd", *TINY[2:], "report.figures=false")), tmp_path / "odd.nnjax")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("calculation", "reason"),
    [
        (lambda x: x / len(x), "x.shape[0] has it, where len(x) and int() need a number"),
        (
            lambda x: x + jax.pure_callback(lambda y: 0 * y, x, jax.lax.stop_gradient(x)),
            "cannot be exported: multi-platform lowering for python_callback",
        ),
        (lambda x: x @ jnp.linalg.inv(jnp.eye(10) + 1e-9 * jax.lax.stop_gradient(x.T @ x)), "its program calls lapack_"),
    ],
)
def test_a_network_that_cannot_be_exported_is_named(calculation, reason, tmp_path, own_registry):
    @dataclass(frozen=True)
    class Options:
        pass

    @nnjax.register_model("strange")
    def strange(options: Options, activation, spec, *, rngs, dtype):
        class Strange(nnx.Module):
            def __init__(self):
                self.linear = nnx.Linear(64, 10, rngs=rngs)

            def __call__(self, x):
                return calculation(self.linear(x.reshape(x.shape[0], -1)))

        return Strange()

    result = nnjax.fit(nnjax.compose("model=strange", *TINY[2:], "report.figures=false"))
    with pytest.raises(nnjax.ConfigError) as refused:
        result.export(tmp_path / "strange.nnjax")
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_what_a_file_cannot_hold_is_named(trained, tmp_path):
    labels = ("no\N{NO-BREAK SPACE}one", *trained.model.facts.labels[1:])
    model = replace(trained.model, facts=replace(trained.model.facts, labels=labels))
    with pytest.raises(nnjax.ConfigError, match=r"^model=fnn: cannot be exported: labels\.0: must be printable text"):
        export_model(trained._experiment, trained._state, model, tmp_path / "model.nnjax")
    with pytest.raises(StorageError, match="cannot be written: No such file or directory"):
        export_model(trained._experiment, trained._state, trained.model, tmp_path / "none" / "model.nnjax")
    assert list(tmp_path.iterdir()) == []


def test_only_a_model_is_replaced(tmp_path):
    (tmp_path / "notes.onnx").write_text("mine")
    os.mkfifo(tmp_path / "pipe.onnx")
    for name in ("notes.onnx", "pipe.onnx"):
        with pytest.raises(nnjax.ConfigError, match="is there already, and is no exported model"):
            check_target(tmp_path / name, "to")
    with pytest.raises(nnjax.ConfigError, match=r"^to=.*nnn: cannot be written: File name too long$"):
        check_target(tmp_path / ("n" * 300), "to")
