import os
import shlex
import sys
from contextlib import nullcontext

import pytest

from nnjax.checks import available_memory, file_checks, memory_checks
from nnjax.checks.available_memory import Room
from nnjax.checks.memory_checks import MemoryLimits, check_memory, out_of_memory_explained
from nnjax.checks.memory_needs import Machine
from nnjax.cli.compose import compose_config, compose_train
from nnjax.config.errors import ConfigError, IncompatibleError, OutOfMemoryError
from nnjax.config.parsing import config_hash
from nnjax.config.schema import EvaluateConfig, TraceConfig

GB = 10**9


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine with 24 GB and nothing but a CPU."""
    for module in (memory_checks, file_checks):
        monkeypatch.setattr(module, "host_room", lambda: Room(24 * GB, "this machine has 24.0 GB of memory free"))
    monkeypatch.setattr(memory_checks, "find_spec", lambda name: None)
    monkeypatch.setattr(memory_checks, "entry_points", lambda group: ())
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)


def refusal(*overrides):
    with pytest.raises(IncompatibleError) as caught:
        compose_train(overrides)
    return str(caught.value)


SYNTHETIC = "data=synthetic training.duration=10steps "
TOO_LARGE = [
    ("model=fnn model.hidden=[2000000000]", "model.hidden=[2000000000]"),
    ("model=fnn model.hidden=[64,9000000000000000000]", "model.hidden=[64,9000000000000000000]"),
    ("model=fnn model.hidden=[64,9000000000000000000] parallel.memory_limit=off", "model.hidden=[64,9000000000000000000]"),
    ("model=rnn model.hidden=[200000]", "model.hidden=[200000]"),
    ("model.dense=[1000000000]", "model.dense=[1000000000]"),
    ("'model.blocks=[{features: 8},{features: 3000000}]'", "model.blocks.1.features=3000000"),
    ("'model.blocks=[{features: 32, kernel: 100000}]'", "model.blocks.0.kernel=100000"),
    ("'model.blocks=[{features: 32, convolutions: 3000000000000}]'", "model.blocks.0.convolutions=3000000000000"),
    ("model=airbench model.widths=[8,400000]", "model.widths=[8,400000]"),
    ("model=neurons data=digits loss=mse 'model.layers=[{size: 900000000},{size: 10}]'", "model.layers.0.size=900000000"),
    (SYNTHETIC + "data.num_train=1000000000000", "data.num_train=1000000000000"),
    ("data=synthetic data.num_train=1000000000000", "data.num_train=1000000000000"),
    (SYNTHETIC + "data.num_train=1000000000000 data.limit_train=100", "data.num_train=1000000000000"),
    (SYNTHETIC + "data.num_test=1000000000000", "data.num_test=1000000000000"),
    (SYNTHETIC + "data.input_shape=[60000,60000,3]", "data.input_shape=[60000,60000,3]"),
    (SYNTHETIC + "data.task=regression loss=mse data.outputs=500000000", "data.outputs=500000000"),
    (
        SYNTHETIC + "data.num_train=3000000 data.input_shape=[8,8,1] training.global_batch_size=2500000",
        "training.global_batch_size=2500000",
    ),
    ("training.seeds=4000000000", "training.seeds=4000000000"),
    ("data=digits model=fnn parallel.devices=1000000", "parallel.devices=1000000"),
    (
        "experiment=cifar10_airbench94 data.validation=0 training.global_batch_size=50000",
        "training.global_batch_size=50000",
    ),
    ("model=two_neuron training.stop.loss_below=null training.seeds=4000000000", "training.seeds=4000000000"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("overrides", "first"), TOO_LARGE)
def test_what_cannot_fit_is_refused_by_the_value_that_takes_most(overrides, first):
    line, *rest = refusal(*shlex.split(overrides)).splitlines()
    assert line.startswith(f"{first}: needs at least ")
    assert "parallel.memory_limit=off" in line or "no machine has" in line
    assert any("together, at least" in other for other in rest)


FITS = [
    "",
    "data=mnist",
    "experiment=cifar10_airbench94",
    "training.eval_batch_size=1000000000000000",
    "model=fnn model.hidden=[8192,8192,8192]",
    SYNTHETIC + "data.num_train=20000000",
    SYNTHETIC + "data.num_train=30000000 model=fnn data.limit_train=1000 data.validation=0",
    "training.seeds=1000",
    "model=fnn model.hidden=[2000000000] parallel.memory_limit=off",
    "model=fnn model.hidden=[2000000000] parallel.memory_limit=9TB",
    "data.limit_train=1000000000000",
]


@pytest.mark.slow
@pytest.mark.parametrize("overrides", FITS)
def test_what_may_fit_is_let_through(overrides):
    compose_train(overrides.split())


def test_the_sum_is_shown():
    first, *lines = refusal("model=fnn", "model.hidden=[2000000000]").splitlines()
    assert first == (
        "model.hidden=[2000000000]: needs at least 6.4 TB to train, and this machine has 24.0 GB of memory free; make it "
        "smaller, or try all the same with parallel.memory_limit=off (set on the command line)"
    )
    assert [" ".join(line.split()) for line in lines] == [
        "1.8 TB a copy of the state to save: 1,800,000,000,120 bytes",
        "1.8 TB the initial state: 1,800,000,000,120 bytes",
        "1.2 TB memory of the optimizer, adam: 300,000,000,020 × 4 bytes",
        "600.0 GB parameters: 150,000,000,010 × 4 bytes",
        "512.0 GB activations of a batch: 64 examples × 2,000,000,074 values × 4 bytes",
        "512.0 GB gradients: 128,000,000,000 × 4 bytes",
        "6.4 TB together, at least, to train",
    ]


def test_a_given_limit_stands_in_the_place_of_what_is_measured():
    assert "parallel.memory_limit allows 200kB" in refusal("data=mnist", "parallel.memory_limit=200kB")
    compose_train(["data=mnist", "parallel.memory_limit=4GB"])


def test_a_limit_tells_no_experiments_apart():
    assert config_hash(compose_train([])) == config_hash(compose_train(["parallel.memory_limit=9GB"]))


@pytest.mark.parametrize(
    ("platforms", "option", "plugins", "refused"),
    [
        (None, "auto", False, True),
        (None, "auto", True, False),
        (None, "cpu", True, True),
        ("cpu", "auto", True, True),
        ("cuda,cpu", "auto", True, False),
        (None, "gpu", False, False),
    ],
)
def test_what_lies_on_devices_counts_only_where_they_are_known(monkeypatch, platforms, option, plugins, refused):
    if platforms:
        monkeypatch.setenv("JAX_PLATFORMS", platforms)
    monkeypatch.setattr(memory_checks, "find_spec", lambda name: object() if plugins else None)
    # Parameters and optimizer take 11 GB, and on the host another 22 GB of copies.
    overrides = ["model=fnn", "model.hidden=[30000,30000]", "data.validation=0", f"parallel.platform={option}"]
    with pytest.raises(IncompatibleError) if refused else nullcontext():
        compose_train(overrides)


def test_an_accelerator_is_held_to_its_own_memory():
    config = compose_train(["model=fnn", "model.hidden=[10000,10000]", "parallel.platform=gpu"])
    limits = MemoryLimits("auto", device_room=Room(2 * GB, "NVIDIA H100 has 2.0 GB free"))
    with pytest.raises(IncompatibleError, match=r"on each device, and NVIDIA H100 has 2\.0 GB free"):
        check_memory(config, machine=Machine("accelerator", 2), limits=limits)


def test_the_same_model_may_be_evaluated_on_a_smaller_machine():
    config = compose_train(["model=fnn", "model.hidden=[10000,10000]"])
    small = MemoryLimits(compose_train(["parallel.memory_limit=3GB"]).parallel.memory_limit, "memory_limit")
    check_memory(config, purpose="evaluate", limits=small)
    with pytest.raises(IncompatibleError, match="try all the same with memory_limit=off"):
        check_memory(config, limits=small)


def test_an_evaluation_takes_a_limit_of_its_own():
    compose_config("evaluate", ["run=x", "memory_limit=2GB"], EvaluateConfig)
    with pytest.raises(ConfigError, match="memory_limit=2: must be one of auto, off, or a size such as 12GB"):
        compose_config("evaluate", ["run=x", "memory_limit=2"], EvaluateConfig)


REGRESSION = ["data=synthetic", "data.task=regression", "loss=half_mse", "optimizer=textbook", "data.input_shape=[3]"]
ONE_OUTPUT = ["data.outputs=1", "data.validation=0", "iterations=1"]


def test_a_trace_needs_its_data_only():
    with pytest.raises(IncompatibleError, match=r"data\.num_train=10000000000: needs at least"):
        compose_config("trace", [*REGRESSION, *ONE_OUTPUT, "data.num_train=10000000000"], TraceConfig)


def test_a_batch_too_large_to_trace_is_told_at_once():
    overrides = [*REGRESSION, *ONE_OUTPUT, "data.num_train=300000000", "training.global_batch_size=300000000"]
    with pytest.raises(IncompatibleError, match=r"training\.global_batch_size=300000000: .* must be at most 11763"):
        compose_config("trace", overrides, TraceConfig)


def test_a_file_larger_than_memory_is_not_read(tmp_path):
    file = tmp_path / "all.csv"
    file.touch()
    os.truncate(file, 60 * GB)
    overrides = ["model=rnn", "data=series", f"data.file={file}"]
    assert refusal(*overrides).startswith(f"data.file={str(file)[:59]}")
    assert "has 60.0 GB, and this machine has 24.0 GB of memory free" in refusal(*overrides)
    assert "parallel.memory_limit allows 50GB" in refusal(*overrides, "parallel.memory_limit=50GB")


class JaxRuntimeError(RuntimeError):
    """Named as JAX's."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 51.2 GiB"),
        JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 512000000000 bytes.\nmore"),
    ],
)
def test_memory_that_runs_out_is_explained_in_one_line_and_the_sum(error):
    config = compose_train(["model=fnn", "model.hidden=[30000]"])
    with pytest.raises(OutOfMemoryError) as caught, out_of_memory_explained(config):
        raise error
    first, *rest = str(caught.value).splitlines()
    assert (
        first
        == "out of memory: model.hidden=[30000]: takes the most of at least 108.2 MB to save a checkpoint; make it smaller"
    )
    assert any("parameters" in line for line in rest)
    assert rest[-1].strip() == (str(error).splitlines() or [rest[-1].strip()])[0]
    assert caught.value.exit_code == 1


def test_other_errors_and_configs_are_left_as_they_are():
    with pytest.raises(ZeroDivisionError), out_of_memory_explained(compose_train()):
        raise ZeroDivisionError
    with pytest.raises(JaxRuntimeError), out_of_memory_explained(compose_train()):
        raise JaxRuntimeError("INTERNAL: something else")
    with pytest.raises(OutOfMemoryError, match="make the model, the batch or the data smaller"), out_of_memory_explained(None):
        raise MemoryError


def test_sizes_come_from_a_library():
    assert available_memory.size_text(24 * GB) == "24.0 GB"


def test_a_limit_below_the_libraries_is_what_is_wrong(monkeypatch):
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    assert refusal("data=digits", "parallel.memory_limit=100MB").startswith(
        "parallel.memory_limit=100MB: Python, JAX and XLA alone need at least 200.0 MB, and parallel.memory_limit allows 100MB"
    )
