"""A placement of shapes gives the shapes that a real placement's arrays have."""

import jax
import numpy as np
import pytest

from nnjax.parallel.abstract_placement import AbstractPlacement
from nnjax.parallel.placement import Placement

TREE = {"a": np.zeros((5, 8), np.float32), "b": np.zeros((5,), np.int32)}


def described(tree):
    return jax.tree.map(lambda x: (x.shape, x.dtype, x.sharding), tree)


@pytest.mark.parametrize("wrapper", ["pmap", "shard_map"])
@pytest.mark.parametrize("trials", [1, 3, 5])
def test_shapes_types_and_shardings_are_those_of_the_arrays(wrapper, trials):
    places = (wrapper, jax.devices()[:4], trials)
    real, abstract = Placement(*places), AbstractPlacement(*places)
    tree = {"a": np.zeros((trials, 8), np.float32)}
    assert described(abstract.put(tree)) == described(real.put(tree))
    assert described(abstract.replicate(TREE)) == described(real.replicate(TREE))
    assert described(abstract.split({"a": TREE["a"]}, 1)) == described(real.split({"a": TREE["a"]}, 1))


def test_a_device_may_have_the_share_of_one_of_many():
    abstract = AbstractPlacement("pmap", jax.devices()[:2], standing_for=8)
    assert abstract.split(np.zeros((3, 16)), 1).shape == (2, 3, 2)
    assert abstract.num_devices == 2


def test_a_program_is_lowered_from_shapes():
    abstract = AbstractPlacement("shard_map", jax.devices()[:2])
    lowered = abstract.compile(lambda x: jax.lax.psum(x, "data")).lower(abstract.replicate(np.zeros(3, np.float32)))
    assert "all-reduce" in lowered.compile().as_text()
