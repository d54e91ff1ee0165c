"""The plan: what follows from a config and the facts of its dataset."""

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.checks.experiment_checks import check_config
from nnjax.checks.memory_needs import Machine, memory_needs
from nnjax.checks.plan import make_plan
from nnjax.checks.rates import Course
from nnjax.checks.trials import Trial
from nnjax.cli.compose import compose_config, compose_train
from nnjax.config.errors import ConfigError
from nnjax.config.schema import TraceConfig, Vary
from nnjax.config.training_options import Cosine, Restart
from nnjax.config.types import Duration
from nnjax.data.dataset_spec import dataset_spec

DEFAULT = compose_train(["schedule=cosine"])
SPEC = dataset_spec(DEFAULT.data)
DURATIONS = (
    st.builds(Duration, st.floats(0.01, 9), st.just("epochs"))
    | st.builds(Duration, st.integers(1, 300).map(float), st.just("steps"))
    | st.builds(Duration, st.integers(1, 9999).map(float), st.just("examples"))
)
PERCENTS = st.builds(Duration, st.floats(0.01, 100), st.just("%"))


@st.composite
def configs(draw):
    """Configs of many lengths and trials; not all of them are right."""
    training = replace(
        DEFAULT.training,
        global_batch_size=draw(st.integers(1, 1437)),
        eval_batch_size=draw(st.integers(1, 999)),
        duration=draw(DURATIONS),
        planned=draw(st.none() | DURATIONS),
        evaluate_every=draw(DURATIONS | PERCENTS),
        checkpoint_every=draw(st.none() | DURATIONS | PERCENTS),
        seeds=draw(st.integers(1, 9)),
        vary=Vary(draw(st.none() | st.lists(st.floats(1e-6, 9), min_size=2, max_size=4, unique=True).map(tuple))),
    )
    restarts = draw(st.lists(DURATIONS | PERCENTS | st.builds(Restart, DURATIONS, st.none() | DURATIONS), max_size=3))
    return replace(
        DEFAULT,
        training=training,
        schedule=replace(DEFAULT.schedule, restarts=tuple(restarts)),
        debug=replace(DEFAULT.debug, max_steps=draw(st.none() | st.integers(1, 99)), strict=draw(st.booleans())),
    )


@given(configs())
def test_lengths_agree_with_each_other(config):
    steps = make_plan(config, SPEC).steps
    assert 1 <= steps.total <= steps.duration
    assert steps.total == steps.duration or steps.total == config.debug.max_steps
    assert steps.evaluate_every >= 1
    assert steps.checkpoint_every is None or steps.checkpoint_every >= 1
    assert steps.planned == steps.duration or config.training.planned is not None
    assert steps.per_epoch * steps.batch_size <= SPEC.num_train < (steps.per_epoch + 1) * steps.batch_size
    assert steps.of(Duration(100, "%")) == steps.planned
    assert steps.of(Duration(100, "%"), whole=7) == 7
    assert steps.of(config.training.evaluate_every) == steps.evaluate_every


@given(configs())
def test_every_seed_meets_every_learning_rate(config):
    plan = make_plan(config, SPEC)
    rates = config.training.vary.learning_rate or (config.optimizer.learning_rate,)
    assert plan.num_trials == len(plan.trials) == config.training.seeds * len(rates)
    assert set(plan.trials) == {Trial(config.seed + k, rate) for k in range(config.training.seeds) for rate in rates}


@given(configs())
def test_courses_follow_each_other_and_the_rate_stays_within_its_bounds(config):
    try:
        plan = check_config(config)
    except ConfigError:
        return
    assert plan == make_plan(config)
    starts = [course.start for course in plan.courses]
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    assert all(course.span >= 1 for course in plan.courses)
    assert plan.course_ends[-1] == plan.steps.duration
    assert list(plan.course_ends) == sorted(set(plan.course_ends))
    assert all(float(plan.relative_rate(start)) == 1 for start in starts)  # where a cosine begins
    assert 0 <= float(plan.relative_rate(plan.steps.duration)) <= 1


@given(configs(), st.integers(1, 9))
def test_an_evaluation_batch_divides_among_the_devices_or_is_what_was_asked_for(config, devices):
    size, asked = make_plan(config, SPEC).shares(devices).global_eval_batch_size, config.training.eval_batch_size
    assert 1 <= size <= asked
    assert size == asked or (size % devices == 0 and SPEC.num_test <= size < SPEC.num_test + devices)


@given(configs(), st.integers(1, 9))
def test_the_devices_together_do_everything_and_no_device_more_than_it_must(config, devices):
    plan = make_plan(config, SPEC)
    shares, trials, batch = plan.shares(devices), plan.num_trials, plan.global_batch_size
    if shares.whole_trials:
        assert trials > 1
        assert shares.num_trials * devices >= trials > (shares.num_trials - 1) * devices
        assert (shares.batch_size, shares.eval_batch_size) == (batch, shares.global_eval_batch_size)
    else:
        assert shares.num_trials == trials
        assert shares.batch_size * devices >= batch > (shares.batch_size - 1) * devices
        assert shares.eval_batch_size * devices >= shares.global_eval_batch_size


def test_a_plan_in_numbers():
    config = compose_train(
        ["schedule=cosine", "schedule.restarts=[5epochs]", "training.duration=8epochs", "training.planned=4epochs"]
    )
    plan = make_plan(config)
    assert plan.spec == dataset_spec(config.data)
    assert (plan.steps.total, plan.steps.planned, plan.steps.per_epoch) == (160, 80, 20)
    assert plan.courses == (Course(0, 80), Course(100, 60))
    assert plan.course_ends == (80, 100, 160)
    assert (plan.num_trials, plan.global_batch_size, plan.devices) == (1, 64, "auto")
    assert plan.num_params == sum(layer.num_params for layer in plan.layers) > 0
    machine = Machine("cpu", 2)
    assert plan.memory_needs(machine) == memory_needs(config, plan.spec, machine)
    assert plan.memory_needs(machine, "evaluate") == memory_needs(config, plan.spec, machine, "evaluate")


def test_one_device_is_wanted_to_look_closely():
    assert make_plan(compose_train(["debug=strict"])).devices == 1
    assert make_plan(compose_train(["parallel.devices=4"])).devices == 4


def test_millions_of_trials_are_counted_and_not_listed():
    config = replace(DEFAULT, training=replace(DEFAULT.training, seeds=4_294_967_295))
    plan = make_plan(config, SPEC)
    assert plan.num_trials == 4_294_967_295
    assert "trials" not in vars(plan)


def test_a_dataset_that_turned_out_smaller_has_a_plan_of_its_own():
    smaller = make_plan(DEFAULT, replace(SPEC, num_train=640))
    assert (smaller.steps.per_epoch, make_plan(DEFAULT).steps.per_epoch) == (10, 20)


def test_a_plan_does_not_change():
    with pytest.raises(FrozenInstanceError):
        make_plan(DEFAULT, SPEC).num_trials = 2


def test_a_trace_has_one_too():
    plan = make_plan(compose_config("trace", [], TraceConfig))
    assert (plan.num_trials, plan.steps.batch_size, plan.spec.name) == (1, 1, "textbook")


def test_percents_of_themselves_are_refused_before():
    training = replace(DEFAULT.training, duration=Duration(5, "%"))
    with pytest.raises(ConfigError, match=r"training\.duration=5%: must be in steps, epochs or examples"):
        check_config(replace(DEFAULT, training=training))


def test_a_schedule_that_is_asked_of_a_plan_is_the_options():
    assert isinstance(make_plan(DEFAULT).config.schedule, Cosine)


def test_a_plan_needs_neither_jax_nor_numpy():
    program = """import json, sys
from nnjax.checks.plan import make_plan
from nnjax.cli.compose import compose_train
plan = make_plan(compose_train(["training.seeds=3"]))
plan.trials, plan.memory_needs(), plan.num_params
print(json.dumps(sorted({"jax", "numpy"} & set(sys.modules))))"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == []
