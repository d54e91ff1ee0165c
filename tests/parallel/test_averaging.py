"""All ways to average gradients give the same numbers, in the messages that they promise."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.parallel.averaging import Averaging, share_shape
from nnjax.parallel.compilation import compile_lowered
from nnjax.parallel.placement import Placement

LAYERS = ("dense_1", "norm", "output")
SHAPES = {
    "dense_1": {"bias": (7,), "kernel": (5, 7)},
    "norm": {"scale": (1,)},
    "output": {"bias": (3,), "kernel": (2, 3, 3)},
    "temperature": {"value": ()},
}


def grads(num_devices, dtype=np.float32, seed=0):
    """Of each device: [num_devices, ...], as a placement takes them."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda shape: rng.normal(size=(num_devices, *shape)).astype(dtype), SHAPES, is_leaf=lambda x: isinstance(x, tuple)
    )


def placed(placement, tree):
    """Row i on device i."""
    return jax.tree.map(lambda x: x.reshape(x.shape[0], *x.shape[2:]), placement.split(jax.tree.map(np.asarray, tree)))


def compiled(placement, averaging, function, *args):
    return compile_lowered(placement.compile(function).lower(*args), "cpu", in_turn=averaging.in_turn)


def mean_of(way, num_devices, tree, wrapper="pmap", bucket_bytes=100):
    placement = Placement(wrapper, jax.devices()[:num_devices])
    averaging = Averaging(way, bucket_bytes, LAYERS)
    args = placed(placement, tree)
    program = compiled(placement, averaging, averaging.mean, args)
    return jax.tree.map(np.asarray, program(args)), program.as_text()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, jnp.bfloat16])
@pytest.mark.parametrize(("num_devices", "wrapper"), [(2, "pmap"), (3, "shard_map"), (4, "pmap")])
@pytest.mark.parametrize("way", ["per_tensor", "buckets", "flat"])
def test_every_way_gives_the_mean_to_the_bit(way, num_devices, wrapper, dtype):
    tree = grads(num_devices, dtype)
    expected, _ = mean_of("automatic", num_devices, tree, wrapper)
    found, _ = mean_of(way, num_devices, tree, wrapper)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    exact = jax.tree.map(lambda x: np.asarray(x, np.float64).mean(axis=0), tree)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[0], b, atol=4 * float(jnp.finfo(dtype).eps)), found, exact)


def reductions(text, kind="all-reduce"):
    """The scopes of a program's exchanges, in order."""
    return [
        re.search(r'op_name="[^"]*?((gradients|parameters)/[^"]*)"', line)[1]
        for line in text.splitlines()
        if f" {kind}(" in line
    ]


@pytest.mark.parametrize("wrapper", ["pmap", "shard_map"])
def test_the_messages_are_those_that_are_promised(wrapper):
    tree = grads(2)
    (combined,) = reductions(mean_of("automatic", 2, tree, wrapper)[1])
    assert "dense_1/kernel" in combined
    assert "output/bias" in combined
    assert reductions(mean_of("per_tensor", 2, tree, wrapper)[1]) == [
        f"gradients/{name}/psum"
        for name in ("output/bias", "output/kernel", "norm/scale", "dense_1/bias", "dense_1/kernel", "temperature/value")
    ]
    assert reductions(mean_of("buckets", 2, tree, wrapper)[1]) == [f"gradients/bucket_{i}/psum" for i in (1, 2, 3, 4)]
    assert reductions(mean_of("flat", 2, tree, wrapper)[1]) == ["gradients/bucket_1/psum"]


def test_the_plan_is_what_is_sent():
    tree = grads(2)
    whole = jax.tree.map(lambda x: x[0], tree)
    for way in ("per_tensor", "buckets", "flat"):
        sizes = [bucket.size for bucket in Averaging(way, 100, LAYERS).buckets(whole, 2)]
        lines = [line for line in mean_of(way, 2, tree)[1].splitlines() if " all-reduce(" in line]
        shapes = [re.search(r"= \w+\[([\d,]*)\]", line)[1] for line in lines]
        assert [int(np.prod([int(n) for n in shape.split(",") if n])) for shape in shapes] == sizes


@pytest.mark.slow
@pytest.mark.parametrize("wrapper", ["pmap", "shard_map"])
@pytest.mark.parametrize("num_devices", [2, 3, 4])
@pytest.mark.parametrize("dtype", [np.float32, jnp.bfloat16])
def test_shares_of_the_mean_make_the_mean(wrapper, num_devices, dtype):
    placement = Placement(wrapper, jax.devices()[:num_devices])
    averaging = Averaging("sharded", 100, LAYERS)
    tree = grads(num_devices, dtype)

    def function(own):
        shares = averaging.scatter(own)
        return shares, averaging.gather(shares, own), averaging.norm(shares), averaging.share(own)

    args = placed(placement, tree)
    program = compiled(placement, averaging, function, args)
    shares, whole, norm, cut = jax.tree.map(np.asarray, program(args))
    expected, _ = mean_of("automatic", num_devices, tree, wrapper)
    jax.tree.map(np.testing.assert_array_equal, whole, expected)
    squares = sum((np.asarray(x[0], np.float64) ** 2).sum() for x in jax.tree.leaves(expected))
    np.testing.assert_allclose(np.asarray(norm, np.float64), np.sqrt(squares), rtol=4 * float(jnp.finfo(dtype).eps))
    for parts, own, given in zip(*map(jax.tree.leaves, (shares, cut, tree)), strict=True):
        shape = given.shape[1:]
        assert parts.shape[1:] == own.shape[1:] == share_shape(shape, num_devices)
        padded = np.zeros(parts[0].size * num_devices, given.dtype)
        for device in range(num_devices):
            padded[: given[device].size] = given[device].ravel()
            np.testing.assert_array_equal(own[device].ravel(), np.split(padded, num_devices)[device])
        assert not parts.reshape(-1)[given[0].size :].any()  # padding counts in no norm
    text = program.as_text()
    names = [bucket.name for bucket in averaging.buckets(jax.tree.map(lambda x: x[0], tree), num_devices)]
    assert len(names) > 1
    assert reductions(text, "reduce-scatter") == [f"gradients/{name}/reduce_scatter" for name in names]
    assert reductions(text, "all-gather") == [f"parameters/{name}/all_gather" for name in names]
    assert reductions(text) == ["gradients/norm/psum"]


@pytest.mark.parametrize("way", ["automatic", "per_tensor", "buckets", "flat"])
def test_one_device_exchanges_nothing(way):
    found, text = mean_of(way, 1, grads(1))
    assert "all-reduce" not in text
    jax.tree.map(np.testing.assert_array_equal, found, grads(1))
