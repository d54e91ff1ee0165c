"""The sizes that are counted without JAX are those of the networks that are built."""

import math

import jax
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from nnjax.checks.network_sizes import forward_flops, layer_sizes, optimizer_values
from nnjax.checks.plan import make_plan
from nnjax.cli.compose import compose_train
from nnjax.config.options import (
    CNN,
    FNN,
    RNN,
    Airbench,
    ConvBlock,
    Neuron,
    NeuronLayer,
    Neurons,
    PlainActivation,
    TwoNeuron,
    Whitening,
)
from nnjax.data.dataset_spec import DatasetSpec, dataset_spec
from nnjax.models.build import build
from nnjax.models.layer_summary import num_params, summarize
from nnjax.training.initial_state import abstract_network
from nnjax.training.optimizers import make_optimizer

width = st.integers(1, 9)
widths = st.lists(width, max_size=3).map(tuple)
some_widths = st.lists(width, min_size=1, max_size=3).map(tuple)
image = st.tuples(st.integers(5, 12), st.integers(5, 12), st.integers(1, 3))
blocks = st.lists(
    st.builds(
        ConvBlock,
        width,
        kernel=st.integers(1, 4),
        convolutions=st.integers(1, 3),
        pool=st.integers(1, 2),
        pooling=st.sampled_from(["max", "average"]),
        batch_norm=st.booleans(),
        dropout=st.sampled_from([0.0, 0.3]),
    ),
    max_size=2,
).map(tuple)
whitening = st.builds(Whitening, st.integers(1, 2), st.just(1e-3))


@st.composite
def neurons(draw):
    layers = draw(st.lists(st.builds(NeuronLayer, width, bias=st.booleans()), max_size=3))
    return Neurons("neurons", (*layers, NeuronLayer(4)), draw(st.booleans()))


MODELS = {
    "fnn": st.builds(
        FNN,
        st.just("fnn"),
        widths,
        st.sampled_from(["none", "batch", "layer"]),
        st.sampled_from([0.0, 0.2]),
        st.just("he_normal"),
        st.just("tanh"),
    ),
    "cnn": st.builds(
        CNN,
        st.just("cnn"),
        blocks,
        st.sampled_from(["flatten", "average", "max"]),
        widths,
        st.just(0.1),
        st.just("he_normal"),
        st.just("identity"),
        st.none() | whitening,
        st.booleans(),
    ),
    "airbench": st.builds(Airbench, st.just("airbench"), whitening, some_widths, st.just(0.6), st.just(1.0)),
    "rnn": st.builds(
        RNN,
        st.just("rnn"),
        st.sampled_from(["simple", "gru", "lstm"]),
        some_widths,
        st.sampled_from([0.0, 0.2]),
        st.just("identity"),
    ),
    "neurons": neurons(),
}


def shapes(model, spec):
    return nnx.eval_shape(lambda: build(model, PlainActivation("relu"), spec, rngs=nnx.Rngs(0)))


def spec_of(shape):
    return DatasetSpec("made", shape, "float32", "classification", 4, 8, 0, 8)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=20)
@given(data=st.data())
def test_counts_are_those_of_the_network(name, data):
    model, spec = data.draw(MODELS[name]), spec_of(data.draw(image))
    network, layers = shapes(model, spec), layer_sizes(model, spec)
    trained = jax.tree.leaves(nnx.state(network, nnx.Param))
    assert sum(layer.times * layer.kernels for layer in layers) == sum(math.prod(p.shape) for p in trained if len(p.shape) > 1)
    assert sum(layer.times * layer.vectors for layer in layers) == sum(math.prod(p.shape) for p in trained if len(p.shape) == 1)
    assert sum(layer.times * layer.state for layer in layers) == num_params(nnx.state(network, nnx.Not(nnx.Param)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "below"),
    [
        (["model=two_neuron"], 1.6),
        (["model=fnn", "model.hidden=[300,200]"], 1.01),
        (["model=fnn", "model.normalization=layer"], 1.2),
        (["model=cnn"], 1.1),
        (["model=airbench", "data=cifar10"], 1.1),
        (["model=rnn", "model.cell=simple"], 1.1),
        (["model=rnn", "model.cell=gru"], 1.1),
        (["model=rnn", "model.cell=lstm", "model.hidden=[32,16]"], 1.1),
    ],
)
def test_the_products_are_most_of_the_operations(overrides, below):
    config = compose_train(overrides)
    spec = dataset_spec(config.data)
    network = nnx.eval_shape(lambda: build(config.model, config.activation, spec, rngs=nnx.Rngs(0)))
    counted, products = sum(row.flops for row in summarize(network, spec)), forward_flops(layer_sizes(config.model, spec))
    assert products <= counted <= below * products


@pytest.mark.parametrize("learn", [True, False])
def test_the_two_neurons_are_counted(learn):
    model = TwoNeuron("two_neuron", Neuron((0.1, 0.2, 0.3), 0.6), Neuron((0.5,), 0.4), "relu", learn)
    layers = layer_sizes(model, spec_of((3,)))
    assert sum(layer.num_params for layer in layers) == num_params(nnx.state(shapes(model, spec_of((3,))), nnx.Param))
    assert sum(layer.state for layer in layers) == (0 if learn else 2)


OPTIMIZERS = [
    "optimizer=sgd",
    "optimizer=sgd optimizer.momentum=0 optimizer.nesterov=false",
    "optimizer=adam",
    "optimizer=adamw",
    "optimizer=lion",
    "optimizer=muon",
    "optimizer=muon_sgd",
    "optimizer=muon_sgd optimizer.sgd_momentum=0 optimizer.nesterov=false",
    "optimizer=textbook",
    "optimizer=sgd optimizer.parameter_groups=[{parameters:'*.bias',multiplier:2}]",
]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["model=fnn model.normalization=layer", "model=airbench model.widths=[4,6]"])
@pytest.mark.parametrize("overrides", OPTIMIZERS)
def test_an_optimizer_remembers_as_much(overrides, model):
    config = compose_train([*model.split(), *overrides.split()])
    plan = make_plan(config)
    optimizer = make_optimizer(config.optimizer, plan.relative_rate)
    params = nnx.to_pure_dict(nnx.state(abstract_network(config, plan.spec), nnx.Param))
    remembered = jax.eval_shape(optimizer.init, params)
    counters = 64  # and constants, whose number hangs on the rule alone
    values = optimizer_values(config.optimizer, plan.layers)
    assert 0 <= num_params(remembered) - values < counters


def test_sizes_beyond_64_bits_are_counted():
    model = FNN("fnn", (2**62, 2**62), "none", 0.0, "he_normal", "identity")
    assert sum(layer.num_params for layer in layer_sizes(model, spec_of((8, 8, 1)))) > 2**124
