from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nnjax.config.dataset_spec import DatasetSpec
from nnjax.config.options import CNN, FNN, ConvBlock, PlainActivation
from nnjax.models.build import build
from nnjax.models.summary import num_params, summarize

SPEC = DatasetSpec("digits", (8, 8, 2), "uint8", "classification", 10, 8, 0, 8)
SMALL_CNN = CNN(
    "cnn",
    (ConvBlock(4, batch_norm=True), ConvBlock(6, pooling="average", dropout=0.1)),
    "average",
    (5,),
    0.0,
    "he_normal",
    "tanh",
)
SMALL_FNN = FNN("fnn", (32, 16), "none", 0.0, "he_normal", "identity")


def network(model):
    return build(model, PlainActivation("relu"), SPEC, rngs=nnx.Rngs(0))


def test_every_layer_is_there_with_its_numbers():
    rows = [(row.name, row.kind, row.output_shape, row.num_params, row.flops) for row in summarize(network(SMALL_CNN), SPEC)]
    assert rows == [
        ("conv_1", "conv 3×3", (8, 8, 4), 9 * 2 * 4, 2 * 9 * 2 * 4 * 64),
        ("conv_1_norm", "batch norm", (8, 8, 4), 2 * 4, 3 * 4 * 64),
        ("conv_1_activation", "relu", (8, 8, 4), 0, 4 * 64),
        ("pool_1", "max pool 2×2", (4, 4, 4), 0, 4 * 64),
        ("conv_2", "conv 3×3", (4, 4, 6), 9 * 4 * 6 + 6, 2 * 9 * 4 * 6 * 16 + 6 * 16),
        ("conv_2_activation", "relu", (4, 4, 6), 0, 6 * 16),
        ("pool_2", "average pool 2×2", (2, 2, 6), 0, 6 * 16),
        ("dropout_2", "dropout 0.1", (2, 2, 6), 0, 0),
        ("head", "global average pool", (6,), 0, 24),
        ("dense_1", "dense", (5,), 6 * 5 + 5, 2 * 6 * 5 + 5),
        ("dense_1_activation", "relu", (5,), 0, 5),
        ("output", "dense", (10,), 5 * 10 + 10, 2 * 5 * 10 + 10),
        ("output_activation", "tanh", (10,), 0, 10),
    ]


@pytest.mark.parametrize("model", [SMALL_CNN, SMALL_FNN, replace(SMALL_FNN, normalization="layer")])
def test_parameters_are_those_of_the_tree(model):
    built = network(model)
    expected = sum(np.size(leaf) for leaf in jax.tree.leaves(nnx.state(built, nnx.Param)))
    assert sum(row.num_params for row in summarize(built, SPEC)) == expected
    assert num_params(nnx.state(built, nnx.Param)) == expected


def test_abstract_network_has_the_same_summary_and_the_mode_stays():
    built = network(SMALL_CNN)
    abstract = nnx.eval_shape(lambda: network(SMALL_CNN))
    assert summarize(abstract, SPEC) == summarize(built, SPEC)
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
