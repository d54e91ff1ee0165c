import pytest

from nnjax.checks.trace_checks import MOST_ROWS, DenseSize, dense_sizes, rows_of_iteration
from nnjax.cli.compose import compose_config
from nnjax.config.errors import IncompatibleError
from nnjax.config.schema import TraceConfig
from nnjax.data.dataset_spec import dataset_spec


def config_of(*overrides):
    return compose_config("trace", list(overrides), TraceConfig)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("model=cnn data=digits", "model=cnn: is not fully connected"),
        ("model=rnn data=airline", "model=rnn: is not fully connected"),
        ("optimizer=adam", "optimizer=adam: moves a weight by more than learning rate × gradient; choose optimizer=textbook"),
        ("optimizer=muon", "optimizer=muon: moves a weight"),
        ("optimizer=sgd optimizer.momentum=0.9", "optimizer.momentum=0.9: "),
        ("optimizer=sgd optimizer.weight_decay=0.1", "optimizer.weight_decay=0.1: "),
        ("optimizer=sgd optimizer.clip_norm=1", "optimizer.clip_norm=1.0: "),
        ("model=fnn model.normalization=layer", "model.normalization=layer: a trace shows plain neurons; must be none"),
        ("model=fnn model.dropout=0.5", "model.dropout=0.5: a trace shows plain neurons; must be 0"),
        ("data.inputs=[[1,1,1],[2,2,2]] data.targets=[[1],[0]] data.validation=0.5", "data.validation=0.5: a trace takes"),
        (
            "iterations=1000001",
            "iterations=1000001: must be at most 1,000,000",
        ),
        ("model=fnn data=mnist optimizer=sgd", "model=fnn: the trace would have"),
    ],
)
def test_what_cannot_be_shown_is_refused_and_named(overrides, message):
    with pytest.raises(IncompatibleError) as error:
        config_of(*overrides.split())
    assert str(error.value).startswith(message)


def test_all_that_is_in_the_way_is_named_at_once():
    with pytest.raises(IncompatibleError) as error:
        config_of("model=cnn", "data=digits", "optimizer=sgd", "optimizer.momentum=0.9")
    assert "\n  also: optimizer.momentum=0.9" in str(error.value)


def test_the_limit_that_is_proposed_is_the_largest_that_fits():
    overrides = ["model=fnn", "data=digits", "model.hidden=[32]", "optimizer=sgd"]
    with pytest.raises(IncompatibleError, match=r"^training.global_batch_size=128: .* at most \d+ for iterations=2") as error:
        config_of(*overrides, "training.global_batch_size=128")
    most = int(str(error.value).partition("at most ")[2].split()[0])
    config_of(*overrides, f"training.global_batch_size={most}")
    with pytest.raises(IncompatibleError):
        config_of(*overrides, f"training.global_batch_size={most + 1}")
    with pytest.raises(IncompatibleError, match="must be at most 5714"):
        config_of("iterations=5715", "report.records=all")
    config = config_of("iterations=5714", "report.records=all")
    assert 5714 * rows_of_iteration(config, dataset_spec(config.data), 1) <= MOST_ROWS


def test_sparse_records_allow_more_iterations():
    assert config_of("iterations=1000000").iterations == 1_000_000
    overrides = ["experiment=two_gpus", "parallel.devices=1"]
    with pytest.raises(IncompatibleError, match=r"^iterations=1000000: .* must be at most \d+") as error:
        config_of(*overrides, "iterations=1000000")
    most = int(str(error.value).partition("at most ")[2].split()[0])
    assert most > 100
    config_of(*overrides, f"iterations={most}")
    with pytest.raises(IncompatibleError):
        config_of(*overrides, f"iterations={most + 1}")


@pytest.mark.parametrize(
    ("overrides", "sizes"),
    [
        ((), [DenseSize(3, 1, True, True), DenseSize(1, 1, True, True)]),
        (("model.learn_biases=false",), [DenseSize(3, 1, True, False), DenseSize(1, 1, True, False)]),
        (
            ("model=neurons", "model.layers=[{size: 2, bias: false},{size: 1}]", "model.learn_biases=true"),
            [DenseSize(3, 2, False, False), DenseSize(2, 1, True, True)],
        ),
        (
            ("model=fnn", "model.hidden=[5,4]", "data=digits", "optimizer=sgd"),
            [DenseSize(64, 5, True, True), DenseSize(5, 4, True, True), DenseSize(4, 10, True, True)],
        ),
    ],
)
def test_dense_sizes(overrides, sizes):
    config = config_of(*overrides)
    assert dense_sizes(config, dataset_spec(config.data)) == sizes
