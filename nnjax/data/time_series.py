"""Cuts a time series into windows to learn from, and converts the network's outputs back to the series' unit.

    series = time_series(config.data, dataset_spec(config.data))
    inputs, targets = series.windows(range(40, 120))         # [80, window, 1] and [80, 1], the scaled changes of rows 40 to 119
    series.restored(outputs)                                 # [holdout] forecasts of the held-out values, in their unit

The change of a row is its transformed value minus the one `difference` rows before; with a difference of 0 it is the
transformed value itself. A window's target follows right after it, so no window contains its target. The scale is computed from
the rows of the training windows alone.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nnjax.config.data_options import SeriesOptions
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.data.series_file import read_series

_ROUNDING = 8 * np.finfo(np.float64).eps  # of a difference of two levels, as a share of them


@dataclass(frozen=True)
class Transform:
    """Converts values to scaled changes, and back.

    Attributes:
        log: whether values are replaced by their logarithms.
        difference: the number of rows that a change spans; 0 for none.
        mean: subtracted from changes.
        std: the divisor of changes, not 0.
    """

    log: bool
    difference: int
    mean: float = 0.0
    std: float = 1.0

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n] values → [n − difference] scaled changes."""
        levels = np.log(values) if self.log else values
        changes = levels[self.difference :] - levels[: -self.difference] if self.difference else levels
        return (changes - self.mean) / self.std

    def inverse(self, scaled: NDArray[np.float64], before: NDArray[np.float64]) -> NDArray[np.float64]:
        """[..., h] scaled changes of the rows that follow the values `before` → [..., h] values."""
        levels: list[Any] = list((np.log(before) if self.log else before)[-max(1, self.difference) :])
        known = len(levels)
        for change in np.moveaxis(scaled * self.std + self.mean, -1, 0):
            levels.append(levels[-self.difference] + change if self.difference else change)
        ahead = np.moveaxis(np.array(levels[known:]), 0, -1) if scaled.shape[-1] else scaled
        with np.errstate(over="ignore"):  # a forecast of an untrained network may overflow
            return np.exp(ahead) if self.log else ahead


@dataclass(frozen=True)
class TimeSeries:
    """A series whose last values are held out.

    Attributes:
        name: the value column's name.
        labels: each value's date, where the file has one.
        values: [n] in their unit.
        holdout: number of values at the end that training does not use; may be 0.
        window: number of changes in an input.
        season: number of values until the pattern repeats.
        transform: from values to the network's inputs and targets.
        dates: names of the columns that date the rows, or count them; empty without any.
    """

    name: str
    labels: tuple[str, ...]
    values: NDArray[np.float64]
    holdout: int
    window: int
    season: int
    transform: Transform
    dates: tuple[str, ...] = ()

    @property
    def known(self) -> NDArray[np.float64]:
        """[n − holdout] the values before the held-out ones."""
        return self.values[: len(self.values) - self.holdout]

    @property
    def last_window(self) -> NDArray[np.float32]:
        """[window, 1] the last known changes, the input of the first forecast."""
        return self.transform(self.known)[-self.window :, None].astype(np.float32)

    def windows(self, rows: range) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Returns inputs [n, window, 1], the changes right before each of some rows, and targets [n, 1], the rows' own changes.

        Inputs are a view: windows overlap and share the memory of the series.
        """
        first, stop = rows.start - self.transform.difference, rows.stop - self.transform.difference
        changes = self.transform(self.values[: rows.stop]).astype(np.float32)[:, None]
        views = sliding_window_view(changes[first - self.window : stop], self.window, axis=0)  # [n + 1, 1, window]
        return views[: len(rows)].swapaxes(1, 2), changes[first:stop]

    def restored(self, outputs: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Converts forecast changes [..., h] of the rows after the known ones to the series' unit."""
        return self.transform.inverse(outputs.astype(np.float64), self.known)


def time_series(data: SeriesOptions, spec: DatasetSpec) -> TimeSeries:
    """Returns the series of a config, scaled by the `spec.num_train` windows before validation and held-out rows.

    Raises:
        DataError: if the file cannot be read.
    """
    series = read_series(data)
    values = np.array(series.values)
    transform = Transform(data.transform == "log", data.difference)
    if data.normalize:
        stop = len(values) - data.holdout - spec.num_validation
        seen = transform(values[:stop])[-spec.num_train - data.window :]
        # Equal changes differ only by the rounding of their levels, which is no scale.
        levels = np.log(values[:stop]) if transform.log else values[:stop]
        spread = float(seen.std())
        is_rounding = spread <= _ROUNDING * float(np.abs(levels).max())
        transform = Transform(transform.log, transform.difference, float(seen.mean()), 1.0 if is_rounding else spread)
    return TimeSeries(series.name, series.labels, values, data.holdout, data.window, data.season, transform, series.dates)
