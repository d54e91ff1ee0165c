from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nnjax.config.options import CNN, FNN, RNN, ConvBlock, NeuronLayer, Neurons, PlainActivation
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.models.build import build
from nnjax.models.layer_summary import num_params, summarize

SPEC = DatasetSpec("digits", (8, 8, 2), "uint8", "classification", 10, 8, 0, 8)
SMALL_CNN = CNN(
    "cnn",
    (ConvBlock(4, batch_norm=True), ConvBlock(6, pooling="average", dropout=0.1)),
    "average",
    (5,),
    0.0,
    "he_normal",
    "tanh",
    None,
    identity_init=False,
)
SMALL_FNN = FNN("fnn", (32, 16), "none", 0.0, "he_normal", "identity")


def network(model):
    return build(model, PlainActivation("relu"), SPEC, rngs=nnx.Rngs(0))


def shapes(model):
    return nnx.eval_shape(lambda: network(model))


def full(num_inputs, num_outputs, bias=True):
    """Weights of a dense layer, with its bias weights."""
    return (num_inputs + bias) * num_outputs


def test_every_layer_is_there_with_its_numbers():
    rows = [
        (row.name, row.kind, row.connects, row.output_shape, row.num_params, row.weights_saved, row.flops)
        for row in summarize(shapes(SMALL_CNN), SPEC)
    ]
    conv_1, conv_2 = 9 * 2 * 4, 9 * 4 * 6 + 6
    conv_1_saves, conv_2_saves = full(8 * 8 * 2, 8 * 8 * 4, bias=False) - conv_1, full(4 * 4 * 4, 4 * 4 * 6) - conv_2
    assert rows == [
        ("conv_1", "conv 3×3", "local 3×3, shared", (8, 8, 4), conv_1, conv_1_saves, 2 * 9 * 2 * 4 * 64),
        ("conv_1_norm", "batch norm", "", (8, 8, 4), 2 * 4, 0, 3 * 4 * 64),
        ("conv_1_activation", "relu", "", (8, 8, 4), 0, 0, 4 * 64),
        ("pool_1", "max pool 2×2", "local 2×2", (4, 4, 4), 0, 0, 4 * 64),
        ("conv_2", "conv 3×3", "local 3×3, shared", (4, 4, 6), conv_2, conv_2_saves, 2 * 9 * 4 * 6 * 16 + 6 * 16),
        ("conv_2_activation", "relu", "", (4, 4, 6), 0, 0, 6 * 16),
        ("pool_2", "average pool 2×2", "local 2×2", (2, 2, 6), 0, 0, 6 * 16),
        ("dropout_2", "dropout 0.1", "", (2, 2, 6), 0, 0, 0),
        ("head", "global average pool", "", (6,), 0, 0, 24),
        ("dense_1", "dense", "full", (5,), 6 * 5 + 5, 0, 2 * 6 * 5 + 5),
        ("dense_1_activation", "relu", "", (5,), 0, 0, 5),
        ("output", "dense", "full", (10,), 5 * 10 + 10, 0, 2 * 5 * 10 + 10),
        ("output_activation", "tanh", "", (10,), 0, 0, 10),
    ]


@pytest.mark.parametrize(
    ("cell", "kind", "gates", "elementwise"),
    [
        ("simple", "simple rnn", 1, 2),  # W·x + U·h, f
        ("gru", "gru", 3, 2 + 2 + 3 + 4),  # r and z: +, σ; n: ⊙, +, f; h′: 1 − z, two ⊙, +
        ("lstm", "lstm", 4, 4 * 2 + 3 + 2),  # i, v, g, o: +, σ or f; c′: two ⊙, +; h′: f, ⊙
    ],
)
def test_recurrent_layers_share_their_weights_over_the_steps(cell, kind, gates, elementwise):
    rows, first, second, output = summarize(shapes(RNN("rnn", cell, (5, 7), 0.0, "identity")), SPEC)
    assert (rows.name, rows.kind, rows.connects, rows.output_shape, rows.num_params) == ("rows", "rows", "", (8, 16), 0)
    for row, inputs, size, shape in ((first, 16, 5, (8, 5)), (second, 5, 7, (7,))):
        weights, biases = (inputs + size) * gates * size, gates * size
        assert (row.kind, row.connects, row.output_shape) == (kind, "shared over 8 steps", shape)
        assert row.num_params == weights + biases
        assert row.weights_saved == 7 * (weights + biases)  # seven further steps need none
        assert row.flops == 8 * (2 * weights + biases + elementwise * size)
    assert (output.connects, output.weights_saved) == ("full", 0)


@pytest.mark.parametrize("learn_biases", [True, False])
def test_fully_connected_layers_save_nothing(learn_biases):
    layers = (NeuronLayer(3, bias=False), NeuronLayer(10))
    rows = summarize(shapes(Neurons("neurons", layers, learn_biases)), SPEC)
    assert sum(row.weights_saved for row in rows) == 0


@pytest.mark.slow
@pytest.mark.parametrize("model", [SMALL_CNN, SMALL_FNN, replace(SMALL_FNN, normalization="layer")])
def test_parameters_are_those_of_the_tree(model):
    built = network(model)
    expected = sum(np.size(leaf) for leaf in jax.tree.leaves(nnx.state(built, nnx.Param)))
    assert sum(row.num_params for row in summarize(built, SPEC)) == expected
    assert num_params(nnx.state(built, nnx.Param)) == expected


def test_abstract_network_has_the_same_summary_and_the_mode_stays():
    built = network(SMALL_CNN)
    assert summarize(shapes(SMALL_CNN), SPEC) == summarize(built, SPEC)
    assert not built.conv_1_norm.use_running_average


@pytest.mark.parametrize(
    ("model", "tolerance"),
    [(SMALL_FNN, 0.01), (replace(SMALL_CNN, head="flatten", dense=(64,), output_activation="identity"), 0.25)],
)
def test_flops_agree_with_the_compilers_count(model, tolerance):
    # XLA leaves the zero border of a convolution out, a quarter of its products at 8×8 and below.
    built = network(model)
    built.eval()
    graphdef, state = nnx.split(built)
    inputs = jnp.zeros((1, *SPEC.input_shape))
    lowered = jax.jit(lambda state, inputs: nnx.merge(graphdef, state)(inputs)).lower(state, inputs)
    counted = lowered.cost_analysis()["flops"]
    np.testing.assert_allclose(sum(row.flops for row in summarize(built, SPEC)), counted, rtol=tolerance)
