"""The config check on BatchNorm's number of values, against the shapes of the networks that are built."""

import math
from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from nnjax.checks.experiment_checks import check_config
from nnjax.cli.compose import compose_train
from nnjax.config.errors import IncompatibleError
from nnjax.config.options import ConvBlock, Whitening
from nnjax.data.dataset_spec import dataset_spec
from nnjax.models.layers import BATCH_AXIS
from nnjax.training.initial_state import abstract_network


def fewest_values(config):
    """The smallest number of values a channel in a step, over all BatchNorms of a config's network."""
    spec = dataset_spec(config.data)
    graph, state = nnx.split(abstract_network(config, spec))
    batch = jax.ShapeDtypeStruct((1, config.training.global_batch_size, *spec.input_shape), jnp.float32)

    def outputs(state, inputs):
        return [values for _, values in nnx.merge(graph, state, copy=True).layer_outputs(inputs)]

    shapes = jax.eval_shape(jax.vmap(outputs, (None, 0), axis_name=BATCH_AXIS), state, batch)
    names = nnx.merge(graph, state).names
    seen = [math.prod(shape.shape[1:-1]) for name, shape in zip(names, shapes, strict=True) if name.endswith("_norm")]
    return min(seen, default=math.inf)


def is_refused(config):
    try:
        check_config(config)
    except IncompatibleError as error:
        assert "whatever comes in" in str(error)  # noqa: PT017
        return True
    return False


@cache
def base(model):
    words = [f"model={model}", "data=synthetic", "data.input_shape=[8,8,2]", "data.num_train=256", "data.num_test=8"]
    return compose_train([*words, "parallel.devices=1"])


def config_of(model, side, batch, **changes):
    config = base(model)
    return replace(
        config,
        data=replace(config.data, input_shape=(*side, 2)),
        training=replace(config.training, global_batch_size=batch),
        model=replace(config.model, **changes),
    )


@st.composite
def cnns(draw):
    side, batch = (draw(st.integers(1, 5)), draw(st.integers(1, 5))), draw(st.sampled_from([1, 1, 2]))
    size = draw(st.integers(0, min(side)))
    height, width = (length - max(size - 1, 0) for length in side)
    blocks = []
    for _ in range(draw(st.integers(1, 3))):
        pool = draw(st.integers(1, min(height, width, 3)))
        height, width = height // pool, width // pool
        kernel, convolutions, norm = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.booleans())
        blocks.append(ConvBlock(2, kernel=kernel, convolutions=convolutions, pool=pool, batch_norm=norm))
    whitening = Whitening(size, 1e-3) if size else None
    return config_of("cnn", side, batch, blocks=tuple(blocks), whitening=whitening, dense=(), dropout=0.0)


@pytest.mark.slow
@settings(max_examples=25)
@given(cnns())
def test_a_cnn_is_refused_where_a_batch_norm_sees_one_value(config):
    assert is_refused(config) == (fewest_values(config) == 1)


@pytest.mark.slow
@settings(max_examples=25)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.integers(1, 4), st.sampled_from([1, 1, 2]))
def test_an_airbench_is_refused_where_a_batch_norm_sees_one_value(height, width, size, groups, batch):
    whitening = Whitening(min(size, height, width), 1e-3)
    config = config_of("airbench", (height, width), batch, whitening=whitening, widths=(2,) * groups)
    assert is_refused(config) == (fewest_values(config) == 1)
