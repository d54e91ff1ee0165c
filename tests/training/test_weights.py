"""Weights by the textbook's names."""

import numpy as np
import pytest

from nnjax.training.weights import is_recorded, named_weights


def test_a_layer_with_one_neuron_counts_its_inputs():
    params = {"neuron_a": {"kernel": np.array([[0.1], [0.2]]), "bias": np.array([0.6])}}
    assert named_weights(params) == {"neuron_a.w1": 0.1, "neuron_a.w2": 0.2, "neuron_a.w0": 0.6}


def test_a_wider_layer_names_neuron_and_input():
    params = {"layer_1": {"kernel": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), "bias": np.array([7.0, 8.0, 9.0])}}
    named = named_weights(params)
    assert named["layer_1.w3,2"] == 6.0  # the second input of the third neuron
    assert named["layer_1.w3,0"] == 9.0
    assert len(named) == 9


def test_what_is_no_dense_layer_is_named_by_its_place():
    params = {"conv_1": {"kernel": np.arange(4.0).reshape(1, 1, 2, 2)}, "norm": {"scale": np.ones(2), "bias": np.zeros(2)}}
    assert named_weights(params)["conv_1.kernel[0,0,1,0]"] == 2.0
    assert named_weights(params)["norm.scale[1]"] == 1.0


@pytest.mark.parametrize(("most", "recorded"), [(0, False), (2, False), (3, True)])
def test_only_small_networks_are_recorded(most, recorded):
    assert is_recorded({"a": {"kernel": np.zeros((2, 1)), "bias": np.zeros(1)}}, most) == recorded
