"""`parallel.gradients`: a training in every way is the training with `automatic`, and `sharded` divides the optimizer's memory.

The comparisons fail if a share is taken from the wrong place, a norm is that of one device, or padding is left in.
"""

from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest

from nnjax.cli.compose import compose_train
from nnjax.data.load import load
from nnjax.parallel.preemption import StopSignal
from nnjax.training.clock import Clock
from nnjax.training.experiment import set_up
from nnjax.training.runner import ChunkRunner

STEPS = 12
DATA = [
    "data=synthetic",
    "data.input_shape=[6,6,2]",
    "data.num_train=120",
    "data.num_test=24",
    "data.augment.flip=random",
    "training.global_batch_size=12",  # divisible by 2, 3 and 4 devices, which no tensor's size is
    "training.eval_batch_size=12",
    f"training.duration={STEPS}steps",
    "training.evaluate_every=6steps",
    "activation=silu",
]
MODELS = {
    "fnn": ["model=fnn", "model.hidden=[7,5]", "model.normalization=batch", "model.dropout=0.2"],
    "cnn": ["model=cnn", "model.blocks=[{features: 5, pooling: average, batch_norm: true}]", "model.dense=[7]"],
    "rnn": ["model=rnn", "model.cell=lstm", "model.hidden=[5]"],
}
# Adam divides by the root of a moment, which makes much of a rounding where that is all but zero.
RULES = {
    "sgd": ["optimizer=sgd", "optimizer.momentum=0.9", "optimizer.learning_rate=0.02", "optimizer.weight_decay=0.01"],
    "sgd_plain": ["optimizer=sgd", "optimizer.momentum=0", "optimizer.nesterov=false", "optimizer.learning_rate=0.02"],
    "adam": ["optimizer=adam", "optimizer.eps=1e-3", "optimizer.weight_decay=0.01"],
    "adamw": ["optimizer=adamw", "optimizer.eps=1e-3", "optimizer.weight_decay=0.1"],
    "lion": ["optimizer=lion", "optimizer.weight_decay=0.1", "optimizer.learning_rate=1e-4"],
    "textbook": ["optimizer=textbook", "optimizer.learning_rate=-0.02"],
    "muon": ["optimizer=muon"],
    "muon_sgd": ["optimizer=muon_sgd"],
}
CLIPPED = "optimizer.clip_norm=0.3"  # below the norms at the beginning, above some later
GROUPS = (
    'optimizer.parameter_groups=[{parameters: "dense_1.*", multiplier: 0},{parameters: "*.bias", weight_decay: 0.3},'
    '{parameters: "output.kernel", multiplier: 0.5, until: 5steps}]'
)
LOOKAHEAD = "optimizer.lookahead={sync_period: 3, slow_step_size: 0.5, power: 1.0}"
EVERYTHING = (*MODELS["fnn"], *RULES["adamw"], CLIPPED, GROUPS, LOOKAHEAD)


def set_up_with(words, way, num_devices, wrapper="pmap"):
    words = [*DATA, *words, f"parallel={wrapper}", f"parallel.gradients={way}", "parallel.bucket_bytes=200B", "seed=5"]
    config = compose_train(words)
    return set_up(config, load(config.data), jax.devices()[:num_devices])


def train(experiment, state, first=0, until=STEPS):
    """The state on the devices after the steps, and the loss of each."""
    runner = ChunkRunner(experiment, experiment.layout.put(state), stop=StopSignal(), clock=Clock())
    losses = [call.metrics.loss for call in runner.calls(first, until)]
    return runner.state, np.concatenate(losses, axis=-1)


@cache
def trained(words, way, num_devices, wrapper="pmap"):
    experiment, state = set_up_with(words, way, num_devices, wrapper)
    placed, losses = train(experiment, state)
    return experiment.layout.get(placed), losses


def assert_close(found, expected, tolerance=1e-5):
    (state, losses), (other, other_losses) = found, expected
    assert jax.tree.structure(state) == jax.tree.structure(other)
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        wanted = dict(jax.tree_util.tree_leaves_with_path(other))[path]
        assert leaf.dtype == wanted.dtype
        assert leaf.shape == wanted.shape
        np.testing.assert_allclose(leaf, wanted, rtol=tolerance, atol=tolerance, err_msg=jax.tree_util.keystr(path))
    np.testing.assert_allclose(losses, other_losses, rtol=tolerance)


WAYS = ("per_tensor", "buckets", "flat", "sharded")


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_every_way_trains_alike(way):
    assert_close(trained(EVERYTHING, way, 3), trained(EVERYTHING, "automatic", 3))


def grid():
    for model, words in MODELS.items():
        for num_devices, wrapper in ((2, "shard_map"), (3, "pmap"), (4, "shard_map")):
            yield f"{model}-{num_devices}-{wrapper}", (*words, *RULES["sgd"], CLIPPED), num_devices, wrapper
    for rule, words in RULES.items():
        if rule != "sgd":
            yield rule, (*MODELS["fnn"], *words), 3, "pmap"
    yield "everything-4", EVERYTHING, 4, "shard_map"
    yield "bfloat16", (*MODELS["cnn"], *RULES["sgd"], "training.precision=bfloat16"), 2, "pmap"
    yield "fewer trials than devices", (*EVERYTHING, "training.seeds=2"), 4, "pmap"
    yield "fewer trials, one after another", (*MODELS["cnn"], *RULES["sgd"], "training.seeds=2"), 3, "shard_map"
    yield "whole trials", (*EVERYTHING, "training.seeds=3"), 2, "pmap"


def cases():
    """Each case in each way, but `sharded` only with rules that update each number by itself; a check refuses the others."""
    for name, words, num_devices, wrapper in grid():
        for way in WAYS[:3] if name.startswith("muon") else WAYS:
            yield pytest.param(way, words, num_devices, wrapper, id=f"{name}-{way}")


@pytest.mark.slow
@pytest.mark.parametrize(("way", "words", "num_devices", "wrapper"), list(cases()))
def test_every_way_trains_every_model_alike(way, words, num_devices, wrapper):
    tolerance = 3e-2 if "training.precision=bfloat16" in words else 1e-5
    assert_close(trained(words, way, num_devices, wrapper), trained(words, "automatic", num_devices, wrapper), tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("num_devices", [2, 3])
def test_each_device_holds_its_share_of_the_optimizers_memory(num_devices):
    experiment, state = set_up_with(EVERYTHING, "sharded", num_devices)
    assert not any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(state.opt_state))  # nor does a device at the start
    whole = sum(leaf.nbytes for leaf in jax.tree.leaves(state.opt_state))
    params = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    assert whole >= 2 * 4 * (params - state.params["dense_1"]["kernel"].size)
    placed, _ = train(experiment, state, until=2)
    for device in experiment.placement.devices:
        own = 0
        for leaf in jax.tree.leaves(placed.opt_state):
            (shard,) = (shard for shard in leaf.addressable_shards if shard.device == device)
            own += shard.data.nbytes
        arrays = len(jax.tree.leaves(state.opt_state))
        assert own <= whole / num_devices + 4 * arrays  # a number of padding for each array, or a count that all hold
    for leaf in jax.tree.leaves((placed.params, placed.slow)):
        for replica in leaf:
            np.testing.assert_array_equal(replica, leaf[0])


@pytest.mark.slow
@pytest.mark.parametrize("way", ["automatic", "sharded"])
@pytest.mark.parametrize("other", ["sharded", "automatic"])
def test_a_state_can_go_on_with_another_way_and_another_number_of_devices(way, other):
    experiment, state = set_up_with(EVERYTHING, way, 3)
    half, _ = train(experiment, state, until=6)
    saved = experiment.layout.get(half)
    assert jax.tree.map(np.shape, saved) == jax.tree.map(np.shape, state)
    resumed, _ = set_up_with(EVERYTHING, other, 2 if way != other else 3)
    end, _ = train(resumed, saved, first=6)
    found = resumed.layout.get(end)
    if way == other:  # on the same devices to the bit
        jax.tree.map(np.testing.assert_array_equal, found, trained(EVERYTHING, way, 3)[0])
    else:
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), found, trained(EVERYTHING, "automatic", 3)[0]
        )


@pytest.mark.slow
def test_a_layout_gives_back_what_was_put():
    experiment, state = set_up_with((*EVERYTHING, "training.seeds=2"), "sharded", 3)
    assert experiment.layout.is_sharded
    rng = np.random.default_rng(0)
    state = replace(state, opt_state=jax.tree.map(lambda x: rng.normal(size=x.shape).astype(x.dtype), state.opt_state))
    found = experiment.layout.get(experiment.layout.put(state))
    jax.tree.map(np.testing.assert_array_equal, found, jax.device_get(state))


@pytest.mark.slow
@pytest.mark.parametrize(("num_devices", "seeds"), [(1, 1), (2, 2)])
def test_nothing_is_shared_out_without_an_exchange(num_devices, seeds):
    experiment, state = set_up_with((*EVERYTHING, f"training.seeds={seeds}"), "sharded", num_devices)
    assert not experiment.layout.is_sharded
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(state))
