"""A function whose program is kept computes the same, and is compiled once for each form of its arguments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.cli.compose import compose_train
from nnjax.data.load import load
from nnjax.parallel.program_store import PROGRAMS
from nnjax.training.evaluation import Evaluator
from nnjax.training.experiment import set_up
from nnjax.training.kept_program import KeptFunction
from nnjax.training.program_use import ProgramUse

SIZES = ["data=synthetic", "data.input_shape=[4,4,1]", "data.num_train=64", "data.num_test=37", "model=fnn", "model.hidden=[8]"]
X = jnp.arange(12.0).reshape(3, 4)


@pytest.fixture
def programs():
    PROGRAMS.forget()
    with PROGRAMS.kept(24):
        yield
    PROGRAMS.forget()


@pytest.fixture(scope="module")
def experiment():
    config = compose_train([*SIZES, "training.global_batch_size=8"])
    return set_up(config, load(config.data), jax.devices()[:2])


@pytest.fixture
def use(experiment):
    made, _ = experiment
    return ProgramUse(made.config, made.dataset.spec, made.recipe.network, made.placement.devices[:1], "a test")


class Function:
    """As from `jax.jit`; counts its calls and compilations."""

    def __init__(self):
        self.function = jax.jit(lambda factor, x: x * factor + 1, static_argnums=0)
        self.called = self.lowered = 0

    def __call__(self, *arguments):
        self.called += 1
        return self.function(*arguments)

    def lower(self, *arguments):
        self.lowered += 1
        return self.function.lower(*arguments)


def test_each_form_of_arguments_has_a_program_that_all_functions_for_a_use_share(use, programs):
    function, other = Function(), Function()
    kept, again = KeptFunction(function, use, 0, 3), KeptFunction(other, use, 0, 3)
    for values in (X, X, X[:2], X.astype(int), X):
        np.testing.assert_array_equal(kept(values), values * 3 + 1)
        np.testing.assert_array_equal(again(values), values * 3 + 1)
    assert (function.lowered, function.called, other.lowered, other.called) == (3, 0, 0, 0)


def test_without_a_use_or_where_none_are_kept_it_is_the_function(use, programs):
    for its_use, most in ((None, 24), (use, 0)):
        function = Function()
        kept = KeptFunction(function, its_use, 0, 3)
        with PROGRAMS.kept(most):
            np.testing.assert_array_equal(kept(X), X * 3 + 1)
        assert (function.lowered, function.called) == (0, 1)
    assert not PROGRAMS._programs


def test_an_evaluator_without_a_use_keeps_nothing_and_measures_the_same(experiment, programs):
    made, state = experiment
    state, test = made.layout.put(state), made.dataset.test
    evaluate = Evaluator(made.recipe, made.placement, 10)
    alone = evaluate(state, test)
    assert not PROGRAMS._programs
    np.testing.assert_array_equal(alone.losses, made.evaluate(state, test).losses)
    assert PROGRAMS._programs
