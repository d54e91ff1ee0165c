"""Judges whether an input is like the training data.

    typical = fit_typical(train.inputs)                    # from at most 5 000 of them
    typical.judge(inputs)[0].warning                       # None, or why an answer should be doubted
    Typical.from_arrays(typical.arrays())                  # float32 arrays, to save

A picture is described by five numbers: what principal components of the training images leave over, how unusual their own
weights are, contrast, lightness and roughness. Its distance is Mahalanobis' (1936), of these five from those of training
images. A network answers with confidence far from its training data (Nguyen et al., 2015), so its probabilities cannot serve.
Of a vector or a window, the distance is that of the principal components' weights, and each value has a range.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.serving.principal import principal_components

Floats = NDArray[np.float32]

_MOST_EXAMPLES = 5000
_MOST_COMPONENTS = 32
_MOST_VALUES = 68_000  # of the components together: 272 kB
_MOST_PLACES = 12_288  # of an input: larger ones are thinned out
_USUAL = 0.998  # of training inputs stay below the threshold
_MARGIN = 0.1  # of a value's range, by which it may pass it
_SMALL = 1e-3
_WORDS = (
    ("fewer details than they have", "details that they do not have"),
    ("weaker patterns than theirs", "their patterns in unusual strength"),
    ("less contrast", "more contrast"),
    ("darker", "lighter"),
    ("smoother", "rougher"),
)


@dataclass(frozen=True)
class Judgement:
    """How far an input is from the training data.

    Attributes:
        score: the distance as a share of the threshold: above 1 is unlike the training data.
        threshold: the distance that about 1 in 500 training inputs pass.
        warning: in words; None for a usual input.
    """

    score: float
    threshold: float
    warning: str | None


@dataclass(frozen=True)
class Typical:
    """Statistics of the training inputs.

    Attributes:
        shape: [1 to 3] of an input.
        unit: [1] the largest absolute training value; inputs are divided by it.
        middle: [d] the mean input.
        components: [k, d] principal components, orthonormal.
        deviations: [k] standard deviations of their weights.
        means: [m] of the features, five for pictures and one for others.
        precision: [m, m] the inverse of their covariance.
        threshold: [1] of the distance.
        low: [c] the smallest training value of each channel, or of each place of a vector.
        high: [c] the largest.
    """

    shape: Floats
    unit: Floats
    middle: Floats
    components: Floats
    deviations: Floats
    means: Floats
    precision: Floats
    threshold: Floats
    low: Floats
    high: Floats

    def judge(self, inputs: NDArray[Any], features: Sequence[str] = ()) -> Sequence[Judgement]:
        """Judges [n, ...] inputs, of the stored type, one by one; `features` are names for warnings."""
        values = _features(inputs, self)
        away = values - self.means
        distances = _distances(away, self.precision) if self.is_image else values[:, 0]
        threshold = float(self.threshold[0])
        scores = np.nan_to_num(distances / threshold, nan=np.inf)
        if self.is_image:
            unusual = away * np.sqrt(np.abs(np.diag(self.precision)))
            return [
                Judgement(float(score), threshold, _picture_warning(float(score), row) if score > 1 else None)
                for score, row in zip(scores, unusual, strict=True)
            ]
        return [
            self._of_row(np.asarray(row, np.float64), float(score), features) for row, score in zip(inputs, scores, strict=True)
        ]

    @property
    def is_image(self) -> bool:
        """Whether inputs have height, width and channels."""
        return len(self.shape) == 3

    def _of_row(self, row: NDArray[np.float64], score: float, features: Sequence[str]) -> Judgement:
        """Of a vector or a window: the distance, or the value that is furthest beyond its range."""
        span = np.where(self.high > self.low, self.high - self.low, np.maximum(np.abs(self.high), 1)).astype(np.float64)
        beyond = np.maximum((self.low - row) / span, (row - self.high) / span)
        beyond = np.nan_to_num(beyond, nan=np.inf, posinf=np.inf)
        place = np.unravel_index(int(beyond.argmax()), beyond.shape)
        excess = float(beyond[place]) / _MARGIN
        threshold, warning = float(self.threshold[0]), None
        if excess > 1 and excess >= score:
            channel = int(place[-1])
            name = (
                features[channel] if channel < len(features) else f"value {int(np.ravel_multi_index(place, beyond.shape)) + 1}"
            )
            warning = f"{name}={row[place]:g}: the training data have {self.low[channel]:g} to {self.high[channel]:g}"
        elif score > 1:
            warning = f"unlike the training data: {_far(score, 'their middle')}"
        return Judgement(max(excess, score, 0.0), threshold, warning)

    def arrays(self) -> dict[str, Floats]:
        """Returns the statistics as float32 arrays by name, below 300 kB for images."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> "Typical":
        """Makes one from its `arrays`.

        Raises:
            ValueError: if an array is missing, of another shape, or not finite.
        """
        names = [field.name for field in fields(Typical)]
        if set(arrays) != set(names):
            raise ValueError(f"must be the arrays {', '.join(names)}")
        found = Typical(**{name: np.asarray(arrays[name], np.float32) for name in names})
        for name, array in found.arrays().items():
            if not np.isfinite(array).all():
                raise ValueError(f"{name}: must be finite")
        shape = tuple(int(side) for side in found.shape.ravel())
        if found.shape.ndim != 1 or not 1 <= len(shape) <= 3 or min(shape) < 1 or np.prod(shape, dtype=float) > 2**31:
            raise ValueError("shape: must be one to three sizes")
        k = len(found.deviations.ravel())
        places, m = len(_thinned_index(shape)), 5 if len(shape) == 3 else 1
        wanted = {"unit": (1,), "middle": (places,), "components": (k, places), "deviations": (k,), "means": (m,)}
        wanted |= {"precision": (m, m), "threshold": (1,), "low": (shape[-1],), "high": (shape[-1],)}
        for name, size in wanted.items():
            if getattr(found, name).shape != size:
                raise ValueError(f"{name}: must have the shape {size}")
        if found.unit[0] <= 0 or found.threshold[0] <= 0 or (found.deviations <= 0).any():
            raise ValueError("unit, threshold and deviations: must be above 0")
        return found


def fit_typical(inputs: NDArray[Any]) -> Typical:
    """Fits the statistics to [n, ...] training inputs, of the stored type; of many, 5 000 are used, always the same.

    Components come from one half of them, the features' distances from the other, and the threshold from quarters that were not
    fitted on. It is wider for few examples, by 3 / √n.
    """
    count = len(inputs)
    chosen = np.random.default_rng(0).permutation(count)[:_MOST_EXAMPLES]
    chosen, half = np.sort(chosen), max(1, len(chosen) // 2)
    taken = np.asarray(inputs[chosen])
    if count > 3:
        order = np.random.default_rng(1).permutation(len(taken))
        first, second = taken[order[:half]], taken[order[half:]]
    else:
        first = second = taken
    shape = taken.shape[1:]
    unit = float(np.abs(taken).max()) or 1.0
    rows = _thinned(first) / np.float32(unit)
    k = min(_MOST_COMPONENTS, max(0, _MOST_VALUES // rows.shape[1] - 1), len(first) - 1, rows.shape[1])
    middle, components, deviations = principal_components(rows, k)
    m = 5 if len(shape) == 3 else 1
    ends = tuple(range(taken.ndim - 1))
    made = Typical(
        shape=np.array(shape, np.float32),
        unit=np.array([unit], np.float32),
        middle=middle,
        components=components,
        deviations=np.maximum(deviations, max(_SMALL * float(deviations.max(initial=0)), 1e-6)).astype(np.float32),
        means=np.zeros(m, np.float32),
        precision=np.eye(m, dtype=np.float32),
        threshold=np.ones(1, np.float32),
        low=taken.min(ends).astype(np.float32),
        high=taken.max(ends).astype(np.float32),
    )
    features = _features(second, made)
    parts = (features[::2], features[1::2]) if len(features) > 3 else (features, features)
    unseen = []
    for fitted, left in (parts, parts[::-1]):
        means, precision = _gaussian(fitted)
        unseen.append(_distances(left - means, precision) if m == 5 else left[:, 0])
    threshold = float(np.quantile(np.concatenate(unseen), _USUAL)) * (1 + 3 / np.sqrt(len(taken)))
    means, precision = _gaussian(features)
    return Typical(
        **{
            **made.arrays(),
            "means": means,
            "precision": precision,
            "threshold": np.array([max(threshold, _SMALL)], np.float32),
        }
    )


def _thinned_index(shape: Sequence[int]) -> NDArray[np.int64]:
    """The places of an input that are compared: all, or of a large one every s-th, in both directions of a picture."""
    index = np.arange(int(np.prod(shape))).reshape(shape)
    if index.size <= _MOST_PLACES:
        return index.ravel()
    if len(shape) == 3:
        step = int(np.ceil(np.sqrt(index.size / _MOST_PLACES)))
        return index[::step, ::step].ravel()[:_MOST_PLACES]
    return index.ravel()[:: int(np.ceil(index.size / _MOST_PLACES))]


def _thinned(inputs: NDArray[Any]) -> Floats:
    """[n, d] the compared places."""
    return inputs.reshape(len(inputs), -1)[:, _thinned_index(inputs.shape[1:])].astype(np.float32)


def _features(inputs: NDArray[Any], typical: Typical) -> Floats:
    """[n, 5] of pictures: logarithms of what components leave over, of their weights, of contrast; lightness; log roughness.

    [n, 1] of others: the weights' distance, and what is left over as a share of the usual weight.
    """
    unit = typical.unit[0]
    rows = _thinned(inputs) / unit
    centred = rows - typical.middle
    weights = centred @ typical.components.T
    left = np.sqrt(np.maximum((centred**2).mean(1) - (weights**2).sum(1) / rows.shape[1], 0))
    strange = np.sqrt(((weights / typical.deviations) ** 2).mean(1)) if len(typical.deviations) else np.zeros(len(rows))
    if not typical.is_image:
        usual = float(typical.deviations[-1]) if len(typical.deviations) else 1.0
        return np.asarray((strange + np.where(left > 1e-3 * usual, left / usual, 0))[:, None], np.float32)
    pictures = inputs.astype(np.float32) / unit
    contrast = pictures.std((1, 2, 3))
    steps = sum(np.abs(np.diff(pictures, axis=axis)).sum((1, 2, 3)) for axis in (1, 2)) / pictures[0].size
    rough = np.log(steps + _SMALL) - np.log(contrast + _SMALL)
    logs = (np.log(value + _SMALL) for value in (left, strange, contrast))
    return np.stack([*logs, pictures.mean((1, 2, 3)), rough], 1).astype(np.float32)


def _gaussian(features: Floats) -> tuple[Floats, Floats]:
    """Mean [m] and inverse covariance [m, m]; a feature that hardly varies counts as varying by 0.001."""
    covariance = np.cov(features.astype(np.float64).T).reshape(features.shape[1], -1) if len(features) > 1 else 0.0
    covariance = covariance + _SMALL**2 * np.eye(features.shape[1])
    return features.mean(0).astype(np.float32), np.linalg.inv(covariance).astype(np.float32)


def _distances(away: Floats, precision: Floats) -> Floats:
    squares = np.einsum("ni,ij,nj->n", away, precision, away)
    return np.asarray(np.sqrt(np.maximum(squares, 0)), np.float32)


def _picture_warning(score: float, unusual: Floats) -> str:
    feature = int(np.nan_to_num(np.abs(unusual)).argmax())
    word = _WORDS[feature][int(unusual[feature] > 0)]
    return f"unlike the training pictures, {_far(score, 'them')}: {word}"


def _far(score: float, whom: str) -> str:
    """A distance as a multiple of the threshold; in words where its digits would be 1.0."""
    return (
        f"{score:.1f} times as far from {whom} as usual ones go"
        if score >= 1.05
        else f"just further from {whom} than usual ones go"
    )
