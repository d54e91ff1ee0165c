"""Jobs share a program where, and only where, each alone would have made the same one."""

from dataclasses import dataclass

import jax
import optax
import pytest
from flax import nnx
from jax import monitoring
from training.test_program_arguments import NUMBERS, RULES, SIZES, TINY, both, texts

import nnjax
from experiments.train import train
from nnjax.api import program_reuse
from nnjax.checks.plan import make_plan
from nnjax.cli.compose import compose_train
from nnjax.config import registry
from nnjax.config.option_numbers import numbers_of
from nnjax.data.load import load
from nnjax.parallel.program_store import PROGRAMS
from nnjax.reporting.metrics import read_metrics
from nnjax.training.experiment import set_up
from nnjax.training.program_use import ProgramUse

LOWERED = []
monitoring.register_event_duration_secs_listener(
    lambda event, _, **about: LOWERED.append(about["fun_name"]) if event.endswith("jaxpr_to_mlir_module_duration") else None
)


def key_of(overrides):
    """The key in this process; and that of all processes, which belongs to the same code."""
    config = compose_train([*SIZES, *overrides])
    experiment, _ = set_up(config, load(config.data), jax.devices()[:2])
    spec, devices, arguments = experiment.dataset.spec, experiment.placement.devices, experiment.trial_params
    use = ProgramUse(config, spec, experiment.recipe.network, devices, "train")
    return Keys(use.key(arguments), use.facts(arguments))


@dataclass(frozen=True)
class Keys:
    """Equal if both are; different only if both are."""

    own: object
    shared: str | None

    def __eq__(self, other):
        assert (self.own == other.own) == (self.shared == other.shared)
        return self.own == other.own


BASE = ["optimizer=sgd", "optimizer.momentum=0.9", "loss.label_smoothing=0.1", "model.dropout=0.2", "training.duration=6steps"]


@pytest.fixture(scope="module")
def base():
    return key_of(BASE), texts(BASE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "override",
    [
        "seed=7",
        "optimizer.learning_rate=0.003",
        "optimizer.momentum=0.5",
        "loss.label_smoothing=0.25",
        "report.figures=true",
    ],
)
def test_another_number_has_the_same_key(base, override):
    assert key_of([*BASE, override]) == base[0]


@pytest.mark.slow
def test_other_rates_of_trials_have_the_same_key():
    first, second, more = (
        [*BASE, f"training.vary.learning_rate={rates}"] for rates in ("[0.1,0.2]", "[0.3,0.4]", "[0.1,0.2,0.3]")
    )
    assert key_of(first) == key_of(second) != key_of(more)
    assert texts(first) == texts(second)


@pytest.mark.slow
@pytest.mark.parametrize(
    "override",
    [
        "optimizer.momentum=0",
        "optimizer.nesterov=true",
        "optimizer.clip_norm=1",
        "optimizer.weight_decay=0.1",
        "optimizer.lookahead={sync_period: 2, slow_step_size: 0.3, power: 2.0}",
        "loss.label_smoothing=0",
        "activation=tanh",
        "model.dropout=0",
        "model.hidden=[5]",
        "model.normalization=batch",
        "data.augment.flip=off",
        "data.augment.crop=1",
        "data.normalize=false",
        "schedule=constant",
        "training.precision=bfloat16",
        "training.seeds=2",
        "training.global_batch_size=8",
        "training.test_views=2",
        "parallel=shard_map",
        "parallel.gradients=flat",
        "parallel.gradients=per_tensor",
        "debug=strict",
    ],
)
def test_whatever_changes_a_program_changes_the_key(base, override):
    key, program_texts = base
    config = compose_train([*SIZES, *BASE, override])
    changed = [*BASE, override]
    if override != "debug=strict":  # which wants one device, and donates nothing: the text has no word of either
        assert texts(changed) != program_texts or make_plan(config).num_trials != 1
    assert key_of(changed) != key


@pytest.mark.slow
def test_every_number_of_every_rule_is_left_out_where_it_is_an_argument():
    for rule, numbers in RULES.items():
        first, second = both({key: value for key, value in NUMBERS.items() if key.startswith("optimizer.")} | numbers)
        assert key_of([f"optimizer={rule}", *first]) != key_of([f"optimizer={rule}", *second])  # durations are no numbers
        first, second = both(numbers)
        assert key_of([f"optimizer={rule}", *first]) == key_of([f"optimizer={rule}", *second])
        assert numbers_of(compose_train([f"optimizer={rule}"]).optimizer)


def evaluation_key_of(overrides):
    config = compose_train([*SIZES, *overrides])
    experiment, state = set_up(config, load(config.data), jax.devices()[:2])
    forward, arguments = experiment.evaluate._forward, []
    forward._program = lambda use, given: arguments.append(given) or experiment.evaluate._forward._function
    with PROGRAMS.kept(1):
        experiment.evaluate(experiment.layout.put(state), experiment.dataset.validation)
    return Keys(forward._use.key(arguments[0]), forward._use.facts(arguments[0]))


@pytest.fixture(scope="module")
def evaluation_key():
    return evaluation_key_of(BASE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "is_shared"),
    [
        ("training.duration=7steps", True),
        ("optimizer.nesterov=true", True),
        ("schedule=constant", True),
        ("loss.label_smoothing=0.2", True),
        ("data.augment.flip=off", True),
        ("loss.label_smoothing=0", False),
        ("activation=tanh", False),
        ("model.hidden=[5]", False),
        ("data.normalize=false", False),
        ("data.num_test=6", False),
        ("training.precision=bfloat16", False),
        ("training.seeds=2", False),
        ("training.eval_batch_size=2", False),
        ("training.test_views=2", False),
        ("parallel=shard_map", False),
    ],
)
def test_an_evaluation_is_shared_by_trainings_that_differ_in_their_steps_alone(evaluation_key, override, is_shared):
    assert (evaluation_key_of([*BASE, override]) == evaluation_key) is is_shared


def test_settings_of_jax_are_part_of_the_key():
    before = key_of(BASE)
    with jax.default_matmul_precision("highest"):
        assert key_of(BASE) != before
    assert key_of(BASE) == before


@dataclass(frozen=True)
class Half:
    """The options of a rule of one's own."""

    learning_rate: float = 0.1


def test_registered_options_are_part_of_the_key():
    before = key_of(BASE)

    @nnjax.register_optimizer("half")
    def half(options: Half, learning_rate):
        return optax.sgd(learning_rate / 2)

    try:
        assert key_of(BASE) != before
        assert key_of(BASE).shared is None  # of code that no version covers
    finally:
        registry.forget([("optimizer", "half")])
    assert key_of(BASE) == before


FACTOR = [1.0]


@dataclass(frozen=True)
class Scaled:
    """The options of a model of one's own."""


class ScaledNetwork(nnx.Module):
    """Has an attribute that cannot be hashed, if it is to, and calls on what a person may change."""

    def __init__(self, inputs, outputs, rngs, *, with_list):
        self.dense = nnx.Linear(inputs, outputs, rngs=rngs)
        self.sizes = nnx.static([inputs, outputs]) if with_list else (inputs, outputs)

    def __call__(self, x):
        return self.dense(x.reshape(len(x), -1)) * FACTOR[0]


@pytest.fixture(params=["a list", "a tuple"])
def scaled(request):
    @nnjax.register_model("scaled")
    def scaled_model(options: Scaled, activation, spec, *, rngs, dtype):
        return ScaledNetwork(36, spec.num_outputs, rngs, with_list=request.param == "a list")

    try:
        yield nnjax.compose(*[word for word in SIZES if not word.startswith("model")], "model=scaled")
    finally:
        FACTOR[0] = 1.0
        registry.forget([("model", "scaled")])


@pytest.mark.slow
def test_a_model_of_ones_own_trains_with_any_attribute_and_fit_takes_no_program_of_a_job(scaled, tmp_path):
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        train(scaled, tmp_path / str(number))
    before = losses(read_metrics(tmp_path / "0"))
    assert losses(read_metrics(tmp_path / "1")) == before == losses(nnjax.fit(scaled).history)
    FACTOR[0] = 3.0
    assert losses(nnjax.fit(scaled).history) != before


JOBS = [
    ["seed=1"],
    ["seed=2", "optimizer.learning_rate=0.02"],
    ["seed=2", "optimizer.learning_rate=0.02", "loss.label_smoothing=0.3"],
    ["seed=2", "optimizer.momentum=0.5", "data.augment.flip=off"],
    ["seed=1", "model.dropout=0.5"],
    ["seed=1", "training.duration=4steps"],
    ["seed=1", "training.seeds=3"],
    ["seed=5", "training.seeds=3", "optimizer.clip_norm=0.3"],
    ["seed=1"],
]


@pytest.mark.slow
def test_jobs_that_share_programs_have_the_numbers_that_they_have_alone(tmp_path):
    configs = [compose_train([*SIZES, *BASE, "optimizer.clip_norm=1", *job]) for job in JOBS]
    shared = []
    for number, config in enumerate(configs):
        folder = tmp_path / str(number)
        folder.mkdir()
        train(config, folder)
        shared.append(losses(read_metrics(folder)))
    assert shared == [losses(nnjax.fit(config).history) for config in configs]


def losses(records):
    return [(record["split"], record["step"], record["loss"]) for record in records]


@pytest.mark.slow
def test_the_second_job_lowers_no_program(tmp_path, monkeypatch):
    monkeypatch.setattr(program_reuse, "_trainings", [0])  # the sixteenth training of a process forgets some
    lowered = []
    for number in range(3):
        before, folder = len(LOWERED), tmp_path / str(number)
        folder.mkdir()
        train(compose_train([*TINY, f"seed={number}", f"optimizer.learning_rate=0.0{number + 1}"]), folder)
        lowered.append(LOWERED[before:])
    assert len(lowered[0]) >= 4
    assert lowered[1:] == [[], []]
