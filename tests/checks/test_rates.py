"""Learning rates over the steps against hand formulas, as NumPy and as JAX compute them."""

import math
from collections.abc import Callable
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.checks.plan import make_plan
from nnjax.checks.rates import Course
from nnjax.cli.compose import compose_train
from nnjax.config.schema import TrainConfig

PER_EPOCH = 20  # digits
Line = Callable[[int], float]


def config_of(*overrides: str, epochs: int = 6) -> TrainConfig:
    return compose_train([f"training.duration={epochs}epochs", *overrides])


def rates(config: TrainConfig, steps: int) -> np.ndarray:  # type: ignore[type-arg]
    """As NumPy has them; JAX's, one by one and compiled, are held against them."""
    rate = make_plan(config).relative_rate
    found: np.ndarray = np.broadcast_to(rate(np.arange(steps)), steps)  # type: ignore[type-arg]
    compiled = jax.jit(jax.vmap(lambda step: jnp.float32(rate(step))))(jnp.arange(steps))
    np.testing.assert_allclose(compiled, found, rtol=3e-6, atol=3e-7)
    with jax.enable_x64(True):  # as a trace has it
        exact = jax.jit(rate)(jnp.int32(7)) if config.schedule.name != "constant" else 1.0
        np.testing.assert_allclose(exact, found[7], rtol=1e-14)
    np.testing.assert_allclose([float(rate(step)) for step in range(0, steps, 7)], found[::7], rtol=1e-12)
    return found


def cosine(final: float, span: int) -> Line:
    return lambda k: final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(k, span) / span))


def warm(up: int, final: float, span: int) -> Line:
    return lambda k: (k + 1) / up if k < up else cosine(final, span - up)(k - up)


def one_cycle(up: int, start: float, final: float, span: int) -> Line:
    def line(k: int) -> float:
        if k < up:
            return start + (1 - start) * k / up if start else (k + 1) / up
        return 1 + (final - 1) * (min(k, span) - up) / (span - up)

    return line


def steps_down(boundaries: tuple[int, ...], factor: float) -> Line:
    return lambda k: factor ** sum(k >= boundary for boundary in boundaries)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (("schedule=constant",), lambda k: 1.0),
        (("schedule=cosine", "schedule.final=0.2"), cosine(0.2, 120)),
        (("schedule=cosine",), cosine(0, 120)),
        (("schedule=warmup_cosine", "schedule.warmup=1epoch"), warm(20, 0, 120)),
        (("schedule=warmup_cosine", "schedule.warmup=1step", "schedule.final=1"), warm(1, 1, 120)),
        (("schedule=warmup_cosine", "schedule.warmup=119steps"), warm(119, 0, 120)),
        (("schedule=onecycle",), one_cycle(30, 0.1, 0, 120)),
        (("schedule=onecycle", "schedule.start=0", "schedule.warmup=7steps"), one_cycle(7, 0, 0, 120)),
        (("schedule=onecycle", "schedule.start=1", "schedule.warmup=1step", "schedule.final=0.5"), one_cycle(1, 1, 0.5, 120)),
        (("schedule=step", "schedule.boundaries=[640examples,75%]"), steps_down((10, 90), 0.1)),
    ],
)
def test_a_schedule_is_its_formula_at_every_step(overrides: tuple[str, ...], line: Line) -> None:
    found = rates(config_of(*overrides), 120)
    np.testing.assert_allclose(found, [line(k) for k in range(120)], rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("overrides", ["schedule=cosine", "schedule=warmup_cosine", "schedule=onecycle schedule.start=0"])
@pytest.mark.parametrize("epochs", [1, 6])
def test_no_step_is_wasted(overrides: str, epochs: int) -> None:
    assert (rates(config_of(*overrides.split(), epochs=epochs), epochs * PER_EPOCH) > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (("schedule=cosine", "schedule.final=0.1"), cosine(0.1, 80)),
        (("schedule=warmup_cosine", "schedule.warmup=5%"), warm(4, 0, 80)),
        (("schedule=onecycle", "schedule.final=0.3"), one_cycle(20, 0.1, 0.3, 80)),
        (("schedule=step",), steps_down((40, 60), 0.1)),
    ],
)
def test_what_was_planned_is_gone_through_and_its_end_held(overrides: tuple[str, ...], line: Line) -> None:
    for epochs in (2, 4, 6, 9):
        found = rates(config_of("training.planned=4epochs", *overrides, epochs=epochs), epochs * PER_EPOCH)
        np.testing.assert_allclose(found, [line(k) for k in range(epochs * PER_EPOCH)], rtol=1e-9, atol=1e-12)


def test_a_restart_begins_anew_with_its_own_warm_up() -> None:
    config = config_of(
        "schedule=warmup_cosine", "schedule.warmup=10%", "schedule.restarts=[2epochs,{at: 60steps, length: 30steps}]"
    )
    plan = make_plan(config)
    assert plan.courses == (Course(0, 40), Course(40, 20), Course(60, 30))
    assert plan.course_ends == (40, 60, 90, 120)
    first, second, third = warm(4, 0, 40), warm(2, 0, 20), warm(3, 0, 30)
    expected = [first(k) for k in range(40)] + [second(k) for k in range(20)] + [third(k) for k in range(60)]
    np.testing.assert_allclose(rates(config, 120), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_a_chain_of_holds_and_restarts_has_one_past() -> None:
    """As a run is made longer again and again, every config has the steps before as they were."""
    chain: list[tuple[int, tuple[str, ...]]] = [
        (2, ()),
        (3, ("training.planned=2epochs",)),  # held
        (5, ("training.planned=2epochs", "schedule.restarts=[3epochs]")),  # begun anew
        (6, ("training.planned=2epochs", "schedule.restarts=[{at: 3epochs, length: 2epochs}]")),  # held
        (9, ("training.planned=2epochs", "schedule.restarts=[{at: 3epochs, length: 2epochs},6epochs]")),
    ]
    found = [rates(config_of("schedule=onecycle", *more, epochs=epochs), epochs * PER_EPOCH) for epochs, more in chain]
    for shorter, longer in pairwise(found):
        np.testing.assert_allclose(longer[: len(shorter)], shorter, rtol=1e-12)


def test_percents_elsewhere_are_of_what_was_planned() -> None:
    config = config_of("training.planned=4epochs", "training.evaluate_every=10%", "training.checkpoint_every=50%")
    found = make_plan(config).steps
    assert (found.total, found.planned, found.evaluate_every, found.checkpoint_every) == (120, 80, 8, 40)
