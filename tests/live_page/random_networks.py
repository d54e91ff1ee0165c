"""Random networks for the page's arithmetic: their traces, made by JAX in float64.

for trace in random_traces(): trace["rows"]
"""

from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest

from nnjax.cli.compose import compose_config
from nnjax.config.options import ELU, LeakyReLU, NeuronLayer, PlainActivation
from nnjax.config.schema import TraceConfig
from nnjax.data.load import load
from nnjax.textbook import trace as tracing

ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "identity", "leaky_relu", "elu")
LOSSES = ({"loss": "half_mse"}, {"loss": "mse"}, {"loss": "cross_entropy"}, {"loss": "cross_entropy", "smoothing": 0.15})
DRAWS = 16
"""Networks of the same shape, which share JAX's compiled program."""


@cache
def base(*overrides):
    return compose_config("trace", ["model=neurons", "data=textbook", *overrides], TraceConfig)


DEPTHS = (1, 2, 3, 4, 2)


def shapes():
    """Every activation with every loss: a dict for each network's shape."""
    rng = np.random.default_rng(16)
    for number, (loss, turn) in enumerate((loss, turn) for loss in LOSSES for turn in range(len(DEPTHS))):
        depth, first = DEPTHS[turn], sum(DEPTHS[:turn])
        names = [ACTIVATIONS[(first + place) % len(ACTIVATIONS)] for place in range(depth)]
        sizes = [int(size) for size in rng.integers(1, 7, depth)]
        if loss["loss"] == "cross_entropy":
            sizes[-1] = max(2, sizes[-1])
        yield {
            **loss,
            "inputs": int(rng.integers(1, 5)),
            "sizes": sizes,
            "names": names,
            # Without a bias weight, an example of zeros has z = 0.
            "bias": [number % 2 == 0 or place > 0 for place, _ in enumerate(sizes)],
            "learns": bool(number % 3),
            "batch": 1 + number % 4,
            "examples": int(rng.integers(1, 6)),
            "iterations": 2 + number % 2,
            "adds": number % 4 < 2,
            "parameter": [None, "leaky_relu", "elu"][number % 3],
        }


def config_of(shape, rng, scale):
    """A network of a shape with weights drawn from a normal distribution, and rounded, so that a trace has them exactly."""

    def numbers(*size, factor=1.0):
        return np.round(factor * rng.normal(size=size), 3)

    def rows(values):
        return tuple(tuple(map(float, row)) for row in values)

    layers, before = [], shape["inputs"]
    for size, name, bias in zip(shape["sizes"], shape["names"], shape["bias"], strict=True):
        chosen = None if name == shape["parameter"] else name
        weights = rows(numbers(size, before, factor=scale))
        layers.append(NeuronLayer(size, weights, tuple(map(float, numbers(size))) if bias else None, bias, chosen))
        before = size
    count = max(shape["batch"], shape["examples"])
    inputs = numbers(count, shape["inputs"])
    if count > 1:
        inputs[1] = 0  # a sum of products that is 0, and without a bias z = 0
    sign, optimizer = (-1, "textbook") if shape["adds"] else (1, "sgd")
    classes = tuple(f"class {k}" for k in range(before)) if shape["loss"] == "cross_entropy" else None
    targets = tuple(classes[k] for k in rng.integers(0, before, count)) if classes else rows(numbers(count, before))
    with_classes = (
        ("data.inputs=[[1],[2]]", "data.classes=[a,b]", "data.targets=[a,b]", "model.layers=[{size: 2, activation: identity}]")
        if classes
        else ()
    )
    config = base(f"loss={shape['loss']}", f"optimizer={optimizer}", *with_classes)
    if "smoothing" in shape:
        config = replace(config, loss=replace(config.loss, label_smoothing=shape["smoothing"]))
    parameter = float(np.round(rng.uniform(0.05, 0.9), 3))
    match shape["parameter"]:
        case "leaky_relu":
            activation = LeakyReLU("leaky_relu", parameter)
        case "elu":
            activation = ELU("elu", parameter + 0.5)
        case _:
            activation = PlainActivation("tanh")
    return replace(
        config,
        model=replace(config.model, layers=tuple(layers), learn_biases=shape["learns"]),
        activation=activation,
        data=replace(config.data, inputs=rows(inputs), targets=targets, classes=classes),
        optimizer=replace(config.optimizer, learning_rate=sign * float(np.round(rng.uniform(0.01, 0.3), 3))),
        training=replace(config.training, global_batch_size=shape["batch"]),
        iterations=shape["iterations"],
    )


def traced(config, num_devices=1):
    """The trace of a config; without the finite differences, which take most of the time and are not compared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracing, "finite_differences", lambda *_: None)
        found = tracing.trace(config, load(config.data), jax.devices()[:num_devices])
    found["checks"] = []
    return found


def random_traces():
    for number, shape in enumerate(shapes()):
        rng = np.random.default_rng([16, number])
        for draw in range(DRAWS):
            yield traced(config_of(shape, rng, (0.7, 3.0)[draw % 8 == 3]))
