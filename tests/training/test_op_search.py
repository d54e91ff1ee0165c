"""The first operation whose result is not finite, in functions where it is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.training.op_search import first_bad_operation
from nnjax.training.operations import BadOperation, facts_of


def layers(x):
    with jax.named_scope("first"):
        x = x * 2
    with jax.named_scope("second"):
        return jnp.log(x).sum()


def found(function, *args, names=("first", "second")):
    bad = first_bad_operation(lambda *args: {"result": function(*args)}, *args, names=names)
    return (bad.primitive, bad.layer, bad.is_backward) if isinstance(bad, BadOperation) else bad


def test_finite_results_have_no_cause():
    assert found(layers, jnp.ones(3)) is None


def test_a_logarithm_of_zero_is_found_in_its_layer():
    assert found(layers, jnp.zeros(3)) == ("log", "second", False)


def test_its_inputs_and_its_result_are_described():
    bad = first_bad_operation(lambda x: {"result": layers(x)}, jnp.array([0.0, 1.0, 0.0]), names=("second",))
    assert (bad.inputs[0].zeros, bad.inputs[0].low, bad.inputs[0].high) == (2, 0.0, 2.0)
    assert (bad.result.infinities, bad.result.nans) == (2, 0)
    assert "test_op_search.py" in bad.place
    assert "layers" in bad.place


def test_an_infinity_that_is_left_out_is_no_cause():
    """log(0) is not taken, and 0/0 comes later."""

    def guarded(x):
        with jax.named_scope("first"):
            kept = jnp.where(x > 0, jnp.log(x), 0.0)
        with jax.named_scope("second"):
            return (kept / kept).sum()

    assert found(guarded, jnp.zeros(3)) == ("div", "second", False)


def test_an_infinity_of_the_program_is_no_cause_but_what_makes_nan_of_it_is():
    def masked_softmax(x, mask):
        with jax.named_scope("first"):
            scores = jnp.where(mask, x, -jnp.inf)
        with jax.named_scope("second"):
            return jnp.exp(scores - scores.max()).sum()

    assert found(masked_softmax, jnp.ones(3), jnp.array([True, False, True])) is None
    assert found(masked_softmax, jnp.ones(3), jnp.zeros(3, bool)) == ("sub", "second", False)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_a_written_infinity_of_any_type_and_shape_is_none_either(dtype):
    def difference(x):
        return (jnp.full((2, 3), -np.inf, dtype) - jnp.full(3, -np.inf).astype(dtype)).sum() + x

    assert found(difference, jnp.ones((), dtype))[0] == "sub"


def test_branches_and_loops_with_a_condition_are_searched_inside():
    def branch(x):
        return jax.lax.cond(x[0] > 0, lambda x: x.sum(), layers, x)

    assert found(branch, jnp.ones(3)) is None
    assert found(branch, jnp.zeros(3)) == ("log", "second", False)

    def loop(x):
        return jax.lax.while_loop(lambda carry: carry[0] < 3, lambda carry: (carry[0] + 1, jnp.sqrt(carry[1] - 1)), (0, x))[1]

    assert found(loop, jnp.float32(1000.0)) is None
    assert found(loop, jnp.float32(1.5)) == ("sqrt", None, False)


def test_the_gradient_of_a_guarded_logarithm_is_backward():
    def loss(x):
        with jax.named_scope("first"):
            return jnp.where(x > 0, jnp.log(x), 0.0).sum()

    assert found(jax.grad(loss), jnp.array([0.0, 1.0])) == ("div", "first", True)


def test_loops_and_calls_are_searched_inside():
    def body(carry, row):
        with jax.named_scope("second"):
            carry = jnp.exp(carry)
        return carry, carry

    @jax.jit
    def called(x):
        _, rows = jax.lax.scan(body, x, jnp.arange(6))
        return rows.sum()

    assert found(called, jnp.float32(1)) == ("exp", "second", False)
    # exp(exp(4.48)) = 7e38 is too large, and exp(4.48) · exp(exp(4.48)) with it: the gradient goes wrong first at 4.44
    assert found(jax.grad(lambda x: jax.lax.scan(body, x, None, length=2)[0]), jnp.float32(4.44)) == ("mul", "second", True)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_loop_computed_step_by_step_gives_the_same(reverse):
    def body(carry, row):
        return carry + row, carry * row

    rows = jnp.arange(1.0, 5.0)
    expected = jax.lax.scan(body, jnp.float32(1), rows, reverse=reverse)

    def divided(x):
        """Fails in the last element only, so that the others must be right."""
        carry, products = jax.lax.scan(body, x, rows, reverse=reverse)
        return jnp.where(jnp.arange(5) < 4, jnp.append(products, carry) - jnp.append(*expected[::-1]), 1.0) / jnp.float32(0)

    assert found(divided, jnp.float32(1))[0] == "div"


def test_an_argument_that_is_not_finite_is_named():
    assert found(lambda state: state["kernel"].sum(), {"kernel": jnp.array([1.0, jnp.nan])}) == "[0]['kernel']"


def test_keys_and_integers_are_finite():
    assert facts_of(jax.random.key(0)).is_finite
    assert facts_of(jnp.arange(3)).is_finite
    assert not facts_of(jnp.array([jnp.inf], jnp.bfloat16)).is_finite
    assert found(lambda seed: jax.random.normal(jax.random.key(seed), (3,)), np.uint32(1)) is None


def test_bfloat16_is_searched_too():
    assert found(lambda x: jnp.exp(x.astype(jnp.bfloat16)).astype(jnp.float32), jnp.float32(90)) == ("exp", None, False)
