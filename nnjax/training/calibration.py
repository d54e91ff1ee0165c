"""Calibration: how well a classifier's probabilities agree with how often it is right, and temperatures that improve it.

    temperature = fit_temperature(logits, labels)              # on the validation split
    probabilities = softmax(logits / temperature)
    reliability(probabilities, labels).error                   # expected calibration error, on the test split

A network that outputs probabilities is calibrated by their logarithms: a temperature T makes each p to p^(1/T), divided by
the sum of all. Everything here is NumPy; a temperature above 0 keeps the order of the classes, and so the accuracy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUM_BINS = 15
"""Bins of equal width, as in Guo et al. (2017)."""

LOWEST, HIGHEST = 0.05, 20.0
"""The least and the largest temperature."""

_STEPS = 60  # halvings of the range; each is a pass over the outputs, and Newton's steps need about six


@dataclass(frozen=True)
class Bin:
    """The examples whose confidence, the largest probability, lies in one range.

    Attributes:
        count: their number.
        confidence: their mean confidence; None for no example.
        accuracy: the share of them whose most probable class is the true one; None for no example.
    """

    count: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Reliability:
    """How confidence and accuracy agree.

    Attributes:
        error: expected calibration error: Σ count / n · |accuracy − confidence| over the bins (Guo et al., 2017, eq. 3).
        bins: `NUM_BINS` of equal width, from 0 to 1; a bin holds its upper edge.
    """

    error: float
    bins: tuple[Bin, ...]


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Probabilities [..., k] of logits [..., k]."""
    z = np.asarray(logits, np.float64)
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return result


def fit_temperature(logits: NDArray[Any], labels: NDArray[Any]) -> float:
    """Returns the temperature that makes a network's probabilities fit the labels best (Guo et al., 2017).

    It minimises, over β = 1 / T, Σ −log softmax(β z)_label + (β − 1)² / 2. The sum is the cross-entropy over the examples, and
    convex in β. The last term weighs as much as one example: without it, β would grow without end where every example is
    classified correctly. The minimum is the zero of the derivative, by Newton's method within a bracket that each step narrows.
    (SciPy has such searches; its import takes longer than all of this.)

    Args:
        logits: [n, k] finite, n > 0, or logarithms of probabilities.
        labels: [n] class numbers.

    Returns:
        A temperature from `LOWEST` to `HIGHEST`.
    """
    z = np.asarray(logits, np.float64)
    z = z - z.max(axis=1, keepdims=True)
    true = np.take_along_axis(z, np.asarray(labels, np.int64)[:, None], axis=1).sum()
    low, high, beta = 1 / HIGHEST, 1 / LOWEST, 1.0
    for _ in range(_STEPS):
        p = softmax(beta * z)
        mean = (p * z).sum(axis=1)
        slope = mean.sum() - true + (beta - 1)
        low, high = (beta, high) if slope < 0 else (low, beta)
        curvature = ((p * z**2).sum(axis=1) - mean**2).sum() + 1
        step = beta - slope / curvature
        step = step if low < step < high else (low + high) / 2
        if abs(step - beta) < 1e-9 * beta:
            break
        beta = step
    return float(1 / beta)


def reliability(probabilities: NDArray[Any], labels: NDArray[Any]) -> Reliability:
    """Measures the agreement of confidence and accuracy.

    Args:
        probabilities: [n, k] of the classes, n > 0.
        labels: [n] class numbers.
    """
    confidence = np.asarray(probabilities, np.float64).max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * NUM_BINS).astype(int) - 1, 0, NUM_BINS - 1)
    counts = np.bincount(place, minlength=NUM_BINS)
    sure = np.bincount(place, confidence, NUM_BINS)
    right = np.bincount(place, correct, NUM_BINS)
    error = float(np.abs(right - sure).sum() / len(labels))
    rows = zip(counts.tolist(), sure.tolist(), right.tolist(), strict=True)
    return Reliability(error, tuple(Bin(n, s / n, r / n) if n else Bin(0, None, None) for n, s, r in rows))


def mean_probabilities(logits: NDArray[Any], temperatures: Sequence[float]) -> NDArray[np.float64]:
    """The answer of several trials as one: [n, k] the mean of the probabilities of logits [trials, n, k]."""
    result: NDArray[np.float64] = softmax(logits / np.array(temperatures)[:, None, None]).mean(axis=0)
    return result
