from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.test_util import check_grads

from nnjax.cli.compose import compose_train
from nnjax.config.errors import IncompatibleError
from nnjax.config.options import RNN, LeakyReLU, PlainActivation
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.models.activations import activation
from nnjax.models.build import build
from nnjax.models.recurrent import Recurrent

TANH = PlainActivation("tanh")
LEAKY = LeakyReLU("leaky_relu", 0.1)
SERIES = DatasetSpec("series", (12, 1), "float32", "regression", 1, 8, 0, 8)
PHOTOS = DatasetSpec("photos", (9, 6, 3), "uint8", "classification", 4, 8, 0, 8)
ROWS = replace(PHOTOS, input_shape=(9, 18))
TWO_LAYERS = RNN("rnn", "gru", (5, 7), 0.0, "identity")
CELLS = ["simple", "gru", "lstm"]


def sequences(b, t, d):
    return np.random.default_rng(0).normal(size=(b, t, d))


def split_layer(cell, *, every_step=True, config=TANH, dtype=jnp.float32, num_features=3, size=4):
    """A layer with random biases too, so that a missing one shows."""
    layer = Recurrent(
        cell, num_features, size, activation=activation(config), every_step=every_step, dtype=dtype, rngs=nnx.Rngs(0)
    )
    graphdef, params, rest = nnx.split(layer, nnx.Param, ...)
    assert not jax.tree.leaves(rest)
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda p: p if p.ndim > 1 else p + rng.normal(size=p.shape).astype(p.dtype), params)
    return graphdef, params


def by_hand(cell, params, inputs, f):
    """Every step's state in float64 NumPy, by the equations in the layer's docstring, gate by gate."""
    params = {name: {key: np.asarray(leaf, np.float64) for key, leaf in dense.items()} for name, dense in params.items()}
    w, u = params["dense_i"]["kernel"], params["dense_h"]["kernel"]
    bias = params["dense_h" if cell == "lstm" else "dense_i"]["bias"]
    size = len(u)
    gates = [slice(start, start + size) for start in range(0, len(bias), size)]

    def sigma(z):
        return 1 / (1 + np.exp(-z))

    h = c = np.zeros((len(inputs), size))
    states = []
    for x in np.moveaxis(inputs, 1, 0):
        from_input, from_state = [x @ w[:, gate] + bias[gate] for gate in gates], [h @ u[:, gate] for gate in gates]
        z = [a + b for a, b in zip(from_input, from_state, strict=True)]
        match cell:
            case "simple":
                h = f(z[0])
            case "gru":
                reset, keep = sigma(z[0]), sigma(z[1])
                candidate = f(from_input[2] + reset * from_state[2])
                h = (1 - keep) * candidate + keep * h
            case "lstm":
                c = sigma(z[1]) * c + sigma(z[0]) * f(z[2])
                h = sigma(z[3]) * f(c)
        states.append(h)
    return np.stack(states, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("config", "f"), [(TANH, np.tanh), (LEAKY, lambda z: np.where(z > 0, z, 0.1 * z))])
@pytest.mark.parametrize("cell", CELLS)
def test_every_step_is_the_cells_equations(cell, config, f):
    graphdef, params = split_layer(cell, config=config)
    inputs = sequences(5, 7, 3)
    states = nnx.merge(graphdef, params)(jnp.asarray(inputs, jnp.float32))
    expected = by_hand(cell, nnx.to_pure_dict(params)["cell"], inputs, f)
    np.testing.assert_allclose(states, expected, rtol=1e-5, atol=2e-6)

    last_graph, _ = split_layer(cell, config=config, every_step=False)
    last = nnx.merge(last_graph, params)(jnp.asarray(inputs, jnp.float32))
    np.testing.assert_allclose(last, expected[:, -1], rtol=1e-5, atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_those_of_finite_differences(cell):
    with jax.enable_x64(True):
        graphdef, params = split_layer(cell, dtype=jnp.float64)
        params = jax.tree.map(lambda p: p.astype(jnp.float64), params)

        @jax.jit
        def loss(params, inputs):
            return jnp.sum(nnx.merge(graphdef, params)(inputs) ** 2)

        check_grads(loss, (params, jnp.asarray(sequences(2, 6, 3))), order=1, modes=["rev"], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_a_step_sees_no_later_one(cell):
    graphdef, params = split_layer(cell)
    layer = nnx.merge(graphdef, params)
    inputs = jnp.asarray(sequences(2, 6, 3), jnp.float32)
    states, changed = layer(inputs), layer(inputs.at[:, 4].add(1.0))
    np.testing.assert_array_equal(states[:, :4], changed[:, :4])
    assert (np.abs(states[:, 4:] - changed[:, 4:]).max((0, 2)) > 1e-3).all()


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_bfloat16_computes_so_and_stays_near(cell):
    exact, rounded = (nnx.merge(*split_layer(cell, dtype=dtype)) for dtype in (jnp.float32, jnp.bfloat16))
    inputs = jnp.asarray(sequences(4, 28, 3), jnp.float32)
    assert rounded(inputs).dtype == jnp.bfloat16
    np.testing.assert_allclose(rounded(inputs).astype(jnp.float32), exact(inputs), atol=0.05)


def test_the_forget_gate_starts_open():
    # With inputs and state 0 the gates are their biases: the memory keeps the share σ(1) and adds σ(0) · tanh(0) = 0.
    layer = Recurrent("lstm", 3, 4, activation=jnp.tanh, every_step=False, dtype=jnp.float32, rngs=nnx.Rngs(0))
    zeros = jnp.zeros((1, 4))
    (memory, _), _ = layer.cell((zeros + 2.0, zeros), jnp.zeros((1, 3)))
    np.testing.assert_allclose(memory, 2 / (1 + np.exp(-1.0)) * np.ones((1, 4)), rtol=1e-6)


def outputs_of(model, spec):
    """Each layer's name and the shape of its outputs for two examples."""

    def outputs():
        network = build(model, TANH, spec, rngs=nnx.Rngs(0))
        network.eval()
        return dict(network.layer_outputs(jnp.ones((2, *spec.input_shape))))

    return {name: values.shape for name, values in jax.eval_shape(outputs).items()}


def test_all_but_the_last_layer_hand_on_every_step():
    assert outputs_of(replace(TWO_LAYERS, dropout=0.2, output_activation="tanh"), PHOTOS) == {
        "rows": (2, 9, 18),
        "rnn_1": (2, 9, 5),
        "rnn_2": (2, 7),
        "dropout": (2, 7),
        "output": (2, 4),
        "output_activation": (2, 4),
    }
    assert outputs_of(TWO_LAYERS, SERIES) == {"rnn_1": (2, 12, 5), "rnn_2": (2, 7), "output": (2, 1)}


@pytest.mark.slow
def test_an_image_is_read_row_by_row():
    images = jnp.asarray(np.random.default_rng(0).normal(size=(3, 9, 6, 3)), jnp.float32)
    over_images = build(TWO_LAYERS, TANH, PHOTOS, rngs=nnx.Rngs(0))
    over_rows = build(TWO_LAYERS, TANH, ROWS, rngs=nnx.Rngs(0))
    rows = jnp.stack([jnp.stack([image[y].ravel() for y in range(9)]) for image in images])
    np.testing.assert_array_equal(over_images(images), over_rows(rows))


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_learns_what_stood_at_the_first_step(cell):
    # Only the state can carry it to the last step.
    graphdef, params, rest = nnx.split(
        build(RNN("rnn", cell, (8,), 0.0, "identity"), TANH, SERIES, rngs=nnx.Rngs(0)), nnx.Param, ...
    )
    inputs = jnp.asarray(sequences(64, 12, 1), jnp.float32)

    def loss(params):
        return jnp.mean((nnx.merge(graphdef, params, rest, copy=True)(inputs) - inputs[:, 0]) ** 2)

    def step(_, carry):
        params, velocity = carry
        velocity = jax.tree.map(lambda v, g: 0.9 * v - 0.03 * g, velocity, jax.grad(loss)(params))
        return jax.tree.map(jnp.add, params, velocity), velocity

    start = (params, jax.tree.map(jnp.zeros_like, params))
    trained, _ = jax.jit(lambda start: jax.lax.fori_loop(0, 600, step, start))(start)
    assert loss(params) > 0.5
    assert loss(trained) < 0.1


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data=textbook"], "model=rnn: needs sequences or images; data=textbook has 3 inputs; choose model=fnn"),
        (["data=digits", "model.hidden=[]"], r"model.hidden=\[\]: needs at least one recurrent layer"),
    ],
)
def test_what_it_cannot_do_is_refused(overrides, message):
    with pytest.raises(IncompatibleError, match=message):
        compose_train(["model=rnn", *overrides])


def test_the_cells_activation_is_tanh_unless_chosen():
    assert compose_train(["model=rnn", "data=digits"]).activation.name == "tanh"
    assert compose_train(["model=rnn", "data=digits", "activation=relu"]).activation.name == "relu"
