from dataclasses import replace
from functools import partial
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax
from jax.sharding import AxisType, PartitionSpec

from nnjax.config.options import CNN, FNN, RNN, ConvBlock, LeakyReLU, Model, Neuron, PlainActivation, TwoNeuron
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.models.build import BUILDERS, build
from nnjax.models.layers import BATCH_AXIS, Dropout

RELU = PlainActivation("relu")
VECTOR = DatasetSpec("vector", (3,), "float32", "regression", 1, 8, 0, 8)
DIGITS = DatasetSpec("digits", (8, 8, 1), "uint8", "classification", 10, 8, 0, 8)
PHOTOS = DatasetSpec("photos", (9, 6, 3), "uint8", "classification", 4, 8, 0, 8)

TEXTBOOK = TwoNeuron("two_neuron", Neuron((0.1, 0.2, 0.3), 0.6), Neuron((0.4,), 0.5), "relu", True)
PLAIN_FNN = FNN("fnn", (6, 5), "none", 0.0, "he_normal", "identity")
BATCH_FNN = replace(PLAIN_FNN, normalization="batch", dropout=0.5)
LAYER_FNN = replace(PLAIN_FNN, normalization="layer", output_activation="tanh")
LINEAR = replace(PLAIN_FNN, hidden=())
PLAIN_CNN = CNN("cnn", (ConvBlock(4),), "flatten", (6,), 0.0, "he_normal", "identity", None, False)
FULL_CNN = CNN(
    "cnn",
    (ConvBlock(4, kernel=4, convolutions=2, batch_norm=True, dropout=0.2), ConvBlock(5, pooling="average", pool=3)),
    "average",
    (6,),
    0.5,
    "glorot_uniform",
    "softplus",
    None,
    identity_init=True,
)
LSTM = RNN("rnn", "lstm", (6, 5), 0.5, "tanh")
MAX_CNN = replace(PLAIN_CNN, blocks=(ConvBlock(4, pool=1),), head="max", dense=())

CASES = [
    (TEXTBOOK, VECTOR),
    *((model, spec) for model in (PLAIN_FNN, BATCH_FNN, LAYER_FNN, LINEAR) for spec in (VECTOR, PHOTOS)),
    *((model, spec) for model in (PLAIN_CNN, FULL_CNN, MAX_CNN) for spec in (DIGITS, PHOTOS)),
    (LSTM, PHOTOS),
]


def inputs_for(spec, num_examples=4):
    return jnp.asarray(np.random.default_rng(0).normal(size=(num_examples, *spec.input_shape)), jnp.float32)


def split(model, spec, *, seed=0, activation=RELU, mode="train", precision="float32"):
    network = build(model, activation, spec, rngs=nnx.Rngs(params=seed), precision=precision)
    getattr(network, mode)()
    return nnx.split(network, nnx.Param, ...)


def loss_and_updates(graphdef, params, rest, inputs, key):
    """The loss, gradients and new state, computed as in the training step."""

    def loss(params):
        network = nnx.merge(graphdef, params, rest, copy=True)
        outputs = network(inputs, rngs=nnx.Rngs(dropout=key))
        return jnp.mean(outputs**2), nnx.state(network, nnx.Not(nnx.Param))

    (value, rest), grads = jax.value_and_grad(loss, has_aux=True)(params)
    return lax.pmean((value, grads), BATCH_AXIS), rest


def test_every_model_has_a_builder():
    assert set(BUILDERS) == set(get_args(Model))


@pytest.mark.slow
@pytest.mark.parametrize(("model", "spec"), CASES)
def test_shapes_states_and_determinism(model, spec):
    graphdef, params, rest = split(model, spec, mode="eval")
    outputs = nnx.merge(graphdef, params, rest)(inputs_for(spec))
    assert outputs.shape == (4, spec.num_outputs)
    assert outputs.dtype == jnp.float32
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves((params, rest)))
    # No random state: checkpoints and the step's trees hold only weights and BatchNorm's statistics.
    assert not jax.tree.leaves(nnx.filter_state(rest, nnx.Not(nnx.BatchStat)))

    again_def, again, _ = split(model, spec, mode="eval")
    assert again_def == graphdef
    assert hash(again_def) == hash(graphdef)
    jax.tree.map(np.testing.assert_array_equal, params, again)
    other = split(model, spec, seed=1)[1]
    assert (model is TEXTBOOK) == all(jax.tree.leaves(jax.tree.map(lambda a, b: jnp.array_equal(a, b), params, other)))


@pytest.mark.slow
@pytest.mark.parametrize(("model", "spec"), CASES)
def test_shapes_are_known_without_computing(model, spec):
    graphdef, params, rest = split(model, spec)
    abstract = nnx.split(nnx.eval_shape(lambda: build(model, RELU, spec, rngs=nnx.Rngs(params=0))), nnx.Param, ...)
    assert abstract[0] == graphdef
    for shapes, arrays in zip(abstract[1:], (params, rest), strict=True):
        assert jax.tree.map(lambda a: (a.shape, a.dtype), shapes) == jax.tree.map(lambda a: (a.shape, a.dtype), arrays)


def pmapped(step, devices):
    return jax.pmap(step, axis_name=BATCH_AXIS, in_axes=(None, None, 0, None), devices=devices)


def shard_mapped(step, devices):
    mesh = jax.make_mesh((len(devices),), (BATCH_AXIS,), axis_types=(AxisType.Auto,), devices=devices)
    data, whole = PartitionSpec(BATCH_AXIS), PartitionSpec()

    def one_shard(params, rest, inputs, key):
        return jax.tree.map(lambda a: a[None], step(params, rest, inputs[0], key))

    return jax.jit(jax.shard_map(one_shard, mesh=mesh, in_specs=(whole, whole, data, whole), out_specs=data, check_vma=False))


@pytest.mark.slow
@pytest.mark.parametrize("wrap", [pmapped, shard_mapped])
@pytest.mark.parametrize(
    ("model", "spec"), [(TEXTBOOK, VECTOR), (replace(BATCH_FNN, dropout=0.0), VECTOR), (PLAIN_CNN, DIGITS)]
)
def test_a_step_is_the_same_on_four_devices_and_on_one(wrap, model, spec):
    graphdef, params, rest = split(model, spec)
    inputs, key = inputs_for(spec, 8), jax.random.key(2)

    def on(num_devices):
        step = wrap(partial(loss_and_updates, graphdef), jax.devices()[:num_devices])
        results = step(params, rest, inputs.reshape(num_devices, -1, *spec.input_shape), key)
        return jax.tree.map(lambda leaf: np.asarray(leaf)[-1], results)

    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5), on(4), on(1))


@pytest.mark.slow
def test_steps_in_a_loop_update_weights_and_statistics():
    graphdef, params, rest = split(FULL_CNN, PHOTOS)

    def step(carry, key):
        params, rest = carry
        (value, grads), rest = loss_and_updates(graphdef, params, rest, inputs_for(PHOTOS), key)
        return (jax.tree.map(lambda p, g: p - 0.1 * g, params, grads), rest), value

    def chunk(params, rest, keys):
        return lax.scan(step, (params, rest), keys)

    keys = jax.random.split(jax.random.key(0), (1, 4))
    (_, new_rest), losses = jax.pmap(chunk, axis_name=BATCH_AXIS, in_axes=(None, None, 0))(params, rest, keys)
    assert losses[0, -1] < losses[0, 0]
    assert jax.tree.structure(new_rest) == jax.tree.structure(rest)
    assert not np.allclose(new_rest["conv_1_norm"]["mean"][0], 0)


@pytest.mark.slow
@pytest.mark.parametrize("num_devices", [1, 4])
def test_dropout_depends_on_the_key_and_the_place_in_the_global_batch_only(num_devices):
    spec, model = VECTOR, replace(PLAIN_FNN, hidden=(64,), dropout=0.5)
    train, params, rest = split(model, spec)
    evaluate, *_ = split(model, spec, mode="eval")
    inputs = inputs_for(spec)

    def outputs(graphdef, key=None, num_devices=num_devices):
        def on_one_device(x):
            rngs = None if key is None else nnx.Rngs(dropout=jax.random.key(key))
            return nnx.merge(graphdef, params, rest, copy=True)(x, rngs=rngs)

        parts = inputs.reshape(num_devices, -1, *inputs.shape[1:])
        return jax.pmap(on_one_device, axis_name=BATCH_AXIS)(parts).reshape(len(inputs), -1)

    np.testing.assert_allclose(outputs(train, 0), outputs(train, 0, num_devices=2), rtol=1e-6)
    assert not np.allclose(outputs(train, 0), outputs(train, 1))
    assert not np.allclose(outputs(train, 0), outputs(evaluate))
    np.testing.assert_array_equal(outputs(evaluate), outputs(evaluate, 1))
    with pytest.raises(ValueError, match="rngs"):
        outputs(train)


def test_dropout_keeps_the_expected_value():
    layer = Dropout(0.25)
    drop = jax.vmap(lambda x: layer(x, nnx.Rngs(dropout=jax.random.key(0))), axis_name=BATCH_AXIS)
    outputs = np.asarray(drop(jnp.ones((1, 100, 100))))
    assert set(np.unique(outputs)) == {np.float32(0), np.float32(1) / np.float32(0.75)}
    assert outputs.mean() == pytest.approx(1, abs=0.03)
    assert np.mean(outputs == 0) == pytest.approx(0.25, abs=0.02)


def test_paths_of_parameters():
    params = nnx.to_pure_dict(split(FULL_CNN, PHOTOS)[1])
    assert {layer: set(leaves) for layer, leaves in params.items()} == {
        "conv_1": {"kernel"},  # no bias: the following BatchNorm would subtract it
        "conv_1_norm": {"scale", "bias"},
        "conv_2": {"kernel"},
        "conv_2_norm": {"scale", "bias"},
        "conv_3": {"kernel", "bias"},
        "dense_1": {"kernel", "bias"},
        "output": {"kernel", "bias"},
    }
    names = ("dense_1", "dense_1_norm", "dense_1_activation", "dense_1_dropout", "dense_2", "dense_2_norm")
    assert build(BATCH_FNN, RELU, VECTOR, rngs=nnx.Rngs(0)).names[:6] == names


def test_hidden_and_output_activation_are_apart():
    model = replace(PLAIN_FNN, hidden=(6,), output_activation="tanh")
    network = build(model, LeakyReLU("leaky_relu", 0.3), VECTOR, rngs=nnx.Rngs(0))
    values = dict(network.layer_outputs(inputs_for(VECTOR)))
    z, a = values["dense_1"], values["dense_1_activation"]
    np.testing.assert_allclose(a, np.where(z > 0, z, 0.3 * z), rtol=1e-6)
    np.testing.assert_allclose(values["output_activation"], np.tanh(values["output"]), rtol=1e-5)
    np.testing.assert_array_equal(network(inputs_for(VECTOR)), values["output_activation"])


@pytest.mark.slow
@pytest.mark.parametrize(("model", "spec"), [(BATCH_FNN, PHOTOS), (FULL_CNN, PHOTOS)])
def test_bfloat16_computes_so_and_stays_near(model, spec):
    exact, rounded = (nnx.merge(*split(model, spec, mode="eval", precision=p)) for p in ("float32", "bfloat16"))
    inputs = inputs_for(spec)
    types = {name: values.dtype for name, values in rounded.layer_outputs(inputs) if name != "flatten"}
    assert set(types.values()) == {jnp.dtype("bfloat16")}
    assert rounded(inputs).dtype == jnp.float32
    np.testing.assert_allclose(rounded(inputs), exact(inputs), atol=0.03 * float(jnp.abs(exact(inputs)).max()))


def test_two_neurons_are_the_textbooks():
    graphdef, params, rest = split(TEXTBOOK, VECTOR)
    inputs = jnp.array([[0.2, 0.1, 0.4]])
    values = dict(nnx.merge(graphdef, params, rest).layer_outputs(inputs))
    expected = {"neuron_a": 0.76, "neuron_a_activation": 0.76, "neuron_b": 0.804, "neuron_b_activation": 0.804}
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(values[name], [[value]], rtol=1e-6)

    grads = jax.grad(lambda params: 0.5 * jnp.sum((1.0 - nnx.merge(graphdef, params, rest)(inputs)) ** 2))(params)
    delta_b = -(1.0 - 0.804)  # relu′(z_b) = 1
    delta_a = delta_b * 0.4
    np.testing.assert_allclose([delta_b, delta_a], [-0.196, -0.0784])
    np.testing.assert_allclose(grads["neuron_b"]["kernel"], [[delta_b * 0.76]], rtol=1e-5)
    np.testing.assert_allclose(grads["neuron_b"]["bias"], [delta_b], rtol=1e-5)
    np.testing.assert_allclose(grads["neuron_a"]["kernel"], [[delta_a * x] for x in (0.2, 0.1, 0.4)], rtol=1e-5)
    np.testing.assert_allclose(grads["neuron_a"]["bias"], [delta_a], rtol=1e-5)


def test_a_dead_relu_passes_no_gradient():
    dead = replace(TEXTBOOK, neuron_a=Neuron((0.0, 0.0, 0.0), 0.0))  # z_a = 0 exactly
    graphdef, params, rest = split(dead, VECTOR)
    grads = jax.grad(lambda params: nnx.merge(graphdef, params, rest)(jnp.ones((1, 3))).sum())(params)
    np.testing.assert_array_equal(grads["neuron_a"]["bias"], [0.0])
    np.testing.assert_array_equal(grads["neuron_b"]["bias"], [1.0])
