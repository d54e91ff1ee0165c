"""Every model × dataset × sharding that makes sense takes a step; the others are refused before anything is built."""

import itertools
from pathlib import Path

import jax
import numpy as np
import pytest
from archives import prepare_made

import nnjax.data
from nnjax.cli.compose import compose_train
from nnjax.config.errors import IncompatibleError
from nnjax.data.load import load
from nnjax.parallel.preemption import StopSignal
from nnjax.training.checkpoints import Checkpoints
from nnjax.training.clock import Clock
from nnjax.training.experiment import set_up
from nnjax.training.loop import fit
from nnjax.training.training_progress import TrainingProgress

MODELS = ("two_neuron", "neurons", "fnn", "cnn", "rnn")
DATASETS = ("textbook", "digits", "mnist", "fashion_mnist", "cifar10", "cifar100", "synthetic", "airline", "series")
OFFICIAL = ("mnist", "fashion_mnist", "cifar10", "cifar100")
OUTPUTS = {"textbook": 1, "airline": 1, "series": 1, "cifar100": 100}  # else 10
IMPOSSIBLE = {
    ("rnn", "textbook"),
    *(("cnn", data) for data in ("textbook", "airline", "series")),
    *(("two_neuron", data) for data in DATASETS if OUTPUTS.get(data) != 1),
}
REPEATED = {("neurons", data) for data in (*OFFICIAL, "synthetic", "series")}  # the same program as fnn's
SMALL = {
    "two_neuron": [],
    "fnn": ["model.hidden=[8]"],
    "cnn": ["model.blocks=[{features: 4}]", "model.dense=[8]"],
    "rnn": ["model.hidden=[4]"],
}
# As many values as the textbook's neuron a has weights.
SERIES = {
    "airline": ["data.window=3"],
    "series": ["data.window=3", f"data.file={Path(nnjax.data.__file__).with_name('airline_passengers.csv')}"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with small copies of the four official datasets."""
    folder = tmp_path_factory.mktemp("made")
    return {name: prepare_made(name, folder / name, num_train=80, num_test=20) for name in OFFICIAL}


class Silent:
    def trained(self, step, metrics, examples_per_second):
        pass

    def weights(self, step, values):
        pass

    def evaluated(self, step, train, validation):
        pass


def overrides(model, data, sharding):
    batch = 1 if data == "textbook" else 16
    sizes = [f"training.global_batch_size={batch}", f"training.eval_batch_size={batch}", "training.duration=1step"]
    layers = [f"model.layers=[{{size: 4}}, {{size: {OUTPUTS.get(data, 10)}, activation: identity}}]"]
    more = [*SMALL.get(model, layers), *SERIES.get(data, []), *sizes]
    return [f"data={data}", f"model={model}", f"parallel={sharding}", *more]


def pairs():
    """What goes together; in the fast suite not what is like another pair: images of one colour, or of three."""
    for model, data in sorted(set(itertools.product(MODELS, DATASETS)) - IMPOSSIBLE - REPEATED):
        is_like_another = model in ("cnn", "rnn") and data in ("mnist", "fashion_mnist", "cifar100")
        yield pytest.param(model, data, marks=pytest.mark.slow if is_like_another else ())


# That the two shardings compute the same is held by test_parity; that shard_map takes every pair, by the slow proofs.
@pytest.mark.parametrize("sharding", ["pmap", pytest.param("shard_map", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("model", "data"), list(pairs()))
def test_takes_a_step(model, data, sharding, made, tmp_path, monkeypatch):
    if data in made:
        monkeypatch.setenv("TFDS_DATA_DIR", str(made[data]))
    config = compose_train(overrides(model, data, sharding))
    experiment, state = set_up(config, load(config.data), jax.devices()[: 1 if data == "textbook" else 2])
    before = jax.device_get(state.params)
    checkpoints = Checkpoints(tmp_path, keep=1)
    result = fit(
        experiment, state, TrainingProgress(), checkpoints=checkpoints, callback=Silent(), stop=StopSignal(), clock=Clock()
    )
    checkpoints.wait()
    after = experiment.placement.fetch(result.state.params)
    changed = jax.tree.map(lambda a, b: not np.array_equal(a, b), before, after)
    assert any(jax.tree.leaves(changed))
    assert experiment.evaluate(result.state, experiment.dataset.test).count == len(experiment.dataset.test)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "data"), sorted(IMPOSSIBLE))
def test_is_refused(model, data):
    with pytest.raises(IncompatibleError, match=f"model={model}"):
        compose_train(overrides(model, data, "pmap"))
