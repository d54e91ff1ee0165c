"""The programs that are made ahead are those that a training calls."""

import jax
import numpy as np
import pytest
from jax import monitoring

from nnjax.cli.compose import compose_train
from nnjax.data.load import load
from nnjax.parallel.program_store import PROGRAMS, LoadedCode
from nnjax.training import preparation
from nnjax.training.background import joined
from nnjax.training.dead_units import DeadUnits
from nnjax.training.experiment import set_up
from nnjax.training.preparation import begin_preparation
from nnjax.training.recording import records_weights, spans_evaluations
from nnjax.training.runner import compiled_chunk, loader_of

SIZES = [
    "data=synthetic",
    "data.num_train=64",
    "data.num_test=37",
    "data.input_shape=[4,4,1]",
    "data.outputs=3",
    "training.global_batch_size=8",
    "training.duration=2steps",
    "training.eval_batch_size=8",
    "model=fnn",
    "model.hidden=[8]",
]
FORMS = [
    [],
    ["model.normalization=batch"],
    ["data.validation=0", "training.evaluate_every=1step"],  # whose weights are recorded
    ["training.seeds=4"],
    ["training.seeds=4", "model.normalization=batch", "parallel=shard_map"],
    ["training.seeds=3"],
    ["parallel.gradients=sharded", "optimizer=adam"],
    ["training.vary.learning_rate=[0.1,0.2]"],
    ["data.placement=host"],
    ["activation=tanh"],
]
LOWERED = []
monitoring.register_event_duration_secs_listener(
    lambda event, _, **about: LOWERED.append(about["fun_name"]) if event.endswith("jaxpr_to_mlir_module_duration") else None
)


@pytest.fixture
def a_command():
    PROGRAMS.forget()
    with PROGRAMS.kept(24, LoadedCode(lambda: None)):
        yield
    PROGRAMS.forget()


def prepared(config, dataset, devices):
    with joined() as threads:
        begin_preparation(config, dataset, devices, threads)
    return len(threads)


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2, 4])
@pytest.mark.parametrize("overrides", FORMS)
def test_a_training_calls_what_was_prepared_for_it(overrides, devices, a_command):
    config = compose_train([*SIZES, *overrides])
    dataset, devices = load(config.data), jax.devices()[:devices]
    assert prepared(config, dataset, devices) == 2
    experiment, state = set_up(config, dataset, devices)
    placed, loader = experiment.layout.put(state), loader_of(experiment)
    dead_units = DeadUnits(experiment, state)
    before = len(LOWERED)
    spans = spans_evaluations(experiment)
    chunk, numbers = compiled_chunk(
        experiment,
        placed,
        loader,
        stop_below=config.training.stop.loss_below if spans else None,
        record_params=spans and records_weights(experiment, state.params),
    )
    trained, _ = chunk(placed, *numbers, loader(0, 2), experiment.placement.replicate(np.int32(2)))
    for of_split in (dataset.validation, dataset.test):
        if len(of_split):
            experiment.evaluate(trained, of_split)
    dead_units(trained)
    assert LOWERED[before:] == []


def test_only_the_first_training_of_a_command_prepares(a_command):
    config = compose_train(SIZES)
    dataset = load(config.data)
    assert prepared(config, dataset, jax.devices()[:2]) == 2
    assert prepared(config, dataset, jax.devices()[:2]) == 0
    PROGRAMS.forget()
    with PROGRAMS.kept(24):
        assert prepared(config, dataset, jax.devices()[:2]) == 0


@pytest.mark.parametrize("name", ["set_up", "loader_of", "DeadUnits"])
def test_an_error_is_left_to_the_training(name, a_command, monkeypatch):
    def fails(*_, **__):
        raise MemoryError("no memory")

    monkeypatch.setattr(preparation, name, fails)
    config = compose_train(SIZES)
    prepared(config, load(config.data), jax.devices()[:2])
