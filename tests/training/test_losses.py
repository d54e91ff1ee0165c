import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nnjax.config.training_options import CrossEntropy, SquaredError
from nnjax.training.losses import example_loss, is_correct

LOSSES = [
    CrossEntropy("cross_entropy", 0.0),
    CrossEntropy("cross_entropy", 0.2),
    SquaredError("mse"),
    SquaredError("half_mse"),
]


def textbook(loss, outputs, targets):
    """The same losses in float64, as the page writes them."""
    outputs = np.asarray(outputs, np.float64)
    classes = outputs.shape[1]
    y = np.eye(classes)[targets] if targets.ndim == 1 else np.asarray(targets, np.float64)
    if loss.name == "cross_entropy":
        softmax = np.exp(outputs) / np.exp(outputs).sum(1, keepdims=True)
        smooth = y * (1 - loss.label_smoothing) + loss.label_smoothing / classes
        return -(smooth * np.log(softmax)).sum(1)
    squares = (y - outputs) ** 2
    return squares.mean(1) if loss.name == "mse" else squares.sum(1) / 2


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES, ids=str)
@given(
    outputs=arrays(np.float32, (5, 4), elements=st.floats(-8, 8, width=32)),
    labels=arrays(np.int32, 5, elements=st.integers(0, 3)),
)
def test_agrees_with_the_formula(loss, outputs, labels):
    np.testing.assert_allclose(example_loss(loss, outputs, labels), textbook(loss, outputs, labels), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_gradient_agrees_with_finite_differences(loss):
    rng = np.random.default_rng(0)
    outputs, labels = rng.normal(size=(6, 5)), np.array([0, 1, 2, 3, 4, 0])
    grads = jax.grad(lambda x: example_loss(loss, x, labels).sum())(outputs.astype(np.float32))
    for i, j in np.ndindex(outputs.shape):
        nudge = np.zeros_like(outputs)
        nudge[i, j] = 1e-5
        slope = (textbook(loss, outputs + nudge, labels).sum() - textbook(loss, outputs - nudge, labels).sum()) / 2e-5
        assert grads[i, j] == pytest.approx(slope, abs=1e-5)


def test_regression_targets():
    outputs, targets = jnp.array([[0.804, 1.0]]), jnp.array([[1.0, 3.0]])
    assert example_loss(SquaredError("half_mse"), outputs, targets)[0] == pytest.approx(0.019208 + 2.0)
    assert example_loss(SquaredError("mse"), outputs, targets)[0] == pytest.approx(0.019208 + 2.0)


def test_large_logits_stay_finite():
    losses = example_loss(CrossEntropy("cross_entropy", 0.0), jnp.array([[1e4, -1e4], [1e4, -1e4]]), jnp.array([0, 1]))
    np.testing.assert_allclose(losses, [0.0, 2e4])


def test_is_correct():
    np.testing.assert_array_equal(is_correct(jnp.array([[1.0, 2.0], [3.0, 2.0]]), jnp.array([1, 1])), [1.0, 0.0])
