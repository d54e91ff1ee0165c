"""Training on many devices is training on one: the same parameters, losses and statistics, to float tolerance.

These tests fail if the average of the gradients is left out or taken twice; the mutations at the end show that they do.
"""

from functools import cache

import jax
import numpy as np
import pytest

from nnjax.cli.compose import compose_train
from nnjax.data.load import load
from nnjax.parallel import averaging
from nnjax.parallel.placement import AXIS
from nnjax.parallel.preemption import StopSignal
from nnjax.training.checkpoints import Checkpoints
from nnjax.training.clock import Clock
from nnjax.training.experiment import set_up
from nnjax.training.loop import fit
from nnjax.training.training_progress import TrainingProgress

IMAGES = [
    "data=synthetic",
    "data.input_shape=[8,8,3]",
    "data.num_train=200",
    "data.num_test=37",  # fills no whole number of batches
    "data.augment={flip: random, crop: 2, cutout: 3}",
    "training.global_batch_size=16",
    "training.eval_batch_size=16",
    "training.duration=100steps",
]
MODELS = {
    "two_neuron": [
        "model=two_neuron",
        "optimizer.learning_rate=0.05",
        "training.duration=100steps",
        "training.stop.loss_below=null",
    ],
    "two_neuron_batch": [
        "model=two_neuron",
        "data=synthetic",
        "data.task=regression",
        "data.input_shape=[3]",
        "data.outputs=1",
        "data.num_train=64",
        "data.num_test=9",
        "loss=half_mse",
        "activation=tanh",
        "training.global_batch_size=16",
        "training.eval_batch_size=8",
        "training.duration=100steps",
    ],
    "fnn": ["model=fnn", "model.hidden=[16,16]", "model.normalization=batch", "model.dropout=0.2", *IMAGES],
    "cnn": [
        "model=cnn",
        # No kinks: where a relu or a largest value is all but undecided, rounding decides, and the runs part for good.
        "activation=silu",
        "model.blocks=[{features: 4, pooling: average, batch_norm: true},"
        "{features: 8, convolutions: 2, pooling: average, batch_norm: true}]",
        "model.dense=[16]",
        "model.dropout=0.0",
        *IMAGES,
    ],
    # BatchNorm sees one value a device: the statistics are those of all devices.
    "cnn_of_one_pixel": [
        "model=cnn",
        "activation=silu",
        "model.blocks=[{features: 4, pool: 8, pooling: average},{features: 4, pool: 1, batch_norm: true}]",
        "model.dense=[]",
        "model.dropout=0.0",
        *IMAGES,
        "training.global_batch_size=4",
    ],
    "rnn": ["model=rnn", "model.cell=lstm", "model.hidden=[8,8]", "model.dropout=0.2", *IMAGES],
}
# Adam divides by the root of the second moment, which turns rounding in a gradient that is all but zero into a whole step;
# plain momentum shows what the step itself adds up to.
OPTIMIZER = ["optimizer=sgd", "optimizer.momentum=0.9", "optimizer.learning_rate=0.02"]


pytestmark = pytest.mark.usefixtures("optimised")  # how close two sums come to each other depends on the optimisations


class Silent:
    def trained(self, step, metrics, examples_per_second):
        pass

    def weights(self, step, values):
        pass

    def evaluated(self, step, train, validation):
        pass


def run(overrides, sharding, num_devices, tmp_path):
    """Parameters and statistics after training, the progress, and the evaluation of the test split."""
    # With some seeds rounding grows from step to step, and the runs part by more than the tolerance; with this one by a tenth.
    config = compose_train([*overrides, f"parallel={sharding}", "seed=5"])
    experiment, state = set_up(config, load(config.data), jax.devices()[:num_devices])
    checkpoints = Checkpoints(tmp_path / f"{sharding}{num_devices}", keep=1)
    result = fit(
        experiment,
        jax.device_get(state),
        TrainingProgress(),
        checkpoints=checkpoints,
        callback=Silent(),
        stop=StopSignal(),
        clock=Clock(),
    )
    checkpoints.wait()
    evaluation = experiment.evaluate(result.state, experiment.dataset.test)
    replicas = jax.device_get(result.state)
    for leaf in jax.tree.leaves((replicas.params, replicas.model_state)):
        for replica in leaf:
            np.testing.assert_array_equal(replica, leaf[0], err_msg="the devices hold different states")
    final = experiment.placement.fetch(result.state)
    return (final.params, final.model_state), result.progress, evaluation


def assert_same(one, other):
    (state, progress, evaluation), (other_state, other_progress, other_evaluation) = one, other
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), state, other_state)
    assert progress.step == other_progress.step == 100
    assert evaluation.count == other_evaluation.count
    np.testing.assert_allclose(evaluation.losses, other_evaluation.losses, rtol=1e-5, atol=1e-5)


def overrides_of(model):
    return [*MODELS[model], *([] if model == "two_neuron" else OPTIMIZER)]


MORE = {"two_neuron": (), "rnn": (2,), "cnn_of_one_pixel": (2, 4)}


def cases():
    """Each model with each number of devices; in the fast suite on two, and not what is like another model."""
    for model in MODELS:
        for num_devices in (1, *MORE.get(model, (2, 4, 8))):
            for sharding in ("pmap", "shard_map") if num_devices > 1 else ("shard_map",):
                is_fast = (num_devices == 2 or model == "two_neuron") and model not in ("two_neuron_batch", "fnn", "rnn")
                is_fast &= (model, sharding) != ("cnn", "shard_map")  # cnn_of_one_pixel has the same kinds of layers
                yield pytest.param(model, num_devices, sharding, marks=() if is_fast else pytest.mark.slow)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """From a model to its run on one device."""
    return cache(lambda model: run(overrides_of(model), "pmap", 1, tmp_path_factory.mktemp(model)))


@pytest.mark.slow
@pytest.mark.parametrize(("model", "num_devices", "sharding"), list(cases()))
def test_shardings_equal_one_device(model, num_devices, sharding, alone, tmp_path):
    assert alone(model)[2].count == {"two_neuron": 1, "two_neuron_batch": 9}.get(model, 37)
    assert_same(run(overrides_of(model), sharding, num_devices, tmp_path), alone(model))


@pytest.mark.parametrize(
    ("mutation", "sharding"),
    [
        ("removed", "shard_map"),
        ("doubled", "pmap"),
        pytest.param("removed", "pmap", marks=pytest.mark.slow),
        pytest.param("doubled", "shard_map", marks=pytest.mark.slow),
    ],
)
def test_a_wrong_average_is_noticed(mutation, sharding, alone, tmp_path, monkeypatch):
    right = alone("fnn")
    mean = averaging.mean_over_devices

    def mutated(grads):
        # A gradient that arrives summed already, and is averaged as if it were not, is the doubled reduction.
        return grads if mutation == "removed" else mean(jax.lax.psum(grads, AXIS))

    monkeypatch.setattr(averaging, "mean_over_devices", mutated)
    with pytest.raises(AssertionError):
        assert_same(run(overrides_of("fnn"), sharding, 4, tmp_path), right)
