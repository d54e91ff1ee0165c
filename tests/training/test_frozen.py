"""Frozen parameters stay what they are to the bit: under every optimizer, its decay, clipping, lookahead, and over a resume."""

from functools import cache
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nnjax.cli.compose import compose_train
from nnjax.config.training_options import SGD, Adam, Lion, Muon, MuonSGD, ParameterGroup
from nnjax.config.types import Duration
from nnjax.data.load import load
from nnjax.training.chunk_loader import make_loader
from nnjax.training.experiment import set_up
from nnjax.training.optimizers import make_optimizer
from nnjax.training.parameter_groups import first_frozen_steps, update_unfrozen
from nnjax.training.runner import chunk_of_all

MOMENTA = {"momentum": 0.9, "nesterov": True}
RULES = {
    "sgd": (SGD, MOMENTA),
    "adam": (Adam, {"b1": 0.9, "b2": 0.99, "eps": 1e-8}),
    "adamw": (Adam, {"b1": 0.9, "b2": 0.99, "eps": 1e-8}),
    "lion": (Lion, {"b1": 0.9, "b2": 0.99}),
    "muon": (Muon, {**MOMENTA, "newton_schulz_steps": 3, "adam_learning_rate": 0.1}),
    "muon_sgd": (MuonSGD, {**MOMENTA, "newton_schulz_steps": 3, "sgd_learning_rate": 0.1, "sgd_momentum": 0.9}),
}
UNTIL = 3
SHAPES = {
    "conv_1": {"kernel": (3, 3, 2, 4), "bias": (4,)},
    "conv_2": {"kernel": (3, 3, 2, 4), "bias": (4,)},
    "output": {"kernel": (4, 3)},
}


def rule(name, groups, **changes):
    kind, own = RULES[name]
    common = {"learning_rate": 0.1, "weight_decay": 0.1, "clip_norm": 1.0, "lookahead": None, **changes}
    return kind(name=name, parameter_groups=groups, **common, **own)


def draw(random):
    return jax.tree.map(
        lambda shape: jnp.asarray(random.normal(size=shape), jnp.float32), SHAPES, is_leaf=lambda x: isinstance(x, tuple)
    )


@cache
def compiled(config):
    """Returns the optimizer and its compiled update, which leaves frozen parameters as they are."""
    optimizer = make_optimizer(config, lambda step: 1.0)
    return optimizer, unfrozen(optimizer, config.parameter_groups)


def unfrozen(optimizer, groups):
    """Compiles an optimizer's update, which leaves frozen parameters as they are."""

    @jax.jit
    def update(step, grads, state, params):
        frozen_from = first_frozen_steps(groups, params, lambda duration: int(duration.value))
        return update_unfrozen(optimizer, frozen_from, step, grads, state, params)

    return update


def steps(config, gradients):
    """Parameters before and after each step."""
    params = draw(np.random.default_rng(0))
    params = jax.tree.map(lambda p: p.at[..., 0].set(-0.0), params)
    optimizer, update = compiled(config)
    state, seen = optimizer.init(params), [params]
    for step, grads in enumerate(gradients):
        updates, state = update(step, grads, state, params)
        params = optax.apply_updates(params, updates)
        seen.append(params)
    return seen


def same_bits(one, other):
    return np.array_equal(np.asarray(one).view(np.int32), np.asarray(other).view(np.int32))


@pytest.mark.slow
@pytest.mark.parametrize("decay", [None, 0.5], ids=["decay", "own-decay"])
@pytest.mark.parametrize("name", RULES)
def test_no_update_rule_moves_a_frozen_parameter(name, decay):
    groups = (
        ParameterGroup("conv_1.*", weight_decay=decay, until=Duration(UNTIL, "steps")),
        ParameterGroup("conv_2.*", weight_decay=decay, multiplier=0.0),
    )
    random = np.random.default_rng(1)
    seen = steps(rule(name, groups), [draw(random) for _ in range(UNTIL + 3)])
    for number, (before, after) in enumerate(pairwise(seen)):
        for kind in ("kernel", "bias"):
            assert same_bits(before["conv_2"][kind], after["conv_2"][kind]), number
            assert same_bits(before["conv_1"][kind], after["conv_1"][kind]) == (number >= UNTIL), number
        assert not same_bits(before["output"]["kernel"], after["output"]["kernel"])


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("value", [np.nan, 1e30])
def test_the_gradient_of_a_frozen_parameter_counts_for_nothing(name, value):
    """Neither in the norm of clipping, nor where it is no number; so it is in PyTorch, where it has none."""
    groups = (
        ParameterGroup("conv_1.*", until=Duration(UNTIL, "steps")),
        ParameterGroup("conv_2.*", multiplier=0.0),
    )
    random = np.random.default_rng(1)
    gradients = [draw(random) for _ in range(UNTIL + 2)]
    frozen_at = {step: ["conv_2"] + ["conv_1"] * (step >= UNTIL) for step in range(UNTIL + 2)}
    results = []
    for put in (0.0, value):
        changed = [
            {layer: jax.tree.map(lambda g: jnp.full_like(g, put), tree) if layer in frozen_at[step] else tree  # noqa: B023
             for layer, tree in grads.items()}
            for step, grads in enumerate(gradients)
        ]  # fmt: skip
        results.append(steps(rule(name, groups), changed))
    without, with_values = results
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b), with_values[-1], without[-1])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(with_values[-1]))


@pytest.mark.parametrize(
    ("optimizer", "every"),
    [(optax.sgd(0.1), 1), (optax.MultiSteps(optax.adam(0.1), 2).gradient_transformation(), 2)],
    ids=["counts nothing", "counts updates"],
)
def test_an_optimizer_need_not_count_steps(optimizer, every):
    """A registered one may be any."""
    update = unfrozen(optimizer, (ParameterGroup("conv_1.*", until=Duration(UNTIL, "steps")),))
    random = np.random.default_rng(1)
    params = draw(random)
    state = optimizer.init(params)
    for step in range(UNTIL + 4):
        updates, state = update(step, draw(random), state, params)
        moves = (step + 1) % every == 0
        assert np.any(updates["conv_2"]["kernel"]) == moves, step
        assert np.any(updates["conv_1"]["kernel"]) == (moves and step < UNTIL), step


def test_of_two_groups_that_name_a_parameter_the_last_one_freezes_or_not():
    groups = (
        ParameterGroup("conv_*", multiplier=0.0),
        ParameterGroup("conv_1.*", until=Duration(UNTIL, "steps")),
        ParameterGroup("*.bias"),
    )
    first = first_frozen_steps(groups, draw(np.random.default_rng(0)), lambda duration: int(duration.value))
    never = float("inf")
    assert first == {
        "conv_1": {"kernel": UNTIL, "bias": never},
        "conv_2": {"kernel": 0, "bias": never},
        "output": {"kernel": never},
    }
    assert first_frozen_steps(groups[2:], draw(np.random.default_rng(0)), None) is None


@pytest.mark.slow
def test_kernels_of_zeros_become_no_nans():
    """muon_sgd scales a kernel to a norm; one of zeros has none."""
    config = rule("muon_sgd", ())
    params, optimizer = jax.tree.map(jnp.zeros_like, draw(np.random.default_rng(0))), make_optimizer(config, lambda step: 1.0)
    updates, _ = optimizer.update(draw(np.random.default_rng(1)), optimizer.init(params), params)
    assert all(np.isfinite(leaf).all() and np.any(leaf) for leaf in jax.tree.leaves(updates))


# --- the whole step ------------------------------------------------------------------------------------------------------

TOTAL = 8
FNN = [
    "model=fnn",
    "model.hidden=[4]",
    "model.normalization=batch",
    "data=synthetic",
    "data.input_shape=[3]",
    "data.num_train=40",
    "data.num_test=4",
    "data.validation=0",
    "training.global_batch_size=4",
    "training.eval_batch_size=4",
    f"training.duration={TOTAL}steps",
    "optimizer.clip_norm=0.5",
]
LOOKAHEAD = "optimizer.lookahead={sync_period: 2, slow_step_size: 0.3, power: 0.0}"


def frozen(until, decay="null"):
    ends = f"{{parameters: dense_1.kernel, until: {until}, weight_decay: {decay}}}"
    return f"optimizer.parameter_groups=[{ends},{{parameters: dense_1_norm.*, multiplier: 0, weight_decay: {decay}}}]"


@cache
def trainer(overrides, num_devices):
    """The state at the start on the host, the devices, the batches, and the compiled steps."""
    config = compose_train([*FNN, *overrides])
    experiment, state = set_up(config, load(config.data), jax.devices()[:num_devices])
    placement, seeds = experiment.placement, [trial.seed for trial in experiment.plan.trials]
    loader = make_loader(experiment.dataset.train, config, placement, seeds=seeds, total_steps=TOTAL)
    chunk = placement.compile(chunk_of_all(experiment, loader.max_steps, record_params=True))
    numbers = placement.put(experiment.trial_params), placement.replicate(experiment.hyperparams), None
    return jax.device_get(state), placement, numbers, loader, chunk


def history(overrides, cuts=(TOTAL,), num_devices=1):
    """Parameters before and after each step, and the state at the end; at each cut the state goes to the host and back."""
    state, placement, numbers, loader, chunk = trainer(tuple(overrides), num_devices)
    steps_axis = 1 if placement.many else 0
    seen = [jax.tree.map(np.asarray, state.params)]
    for first, last in pairwise((0, *cuts)):
        count = placement.replicate(np.int32(last - first))
        state, metrics = chunk(placement.put(state), *numbers, loader(first, last - first), count)
        state, recorded = placement.get(state), placement.get(metrics.params)
        seen += [jax.tree.map(lambda p: np.take(p, step, steps_axis), recorded) for step in range(last - first)]  # noqa: B023
    return seen, state


def assert_frozen(seen, state, until):
    for number, (before, after) in enumerate(pairwise(seen)):
        for name in ("scale", "bias"):
            assert same_bits(before["dense_1_norm"][name], after["dense_1_norm"][name]), (number, name)
        stays = same_bits(before["dense_1"]["kernel"], after["dense_1"]["kernel"])
        assert stays == (number >= until), number
    assert same_bits(state.params["dense_1"]["kernel"], seen[until]["dense_1"]["kernel"])
    if state.slow is not None:
        slow, _ = state.slow
        for layer in ("dense_1", "dense_1_norm"):
            assert all(same_bits(slow[layer][name], state.params[layer][name]) for name in slow[layer])


# Lookahead stands around a rule that freezes by itself, so one rule alone is enough for the fast suite.
@pytest.mark.parametrize(
    ("name", "lookahead", "decay"),
    [
        *(pytest.param(name, LOOKAHEAD, "0.3", id=f"{name}-lookahead") for name in RULES),
        pytest.param("adam", "optimizer.lookahead=null", "null", id="adam-alone"),
        *(
            pytest.param(name, "optimizer.lookahead=null", "null", marks=pytest.mark.slow, id=f"{name}-alone")
            for name in RULES
            if name != "adam"
        ),
    ],
)
def test_training_leaves_frozen_parameters_as_they_are(name, lookahead, decay):
    seen, state = history([f"optimizer={name}", "optimizer.weight_decay=0.1", lookahead, frozen(f"{UNTIL}steps", decay)])
    assert_frozen(seen, state, UNTIL)


@pytest.mark.parametrize("cut", [2, 3, 4, 5])
def test_a_resume_before_or_after_the_end_changes_nothing(cut):
    words = ["optimizer=muon_sgd", LOOKAHEAD, frozen(f"{UNTIL}steps")]
    (through, state), (cut_up, resumed) = history(words), history(words, (cut, TOTAL))
    assert_frozen(cut_up, resumed, UNTIL)
    jax.tree.map(np.testing.assert_array_equal, cut_up[-1], through[-1])
    jax.tree.map(np.testing.assert_array_equal, resumed.slow, state.slow)


@pytest.mark.slow
@pytest.mark.parametrize("num_devices", [1, 2, 4])
def test_trials_are_frozen_as_one_alone(num_devices):
    words = ["optimizer=muon_sgd", LOOKAHEAD, frozen(f"{UNTIL}steps"), "training.vary.learning_rate=[0.02,0.1]"]
    seen, state = history([*words, "training.seeds=2" if num_devices < 4 else "training.seeds=1"], num_devices=num_devices)
    assert_frozen(seen, state, UNTIL)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("until", "moves"),
    [("1step", 1), ("3steps", 3), ("8steps", 8), ("12examples", 3), ("50%", 4), ("30%", 2), ("0.5epochs", 5), ("1%", 1)],
)
def test_an_end_is_the_number_of_steps_that_move(until, moves):
    """8 steps of 4 examples, an epoch of 10 steps; lookahead's meeting after the last of them is part of it."""
    seen, state = history(["optimizer=sgd", LOOKAHEAD, frozen(until)])
    assert_frozen(seen, state, moves)
