"""The plan of the buffers in which gradients travel."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.parallel.buckets import plan_buckets

LAYERS = ("conv_1", "dense_1", "output")


def shapes(dtype=np.float32):
    return {
        "conv_1": {"kernel": jax.ShapeDtypeStruct((3, 3, 1, 5), dtype)},
        "dense_1": {"bias": jax.ShapeDtypeStruct((7,), dtype), "kernel": jax.ShapeDtypeStruct((5, 7), dtype)},
        "output": {"bias": jax.ShapeDtypeStruct((3,), dtype), "kernel": jax.ShapeDtypeStruct((7, 3), dtype)},
    }


def names(buckets):
    return [[tensor.name for tensor in bucket.tensors] for bucket in buckets]


def test_the_last_layer_comes_first():
    (bucket,) = plan_buckets(shapes(), LAYERS, 1e9)
    assert names([bucket]) == [["output/bias", "output/kernel", "dense_1/bias", "dense_1/kernel", "conv_1/kernel"]]
    assert (bucket.name, bucket.size, bucket.padding, bucket.tensors[-1].layer) == (
        "bucket_1",
        3 + 21 + 7 + 35 + 45,
        0,
        "conv_1",
    )


@pytest.mark.parametrize(
    ("most_bytes", "expected"),
    [
        (0, [["output/bias"], ["output/kernel"], ["dense_1/bias"], ["dense_1/kernel"], ["conv_1/kernel"]]),
        # A full bucket may be filled to the last byte, and a larger tensor has its own.
        (4 * 24, [["output/bias", "output/kernel"], ["dense_1/bias"], ["dense_1/kernel"], ["conv_1/kernel"]]),
        (4 * 23, [["output/bias"], ["output/kernel"], ["dense_1/bias"], ["dense_1/kernel"], ["conv_1/kernel"]]),
        (4 * 42, [["output/bias", "output/kernel", "dense_1/bias"], ["dense_1/kernel"], ["conv_1/kernel"]]),
    ],
)
def test_a_bucket_holds_consecutive_tensors_up_to_its_bytes(most_bytes, expected):
    assert names(plan_buckets(shapes(), LAYERS, most_bytes)) == expected


def test_tensors_of_unknown_layers_come_last_and_types_are_not_mixed():
    tree = shapes() | {"added": {"scale": jax.ShapeDtypeStruct((4,), np.float16)}}
    tree["dense_1"]["bias"] = jax.ShapeDtypeStruct((7,), np.float16)
    buckets = plan_buckets(tree, LAYERS, 1e9)
    assert names(buckets) == [
        ["output/bias", "output/kernel", "dense_1/kernel", "conv_1/kernel"],
        ["dense_1/bias", "added/scale"],
    ]
    assert [bucket.dtype for bucket in buckets] == [np.float32, np.float16]


def test_shares_are_padded_to_equal_length():
    (bucket,) = plan_buckets(shapes(), LAYERS, 1e9, shares=4)
    assert [tensor.share for tensor in bucket.tensors] == [1, 6, 2, 9, 12]
    assert bucket.size == 4 * 30
    assert bucket.padding == 120 - 111
    assert len(plan_buckets(shapes(), LAYERS, 4 * (4 + 24), shares=4)[0].tensors) == 2  # padding counts


@given(
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=12),
    most=st.integers(0, 400),
    shares=st.integers(1, 5),
)
def test_each_tensor_is_in_exactly_one_bucket(sizes, most, shares):
    tree = {f"layer_{i:02d}": {"kernel": np.zeros(size, np.float32)} for i, size in enumerate(sizes)}
    buckets = plan_buckets(tree, sorted(tree), most, shares)
    assert [name for bucket in names(buckets) for name in bucket] == [f"{layer}/kernel" for layer in sorted(tree, reverse=True)]
    assert all(len(bucket.tensors) == 1 or 4 * bucket.size <= most for bucket in buckets)
    assert sum(bucket.size - bucket.padding for bucket in buckets) == sum(sizes)
    leaves = jax.tree.leaves(tree)
    assert all(tensor.shape == leaves[tensor.place].shape for bucket in buckets for tensor in bucket.tensors)
