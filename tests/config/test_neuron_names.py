"""Neurons and weights have the textbook's names, in traces as in a training's figures."""

from nnjax.config.neuron_names import neuron_names, weight_symbol, weight_symbols


def test_names_of_neurons_and_weights():
    assert neuron_names([1, 1]) == [["a"], ["b"]]
    assert neuron_names([25, 1])[1] == ["z"]
    assert neuron_names([26, 1]) == [[f"h1.{i}" for i in range(1, 27)], ["h2.1"]]
    assert weight_symbol("a", 0) == "w_a0"
    assert weight_symbol("h1.3", 12) == "w_h1.3,12"


def test_recorded_weights_are_called_as_in_a_trace():
    assert weight_symbols(["neuron_a.w0", "neuron_a.w1", "neuron_b.w1"]) == {
        "neuron_a.w0": "w_a0",
        "neuron_a.w1": "w_a1",
        "neuron_b.w1": "w_b1",
    }
    recorded = ["layer_10.w1", "layer_2.w1,0", "layer_2.w2,3", "output.w1", "layer_1.w1"]
    assert list(weight_symbols(recorded).values()) == ["w_d1", "w_b0", "w_c3", "w_e1", "w_a1"]


def test_weights_that_belong_to_no_neuron_keep_their_names():
    assert weight_symbols(["conv_1.kernel[0,0,0,3]", "output.w1"]) == {
        "conv_1.kernel[0,0,0,3]": "kernel[0,0,0,3]",
        "output.w1": "w1",
    }
