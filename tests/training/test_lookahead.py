"""Lookahead against the rule as it is written down, in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.config.training_options import Lookahead
from nnjax.training.lookahead import look_ahead


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize(
    ("period", "slow_step_size", "power", "total"), [(5, 0.2262, 3.0, 13), (2, 0.5, 0.0, 8), (3, 1.0, 1.0, 7)]
)
def test_slow_and_fast_weights_meet_as_the_rule_says(period, slow_step_size, power, total, compiled):
    options = Lookahead(period, slow_step_size, power)
    moves = np.random.default_rng(0).normal(size=(total, 4)).astype(np.float32)
    function = lambda slow, fast, step: look_ahead(options, slow, fast, step=step, total_steps=total)  # noqa: E731
    function = jax.jit(function) if compiled else function
    slow = fast = {"a": jnp.ones(4), "b": (jnp.zeros(2), jnp.arange(2.0))}
    expected_slow = expected_fast = np.ones(4)
    for step, move in enumerate(moves, start=1):
        fast = fast | {"a": fast["a"] + move}
        slow, fast = function(slow, fast, jnp.int32(step))
        expected_fast = expected_fast + move
        if step % period == 0:
            kept = (1 - slow_step_size) * (step / total) ** power
            expected_slow = expected_fast = kept * expected_slow + (1 - kept) * expected_fast
        if step == total:
            expected_fast = expected_slow
        np.testing.assert_allclose(slow["a"], expected_slow, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(fast["a"], expected_fast, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(fast["b"][1], [0, 1])


def test_a_step_size_of_one_is_no_lookahead_at_all():
    fast = {"a": jnp.arange(3.0)}
    slow, same = look_ahead(Lookahead(1, 1.0), {"a": jnp.zeros(3)}, fast, step=jnp.int32(4), total_steps=10)
    np.testing.assert_array_equal(slow["a"], fast["a"])
    np.testing.assert_array_equal(same["a"], fast["a"])


def test_past_its_ends_the_share_stays_and_fast_weights_become_slow_ones():
    """Planned for 6 steps, trained for 9, with an end after 4: as three trainings of 4, 6 and 9 steps one after another."""
    options, total, ends = Lookahead(5, 0.25, 2.0), 6, (4, 6, 9)
    slow = fast = {"a": jnp.zeros(2)}
    expected_slow = expected_fast = np.zeros(2)
    for step in range(1, 10):
        fast = {"a": fast["a"] + 1}
        slow, fast = look_ahead(options, slow, fast, step=jnp.int32(step), total_steps=total, ends=ends)
        expected_fast = expected_fast + 1
        if step % 5 == 0:
            kept = 0.75 * min(step / total, 1) ** 2
            expected_slow = expected_fast = kept * expected_slow + (1 - kept) * expected_fast
        elif step in ends:
            expected_fast = expected_slow
        np.testing.assert_allclose(slow["a"], expected_slow, rtol=1e-6)
        np.testing.assert_allclose(fast["a"], expected_fast, rtol=1e-6)
