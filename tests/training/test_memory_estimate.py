"""What is counted without JAX is no more than what XLA sets apart, and of its order."""

import jax
import pytest

from nnjax.checks.memory_needs import Machine, memory_needs
from nnjax.cli.compose import compose_train
from nnjax.data.dataset_spec import dataset_spec
from nnjax.data.load import load
from nnjax.parallel.placement import Placement
from nnjax.parallel.preemption import StopSignal
from nnjax.training import runner
from nnjax.training.chunk_loader import make_loader
from nnjax.training.clock import Clock
from nnjax.training.experiment import set_up

DATA = ["data=synthetic", "data.num_train=4000", "data.num_test=10"]
LARGE_BATCH = [*DATA, "training.global_batch_size=1000"]
PROGRAMS = {
    "fnn": [*DATA, "model=fnn", "model.hidden=[1000,1000]"],
    "fnn, clipped": [*DATA, "model=fnn", "model.hidden=[1000,1000]", "optimizer.clip_norm=1"],
    "fnn, muon": [*DATA, "model=fnn", "model.hidden=[500,500]", "optimizer=muon"],
    "fnn, large batch": [*LARGE_BATCH, "model=fnn", "model.hidden=[300,100,300]", "model.normalization=batch"],
    "cnn": LARGE_BATCH,
    "cnn, mean pooling": [*LARGE_BATCH, "model.blocks=[{features: 8, pooling: average}, {features: 16, convolutions: 2}]"],
    "cnn, bfloat16": [*LARGE_BATCH, "training.precision=bfloat16"],
    "rnn": [*LARGE_BATCH, "model=rnn", "model.cell=simple", "model.hidden=[32,32]"],
    "airbench": [*LARGE_BATCH, "model=airbench", "model.widths=[8,16]", "training.global_batch_size=500"],
}


def compiled_chunk(config, monkeypatch):
    """The sizes of the program that trains."""
    found = []
    monkeypatch.setattr(runner, "check_compiled", lambda config, spec, compiled, *rest: found.append(compiled))
    experiment, state = set_up(config, load(config.data), jax.devices()[:1])
    runner.ChunkRunner(experiment, experiment.placement.put(state), stop=StopSignal(), clock=Clock())
    return found[0].memory_analysis()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ("fnn", "cnn") else pytest.mark.slow) for name in PROGRAMS]
)
def test_gradients_and_activations_are_within_what_a_program_sets_apart(name, monkeypatch):
    config = compose_train([*PROGRAMS[name], "parallel.devices=1"])
    (training,) = (n for n in memory_needs(config, dataset_spec(config.data), Machine("cpu")) if n.when == "to train")
    parts = {part.name: part.bytes for part in training.parts}
    counted = max(parts["gradients"], parts["activations of a batch"])
    sizes = compiled_chunk(config, monkeypatch)
    assert counted <= sizes.temp_size_in_bytes <= 12 * (counted + 2**20)
    state = sum(size for part, size in parts.items() if part.startswith(("parameters", "memory", "statistics", "slow")))
    assert state <= sizes.alias_size_in_bytes <= state + 1000


@pytest.mark.slow
@pytest.mark.parametrize("placement", ["device", "host"])
@pytest.mark.parametrize(("batch", "trials"), [(64, 1), (2**21, 1), (2**16, 40)])
def test_the_indices_of_a_chunk_stay_small(batch, trials, placement):
    config = compose_train(
        [
            "data=synthetic",
            "data.input_shape=[1]",
            f"data.num_train={2 * batch}",
            "data.validation=0",
            f"data.placement={placement}",
            "model=fnn",
            f"training.global_batch_size={batch}",
            f"training.seeds={trials}",
            "training.duration=5000steps",
            "parallel.devices=1",
        ]
    )
    devices = Placement("pmap", jax.devices()[:1], trials)
    loader = make_loader(load(config.data).train, config, devices, seeds=range(trials), total_steps=5000)
    assert 1 <= loader.max_steps <= 1024
    assert loader.max_steps * batch * trials * 4 <= 2**25
