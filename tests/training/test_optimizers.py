"""Optimizers and schedules against the rules as they are written down, in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nnjax.config.training_options import SGD, Adam, Constant, Cosine, Lion, Muon, OneCycle, Steps, WarmupCosine
from nnjax.config.types import Duration
from nnjax.training.optimizers import make_optimizer, relative_schedule

COMMON = {"learning_rate": 0.1, "weight_decay": 0.0, "clip_norm": None}
PARAMS = {"kernel": jnp.array([[1.0, -2.0], [3.0, 0.5]]), "bias": jnp.array([1.0, -1.0])}
GRADS = {"kernel": jnp.array([[0.3, 0.1], [-0.2, 0.4]]), "bias": jnp.array([0.5, -0.5])}


def sgd(**changes):
    return SGD(**{"name": "sgd", **COMMON, "momentum": 0.0, "nesterov": False, **changes})


def adam(name="adam", **changes):
    return Adam(**{"name": name, **COMMON, "b1": 0.9, "b2": 0.99, "eps": 1e-8, **changes})


def steps(config, grads, relative=lambda step: 1.0):
    """Parameters after each of the gradients."""
    optimizer = make_optimizer(config, relative)
    params, state, seen = PARAMS, optimizer.init(PARAMS), []
    for grad in grads:
        updates, state = optimizer.update(grad, state, params)
        params = optax.apply_updates(params, updates)
        seen.append(params)
    return seen


def assert_same(one, other):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), one, other)


def test_plain_descent():
    (params,) = steps(sgd(), [GRADS])
    assert_same(params, jax.tree.map(lambda p, g: p - 0.1 * g, PARAMS, GRADS))


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum(nesterov):
    trace, expected = jax.tree.map(jnp.zeros_like, PARAMS), PARAMS
    for _ in range(3):
        trace = jax.tree.map(lambda t, g: 0.9 * t + g, trace, GRADS)
        update = jax.tree.map(lambda t, g: g + 0.9 * t, trace, GRADS) if nesterov else trace
        expected = jax.tree.map(lambda p, u: p - 0.1 * u, expected, update)
    assert_same(steps(sgd(momentum=0.9, nesterov=nesterov), [GRADS] * 3)[-1], expected)


def test_weight_decay_leaves_biases_alone_and_joins_the_gradient():
    (params,) = steps(sgd(weight_decay=0.5), [GRADS])
    assert_same(params["kernel"], PARAMS["kernel"] - 0.1 * (GRADS["kernel"] + 0.5 * PARAMS["kernel"]))
    assert_same(params["bias"], PARAMS["bias"] - 0.1 * GRADS["bias"])


def test_clipping_shortens_the_whole_gradient():
    (params,) = steps(sgd(clip_norm=0.1), [GRADS])
    norm = np.sqrt(sum(np.square(g).sum() for g in GRADS.values()))
    assert_same(params, jax.tree.map(lambda p, g: p - 0.1 * g * 0.1 / norm, PARAMS, GRADS))
    assert_same(steps(sgd(clip_norm=100.0), [GRADS]), steps(sgd(), [GRADS]))


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adam_decays_inside_and_adamw_outside_of_the_moments(name):
    decay, expected = 0.5, PARAMS["kernel"]
    first = second = jnp.zeros_like(expected)
    for t in range(1, 4):
        grad = GRADS["kernel"] + (decay * expected if name == "adam" else 0)
        first, second = 0.9 * first + 0.1 * grad, 0.99 * second + 0.01 * grad**2
        update = (first / (1 - 0.9**t)) / (jnp.sqrt(second / (1 - 0.99**t)) + 1e-8)
        expected = expected - 0.1 * (update + (decay * expected if name == "adamw" else 0))
    assert_same(steps(adam(name, weight_decay=decay), [GRADS] * 3)[-1]["kernel"], expected)
    undecayed = steps(adam(name), [GRADS] * 3)[-1]["bias"]
    assert_same(steps(adam(name, weight_decay=decay), [GRADS] * 3)[-1]["bias"], undecayed)


def test_lion_steps_by_the_sign():
    config = Lion(name="lion", **{**COMMON, "weight_decay": 0.5}, b1=0.9, b2=0.99)
    (params,) = steps(config, [GRADS])
    assert_same(params["kernel"], PARAMS["kernel"] - 0.1 * (jnp.sign(GRADS["kernel"]) + 0.5 * PARAMS["kernel"]))
    assert_same(params["bias"], PARAMS["bias"] - 0.1 * jnp.sign(GRADS["bias"]))


def test_muon_orthogonalises_matrices_and_kernels_and_leaves_biases_to_adam():
    config = Muon(
        name="muon", **COMMON, momentum=0.95, nesterov=False, newton_schulz_steps=5, adam_learning_rate=0.01
    )  # fmt: skip
    random = np.random.default_rng(0)
    params = {"conv": jnp.zeros((3, 3, 2, 4)), "dense": jnp.zeros((6, 3)), "bias": jnp.zeros(4)}
    grads = jax.tree.map(lambda p: jnp.asarray(random.normal(size=p.shape), jnp.float32), params)
    optimizer = make_optimizer(config, optax.constant_schedule(1.0))
    updates, _ = optimizer.update(grads, optimizer.init(params), params)
    for name in ("conv", "dense"):
        matrix = np.asarray(updates[name]).reshape(-1, params[name].shape[-1])
        singular = np.linalg.svd(matrix, compute_uv=False)
        assert singular.max() / singular.min() < 2, name
        plain = np.linalg.svd(np.asarray(grads[name]).reshape(matrix.shape), compute_uv=False)
        assert plain.max() / plain.min() > singular.max() / singular.min()
    np.testing.assert_allclose(np.abs(updates["bias"]), 0.01, rtol=1e-3)  # Adam's first step is its learning rate


SCHEDULES = {
    "constant": (Constant("constant"), {0: 1, 50: 1, 100: 1}),
    "step": (Steps("step", (Duration(50, "%"), Duration(3, "epochs")), 0.1), {0: 1, 49: 1, 51: 0.1, 74: 0.1, 76: 0.01}),
    "cosine": (Cosine("cosine", 0.2), {0: 1, 50: 0.6, 100: 0.2}),
    "warmup_cosine": (WarmupCosine("warmup_cosine", Duration(250, "examples"), 0.0), {0: 0, 5: 0.2, 25: 1, 100: 0}),
    "onecycle": (OneCycle("onecycle", Duration(20, "steps"), 0.5, 0.1), {0: 0.5, 10: 0.75, 20: 1, 60: 0.55, 100: 0.1}),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_pass_through_their_points(name):
    schedule, points = SCHEDULES[name]
    relative = relative_schedule(schedule, total_steps=100, steps_per_epoch=25, batch_size=10)
    for step, value in points.items():
        assert float(relative(step)) == pytest.approx(value, abs=1e-6), step


def test_the_schedule_scales_the_step():
    first, second = steps(sgd(), [GRADS] * 2, relative=lambda step: jnp.where(step == 0, 1.0, 0.5))
    assert_same(second, jax.tree.map(lambda p, g: p - 0.05 * g, first, GRADS))
