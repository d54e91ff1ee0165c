"""Optimizers and schedules against the rules as they are written down, in NumPy."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nnjax.checks.rates import rate_of
from nnjax.checks.step_counts import StepCounts
from nnjax.config.errors import ConfigError
from nnjax.config.option_numbers import numbers_of, with_numbers
from nnjax.config.training_options import (
    SGD,
    Adam,
    Constant,
    Cosine,
    Lion,
    Muon,
    MuonSGD,
    OneCycle,
    ParameterGroup,
    Steps,
    WarmupCosine,
)
from nnjax.config.types import Duration
from nnjax.training.hyperparams import as_arrays
from nnjax.training.optimizers import complements_of, make_optimizer
from nnjax.training.parameter_groups import first_frozen_steps, update_unfrozen

COMMON = {"learning_rate": 0.1, "weight_decay": 0.0, "clip_norm": None, "parameter_groups": (), "lookahead": None}
PARAMS = {"kernel": jnp.array([[1.0, -2.0], [3.0, 0.5]]), "bias": jnp.array([1.0, -1.0])}
GRADS = {"kernel": jnp.array([[0.3, 0.1], [-0.2, 0.4]]), "bias": jnp.array([0.5, -0.5])}


def sgd(**changes):
    return SGD(**{"name": "sgd", **COMMON, "momentum": 0.0, "nesterov": False, **changes})


def adam(name="adam", **changes):
    return Adam(**{"name": name, **COMMON, "b1": 0.9, "b2": 0.99, "eps": 1e-8, **changes})


def muon(**changes):
    own = {"momentum": 0.95, "nesterov": True, "newton_schulz_steps": 3, "adam_learning_rate": 0.01}
    return Muon(**{"name": "muon", **COMMON, **own, **changes})


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


@pytest.mark.parametrize("b2", [0.999, 0.9999999, 0.99999999])
def test_adam_s_first_step_is_its_learning_rate_for_every_decay(b2):
    """In float32 the last one is 1."""
    numbers = as_arrays(numbers_of(adam(b2=b2))), as_arrays(complements_of(adam(b2=b2)))

    @jax.jit
    def first_updates(numbers, complements):
        optimizer = make_optimizer(with_numbers(adam(), numbers), lambda step: 1.0, complements)
        return optimizer.update(GRADS, optimizer.init(PARAMS), PARAMS)[0]

    jax.tree.map(lambda u: np.testing.assert_allclose(np.abs(u), 0.1, rtol=1e-5), first_updates(*numbers))


def test_lion_steps_by_the_sign():
    config = Lion(name="lion", **{**COMMON, "weight_decay": 0.5}, b1=0.9, b2=0.99)
    (params,) = steps(config, [GRADS])
    assert_same(params["kernel"], PARAMS["kernel"] - 0.1 * (jnp.sign(GRADS["kernel"]) + 0.5 * PARAMS["kernel"]))
    assert_same(params["bias"], PARAMS["bias"] - 0.1 * jnp.sign(GRADS["bias"]))


@pytest.mark.slow
def test_muon_orthogonalises_matrices_and_kernels_and_leaves_biases_to_adam():
    config = muon(nesterov=False, newton_schulz_steps=5)
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


def test_muon_is_optax_s_for_matrices_and_keeps_its_memory_under_the_same_names():
    """A checkpoint is read by these names."""
    config = muon(weight_decay=0.2)
    seen, grads = network_steps(config, 2)
    params = jax.tree.map(jnp.float32, seen[0])
    rule = optax.contrib.muon(
        lambda step: 0.1,
        ns_steps=3,
        weight_decay=0.2,
        weight_decay_mask=lambda params: jax.tree.map(lambda p: p.ndim > 1, params),
        adam_learning_rate=lambda step: 0.01,
        muon_weight_dimension_numbers=lambda params: jax.tree.map(
            lambda p: optax.contrib.MuonDimensionNumbers(tuple(range(p.ndim - 1)), p.ndim - 1) if p.ndim > 1 else None, params
        ),
    )
    state = rule.init(params)
    _, own = make_optimizer(config, lambda step: 1.0).init(params)
    paths = [[jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(tree)] for tree in (own, state)]
    assert sorted(paths[0]) == sorted(paths[1])
    for grad in grads:
        updates, state = rule.update(jax.tree.map(jnp.float32, grad), state, params)
        params = optax.apply_updates(params, updates)
    for layer in ("conv_1", "output"):
        np.testing.assert_allclose(seen[-1][layer]["kernel"], params[layer]["kernel"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("nesterov", [False, True])
def test_the_biases_of_muon_are_those_of_adamw(nesterov):
    """Which neither looks ahead nor decays them, unless a group says so."""
    groups = (ParameterGroup("*_norm.bias", weight_decay=0.5),)
    config = muon(weight_decay=0.2, parameter_groups=groups, nesterov=nesterov, newton_schulz_steps=1, adam_learning_rate=0.1)
    seen, grads = network_steps(config, 3)
    for layer, decay in (("conv_1_norm", 0.5), ("whitening", 0.0)):
        expected, first, second = seen[0][layer]["bias"], 0.0, 0.0
        for t, grad in enumerate(grads, 1):
            g = grad[layer]["bias"]
            first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g**2
            update = (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
            expected = expected - 0.1 * (update + decay * expected)
        np.testing.assert_allclose(seen[-1][layer]["bias"], expected, rtol=1e-5, atol=1e-6)


SCHEDULES = {
    "constant": (Constant("constant"), {0: 1, 50: 1, 100: 1}),
    "step": (Steps("step", (Duration(50, "%"), Duration(3, "epochs")), 0.1), {0: 1, 49: 1, 51: 0.1, 74: 0.1, 76: 0.01}),
    "cosine": (Cosine("cosine", 0.2), {0: 1, 50: 0.6, 100: 0.2}),
    "warmup_cosine": (WarmupCosine("warmup_cosine", Duration(250, "examples"), 0.0), {0: 0.04, 4: 0.2, 24: 1, 25: 1, 100: 0}),
    "onecycle": (OneCycle("onecycle", Duration(20, "steps"), 0.5, 0.1), {0: 0.5, 10: 0.75, 20: 1, 60: 0.55, 100: 0.1}),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_pass_through_their_points(name):
    schedule, points = SCHEDULES[name]
    relative = rate_of(
        schedule, StepCounts(100, 100, 100, per_epoch=25, batch_size=10, evaluate_every=25, checkpoint_every=None)
    )
    for step, value in points.items():
        assert float(relative(step)) == pytest.approx(value, abs=1e-6), step


def test_the_schedule_scales_the_step():
    first, second = steps(sgd(), [GRADS] * 2, relative=lambda step: jnp.where(step == 0, 1.0, 0.5))
    assert_same(second, jax.tree.map(lambda p, g: p - 0.05 * g, first, GRADS))


NETWORK = {
    "conv_1": {"kernel": (3, 3, 2, 4)},
    "conv_1_norm": {"bias": (4,)},
    "whitening": {"bias": (5,)},
    "output": {"kernel": (4, 3)},
}


def network_steps(config, num_steps, relative=lambda step: 1.0):
    """Parameters before and after each step, and the gradients of each, for parameters named as a network's are."""
    random = np.random.default_rng(0)
    draw = lambda shape: jnp.asarray(random.normal(size=shape), jnp.float32)  # noqa: E731
    is_shape = lambda value: isinstance(value, tuple)  # noqa: E731
    params = jax.tree.map(draw, NETWORK, is_leaf=is_shape)
    optimizer = make_optimizer(config, relative)
    state, seen, grads = jax.jit(optimizer.init)(params), [params], []
    frozen_from = first_frozen_steps(config.parameter_groups, params, lambda duration: int(duration.value))
    update = jax.jit(partial(update_unfrozen, optimizer, frozen_from))
    for step in range(num_steps):
        grads.append(jax.tree.map(draw, NETWORK, is_leaf=is_shape))
        updates, state = update(step, grads[-1], state, params)
        params = optax.apply_updates(params, updates)
        seen.append(params)
    to_numpy = lambda tree: jax.tree.map(lambda x: np.asarray(x, np.float64), tree)  # noqa: E731
    return to_numpy(seen), to_numpy(grads)


def nesterov_sgd(before, grads, *, rates, momentum, decay):
    """PyTorch's SGD: decay joins the gradient, and the step looks one momentum ahead."""
    trace, after = np.zeros_like(before), [before]
    for grad, rate in zip(grads, rates, strict=True):
        grad = grad + decay * after[-1]
        trace = momentum * trace + grad
        after.append(after[-1] - rate * (grad + momentum * trace))
    return after


def test_parameter_groups_have_their_own_rate_decay_and_end():
    groups = (
        ParameterGroup("*.bias", multiplier=3.0),
        ParameterGroup("*_norm.bias", multiplier=64.0, weight_decay=0.01),
        ParameterGroup("whitening.*", weight_decay=0.5, until=Duration(2, "steps")),
    )
    config = sgd(momentum=0.85, nesterov=True, weight_decay=0.2, parameter_groups=groups)
    shares = (1.0, 0.5, 0.25, 0.125)
    seen, grads = network_steps(config, 4, lambda step: 0.5**step)
    for layer, name, multiplier, decay, until in [
        ("conv_1", "kernel", 1, 0.2, 4),
        ("output", "kernel", 1, 0.2, 4),
        ("conv_1_norm", "bias", 64, 0.01, 4),  # of two groups that name it, the last has it
        ("whitening", "bias", 1, 0.5, 2),
    ]:
        rates = [0.1 * multiplier * share * (step < until) for step, share in enumerate(shares)]
        given = [grad[layer][name] for grad in grads]
        expected = nesterov_sgd(seen[0][layer][name], given, rates=rates, momentum=0.85, decay=decay)
        np.testing.assert_allclose([params[layer][name] for params in seen], expected, rtol=1e-4, atol=1e-5, err_msg=layer)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adam", "adamw", "lion", "muon"])
def test_every_rule_takes_parameter_groups(name):
    """With the multiplier, a parameter moves as with another learning rate; with 0, not at all."""
    more = {"lion": {"b1": 0.9, "b2": 0.99}, "muon": {"momentum": 0.9, "nesterov": True, "newton_schulz_steps": 3}}
    own = more.get(name, {"b1": 0.9, "b2": 0.99, "eps": 1e-8}) | ({"adam_learning_rate": 0.1} if name == "muon" else {})
    kind = {"lion": Lion, "muon": Muon}.get(name, Adam)
    groups = (ParameterGroup("conv_*", multiplier=2.0), ParameterGroup("whitening.bias", multiplier=0.0))
    seen, _ = network_steps(kind(name=name, **{**COMMON, "parameter_groups": groups}, **own), 2)
    plain, _ = network_steps(kind(name=name, **{**COMMON, "learning_rate": 0.2}, **own), 2)
    same, _ = network_steps(kind(name=name, **COMMON, **own), 2)
    np.testing.assert_allclose(seen[-1]["conv_1"]["kernel"], plain[-1]["conv_1"]["kernel"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(seen[-1]["output"]["kernel"], same[-1]["output"]["kernel"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(seen[-1]["whitening"]["bias"], seen[0]["whitening"]["bias"])


def test_a_group_of_nothing_is_told_what_there_is():
    config = sgd(parameter_groups=(ParameterGroup("conv_2.kernel"),))
    with pytest.raises(ConfigError) as caught:
        network_steps(config, 1)
    assert str(caught.value).splitlines() == [
        "optimizer.parameter_groups.0.parameters=conv_2.kernel: fits no parameter of the model",
        "  parameters: conv_1.kernel, conv_1_norm.bias, output.kernel, whitening.bias",
    ]


def newton_schulz(matrix, steps):
    """Jordan's quintic iteration, on a matrix [outputs, inputs]."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix / (np.linalg.norm(matrix) + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


def test_muon_sgd_renormalises_kernels_and_leaves_the_rest_to_sgd():
    config = MuonSGD(
        name="muon_sgd", **{**COMMON, "learning_rate": 0.24, "weight_decay": 0.05}, momentum=0.6, nesterov=True,
        newton_schulz_steps=3, sgd_learning_rate=0.3, sgd_momentum=0.85,
    )  # fmt: skip
    seen, grads = network_steps(config, 4)
    kernel, momentum = seen[0]["conv_1"]["kernel"], 0.0
    for step, grad in enumerate(grads, start=1):
        # optax averages gradients and corrects the bias of that; the iteration forgets the scale.
        momentum = 0.6 * momentum + 0.4 * grad["conv_1"]["kernel"]
        ahead = 0.6 * momentum / (1 - 0.6 ** (step + 1)) + 0.4 * grad["conv_1"]["kernel"] / (1 - 0.6**step)
        update = newton_schulz(ahead.reshape(-1, 4).T, 3).T.reshape(kernel.shape)
        kernel = kernel * np.sqrt(4) / np.linalg.norm(kernel) - 0.24 * update
        np.testing.assert_allclose(seen[step]["conv_1"]["kernel"], kernel, rtol=1e-3, atol=1e-4)
    for layer, name, decay in [("output", "kernel", 0.05), ("conv_1_norm", "bias", 0), ("whitening", "bias", 0)]:
        given = [grad[layer][name] for grad in grads]
        expected = nesterov_sgd(seen[0][layer][name], given, rates=[0.3] * 4, momentum=0.85, decay=decay)
        np.testing.assert_allclose([params[layer][name] for params in seen], expected, rtol=1e-4, atol=1e-5)


def test_the_triangular_schedule_of_airbench94():
    """475 steps: 0.2 at the first, 1 at 23 %, 0.07 at the end, and straight lines between."""
    schedule = OneCycle("onecycle", Duration(23, "%"), 0.2, 0.07)
    relative = rate_of(
        schedule, StepCounts(475, 475, 475, per_epoch=48, batch_size=1024, evaluate_every=48, checkpoint_every=None)
    )
    steps = np.arange(476)
    expected = np.interp(steps, [0, 109, 475], [0.2, 1, 0.07])
    np.testing.assert_allclose([float(relative(step)) for step in steps[::25]], expected[::25], rtol=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        adam(b1=0.9999, b2=0.99999),
        adam("adamw", b1=0.9999, b2=0.99999),
        Lion(**{"name": "lion", **COMMON, "b1": 0.9999, "b2": 0.99999}),
        sgd(momentum=0.9999, nesterov=True),
    ],
    ids=lambda config: config.name,
)
def test_numbers_may_be_arguments_of_a_program(config):
    """1 − b is then no difference of two float32 numbers, which would be off by 1e-3 of itself."""

    def memory_after(config, complements):
        optimizer = make_optimizer(config, lambda step: 1.0, complements=complements)
        params, state = PARAMS, optimizer.init(PARAMS)
        for scale in (1.0, -0.3, 2.0):
            updates, state = optimizer.update(jax.tree.map(lambda g: scale * g, GRADS), state, params)  # noqa: B023
            params = optax.apply_updates(params, updates)
        return state

    numbers = as_arrays(numbers_of(config)), as_arrays(complements_of(config))
    traced = jax.jit(lambda numbers, complements: memory_after(with_numbers(config, numbers), complements))(*numbers)
    plain = memory_after(config, {})
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6), traced, plain)
