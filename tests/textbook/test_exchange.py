"""One step over several devices, compared with the same arithmetic in NumPy."""

import json
import re
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from nnjax.cli.compose import compose_config
from nnjax.config.schema import TraceConfig
from nnjax.data.dataset_spec import dataset_spec
from nnjax.parallel.placement import AXIS, Placement
from nnjax.textbook import exchange as module
from nnjax.textbook.exchange import exchange
from nnjax.textbook.passes import traced_network

ERRATA = Path(__file__).parents[2] / "docs" / "errata.md"
RATE = 0.2  # the experiment adds −0.2 × gradient


def composed(*overrides):
    return compose_config("trace", ["experiment=two_gpus", *overrides], TraceConfig)


CONFIG = composed()
INPUTS, TARGETS = np.array(CONFIG.data.inputs), np.array(CONFIG.data.targets)


def exchanged(config, inputs=INPUTS, targets=TARGETS, num_devices=2):
    network = traced_network(config, dataset_spec(config.data))
    return exchange(config, *network, inputs, targets, jax.devices()[:num_devices])


@pytest.fixture(scope="module")
def found():
    return exchanged(CONFIG)


# --- the same in NumPy: tanh layers, then an identity output, half_mse ---------------------------------------------


def initial_weights():
    return [(np.array(layer.weights).T, np.zeros(layer.size)) for layer in CONFIG.model.layers]


def outputs_of(weights, inputs):
    values = [inputs]
    for kernel, bias in weights[:-1]:
        values.append(np.tanh(values[-1] @ kernel + bias))
    return [*values, values[-1] @ weights[-1][0] + weights[-1][1]]


def loss_of(weights, inputs=INPUTS, targets=TARGETS):
    return 0.5 * np.sum((outputs_of(weights, inputs)[-1] - targets) ** 2, axis=1).mean()


def gradients_of(weights, average, inputs=INPUTS, targets=TARGETS):
    """The gradients, first to last layer; `average` maps a layer's error terms [b, neurons] to those that go back."""
    values = outputs_of(weights, inputs)
    gradients, back = [], values[-1] - targets
    for index in reversed(range(len(weights))):
        slope = 1 if index == len(weights) - 1 else 1 - values[index + 1] ** 2
        deltas = average(slope * back)
        gradients.insert(0, (values[index].T @ deltas / len(inputs), deltas.mean(axis=0)))
        back = deltas @ weights[index][0].T
    return gradients


def as_they_are(deltas):
    return deltas


def mean_of_all(deltas):
    return np.broadcast_to(deltas.mean(axis=0), deltas.shape)


def mean_of_pairs(deltas):
    """Averages the k-th examples of both devices."""
    return np.tile(deltas.reshape(2, 4, -1).mean(axis=0), (2, 1))


def over_devices(weights):
    """The average of the devices' own gradients."""
    parts = [gradients_of(weights, as_they_are, INPUTS[half], TARGETS[half]) for half in (slice(4), slice(4, 8))]
    return [tuple((a + b) / 2 for a, b in zip(*layers, strict=True)) for layers in zip(*parts, strict=True)]


SCHEMES = {
    "one device": partial(gradients_of, average=as_they_are),
    "data parallelism": over_devices,
    "neuron averaging": partial(gradients_of, average=mean_of_all),
    "in pairs": partial(gradients_of, average=mean_of_pairs),
}


def trained(scheme, steps):
    """The weights before each step and after the last."""
    weights = [initial_weights()]
    for _ in range(steps):
        gradients = SCHEMES[scheme](weights[-1])
        steps = [tuple(w - RATE * g for w, g in zip(*layer, strict=True)) for layer in zip(weights[-1], gradients, strict=True)]
        weights.append(steps)
    return weights


def largest_difference(one, other):
    return max(np.abs(a - b).max() for layers in zip(one, other, strict=True) for a, b in zip(*layers, strict=True))


def arrays(layers, key):
    """The trace's gradients `key`, first to last layer, in the form of the functions above."""
    return [(np.array(layer[key]["weights"]).T, np.array(layer[key]["biases"])) for layer in reversed(layers)]


# --- what the devices did ------------------------------------------------------------------------------------------


def test_the_average_of_the_devices_is_the_gradient_of_one_device(found):
    expected = SCHEMES["one device"](initial_weights())
    assert largest_difference(arrays(found["layers"], "single_device"), expected) < 1e-15
    assert largest_difference(arrays(found["layers"], "average"), expected) < 1e-15
    assert max(layer["largest_difference"] for layer in found["layers"]) < 1e-15
    assert found["loss"]["single_device"] == pytest.approx(loss_of(initial_weights()), rel=1e-14)
    assert found["loss"]["average"] == pytest.approx(found["loss"]["single_device"], rel=1e-14)


def test_each_device_finds_the_gradients_of_its_own_examples(found):
    for number, half in enumerate((slice(4), slice(4, 8))):
        own = [{"own": layer["gradients"][number]} for layer in found["layers"]]
        expected = gradients_of(initial_weights(), as_they_are, INPUTS[half], TARGETS[half])
        assert largest_difference(arrays(own, "own"), expected) < 1e-15
        loss = loss_of(initial_weights(), INPUTS[half], TARGETS[half])
        assert found["loss"]["devices"][number] == pytest.approx(loss, rel=1e-14)


def test_neuron_averaging_is_another_gradient(found):
    expected = SCHEMES["neuron averaging"](initial_weights())
    assert largest_difference(arrays(found["layers"], "neuron_averaging"), expected) < 1e-15
    difference = largest_difference(expected, SCHEMES["one device"](initial_weights()))
    assert max(layer["neuron_averaging_difference"] for layer in found["layers"]) == pytest.approx(difference)
    assert difference > 0.05


def test_the_output_layer_loses_the_covariance_of_error_and_input(found):
    output, values = found["layers"][0], outputs_of(initial_weights(), INPUTS)
    entering, deltas = values[-2], (values[-1] - TARGETS)[:, 0]
    covariance = (entering * deltas[:, None]).mean(axis=0) - entering.mean(axis=0) * deltas.mean()
    lost = np.array(output["single_device"]["weights"]) - output["neuron_averaging"]["weights"]
    np.testing.assert_allclose(lost[0], covariance, atol=1e-15)
    np.testing.assert_allclose(output["neuron_averaging"]["biases"], output["single_device"]["biases"], atol=1e-15)


def test_the_loss_after_one_step_of_each(found):
    step = found["step"]
    assert step["data_parallel_loss_after"] == pytest.approx(loss_of(trained("one device", 1)[-1]), rel=1e-13)
    assert step["single_device_loss_after"] == pytest.approx(loss_of(trained("one device", 1)[-1]), rel=1e-13)
    assert step["neuron_averaging_loss_after"] == pytest.approx(loss_of(trained("neuron averaging", 1)[-1]), rel=1e-13)


def test_it_is_plain_json_and_says_who_does_what(found):
    assert json.loads(json.dumps(found)) == found
    assert [device["label"] for device in found["devices"]] == ["device 1", "device 2"]
    assert [device["name"] for device in found["devices"]] == ["cpu:0", "cpu:1"]
    assert [device["examples"] for device in found["devices"]] == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert [layer["name"] for layer in found["layers"]] == ["output", "layer_2", "layer_1"]
    assert [layer["neurons"] for layer in found["layers"]] == [["i"], list("efgh"), list("abcd")]
    assert [layer["weight_shape"] for layer in found["layers"]] == [[4, 1], [4, 4], [4, 4]]
    assert [layer["bytes_sent"] for layer in found["layers"]] == [20, 80, 80]
    assert found["summary"][-1] == "What trains like one device: data parallelism."


def test_both_wrappers_say_the_same(found):
    other = exchanged(composed("parallel=shard_map"))
    for key in ("average", "neuron_averaging"):
        assert largest_difference(arrays(found["layers"], key), arrays(other["layers"], key)) < 1e-15


def test_a_layer_without_learnt_biases_sends_none():
    config = composed("model.learn_biases=false", "model.layers=[{size: 3}, {size: 1, bias: false}]")
    found = exchanged(config)
    assert [layer["bytes_sent"] for layer in found["layers"]] == [4 * 3, 4 * 12]
    for layer in found["layers"]:
        assert layer["average"]["biases"] is layer["neuron_averaging"]["biases"] is layer["gradients"][0]["biases"] is None
        assert layer["largest_difference"] < 1e-15


def test_gradients_that_are_no_numbers_are_said_to_be_none():
    with np.errstate(invalid="ignore", over="ignore"):
        found = exchanged(CONFIG, targets=np.full_like(TARGETS, 1e308))
    assert found["summary"] == ["Not all gradients are finite numbers, so there is nothing to compare."]


def test_a_device_needs_nothing_of_the_others_for_its_own_gradients(found):
    changed = TARGETS + np.repeat([0.0, 1.0], 4)[:, None]  # only the second device's
    other = exchanged(CONFIG, targets=changed)
    for before, after in zip(found["layers"], other["layers"], strict=True):
        assert before["gradients"][0] == after["gradients"][0]
        assert before["gradients"][1] != after["gradients"][1]


def test_data_parallelism_needs_one_exchange_and_neuron_averaging_one_a_layer():
    network, params, state = traced_network(CONFIG, dataset_spec(CONFIG.data))
    spread = Placement("pmap", jax.devices()[:2])

    def exchanges(function):
        arguments = spread.replicate(params), spread.replicate(state), *spread.split((INPUTS, TARGETS))
        program = spread.compile(function).lower(*arguments).compile().as_text()
        return len(re.findall(r"= .*all-reduce(?:-start)?\(", program))

    loss = partial(module._mean_loss, CONFIG.loss, network)
    with jax.enable_x64(True):
        assert exchanges(lambda *args: lax.pmean(jax.grad(loss)(*args), AXIS)) == 1
        assert exchanges(partial(module._neuron_averaging, CONFIG.loss, network)) == 3


# --- docs/errata.md ------------------------------------------------------------------------------------------------


def trained_on_devices(place, steps):
    """The weights after some steps with the devices' own averages: 1 data parallelism, 2 neuron averaging."""
    network, params, state = traced_network(CONFIG, dataset_spec(CONFIG.data))
    spread = Placement("pmap", jax.devices()[:2])
    with jax.enable_x64(True):
        on_device = spread.compile(partial(module._on_device, CONFIG.loss, network))
        batch, state = spread.split((INPUTS, TARGETS)), spread.replicate(state)
        for _ in range(steps):
            gradients = spread.fetch(on_device(spread.replicate(params), state, *batch)[1][place])
            params = jax.tree.map(lambda w, g: np.asarray(w) - RATE * g, params, gradients)
    return [(params[name]["kernel"], params[name]["bias"]) for name in ("layer_1", "layer_2", "output")]


def test_the_numbers_of_the_errata():
    section = ERRATA.read_text(encoding="utf-8").partition("## Two devices")[2].partition("\n## ")[0]
    text = " ".join(section.split())

    start = initial_weights()
    gradients = {scheme: of(start) for scheme, of in SCHEMES.items()}
    for place, name in ((2, "output"), (1, "layer_2"), (0, "layer_1")):
        exact = [gradients["one device"][place]]
        off = {scheme: largest_difference([found[place]], exact) for scheme, found in gradients.items()}
        assert off["data parallelism"] < 1e-15
        largest = max(np.abs(values).max() for values in exact[0])
        row = f"| {name} | {largest:.6f} | less than 1e-15 | {off['neuron averaging']:.6f} | {off['in pairs']:.6f} |"
        assert row in section

    weights = {scheme: trained(scheme, 200) for scheme in SCHEMES}
    for steps in (0, 1, 10, 100, 200):
        losses = " | ".join(f"{loss_of(weights[scheme][steps]):.6f}" for scheme in SCHEMES)
        assert f"| {steps} step{'' if steps == 1 else 's'} | {losses} |" in section

    exact, averaged = weights["one device"][-1], weights["neuron averaging"][-1]
    assert largest_difference(trained_on_devices(1, 200), exact) < 1e-14
    assert largest_difference(trained_on_devices(2, 200), averaged) < 1e-14
    errors = outputs_of(averaged, INPUTS)[-1] - TARGETS
    assert abs(errors.mean()) < 1e-15
    assert f"off by up to {largest_difference(averaged, exact):.2f}. Neuron averaging has come to rest" in text
    assert f"single outputs are off by up to {np.abs(errors).max():.2f}." in text

    deltas = [bias for _, bias in gradients["neuron averaging"]]
    entering = outputs_of(start, INPUTS)[:-1]
    apart = max(
        np.abs(np.outer(values[:4].mean(axis=0) - values[4:].mean(axis=0), delta)).max()
        for values, delta in zip(entering, deltas, strict=True)
    )
    assert f"differ by up to {RATE * apart:.6f}" in text
    assert "all 45 weight gradients, 180 bytes" in text


# --- for any network -----------------------------------------------------------------------------------------------

CASES = [
    (1, "pmap", "half_mse", 3, "[{size: 2, activation: leaky_relu}]"),
    (2, "shard_map", "mse", 1, "[{size: 3, activation: silu, bias: false}, {size: 2, activation: tanh}]"),
    (4, "pmap", "mse", 2, "[{size: 1}, {size: 4, activation: sigmoid}, {size: 2, activation: elu}]"),
    (8, "shard_map", "half_mse", 1, "[{size: 4, activation: softplus}, {size: 2, activation: identity}]"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("num_devices", "wrapper", "loss", "share", "network"), CASES)
@settings(max_examples=3)
@given(seed=st.integers(0, 2**31))
def test_any_network_any_batch_any_number_of_devices(num_devices, wrapper, loss, share, network, seed):
    random, examples = np.random.default_rng(seed), num_devices * share
    inputs, targets = random.normal(size=(examples, 3)).round(2), random.normal(size=(examples, 2)).round(2)
    config = composed(
        f"parallel={wrapper}",
        f"parallel.devices={num_devices}",
        f"loss={loss}",
        f"model.layers={network}",
        f"data.inputs={inputs.tolist()}",
        f"data.targets={targets.tolist()}",
        f"training.global_batch_size={examples}",
        f"training.eval_batch_size={examples}",
        f"seed={seed}",
    )
    found = exchanged(config, inputs, targets, num_devices)
    assert all(layer["largest_difference"] < 1e-12 for layer in found["layers"])
    step = found["step"]
    assert step["data_parallel_loss_after"] == pytest.approx(step["single_device_loss_after"], rel=1e-11)
    assert found["summary"][-1] == "What trains like one device: data parallelism."

    # If all examples are equal, mean error term × mean input is the mean of the products.
    same = exchanged(config, inputs[:1].repeat(examples, axis=0), targets[:1].repeat(examples, axis=0), num_devices)
    assert all(layer["neuron_averaging_difference"] < 1e-12 for layer in same["layers"])
    assert same["summary"][-1] == "What trains like one device: data parallelism and neuron averaging."
