"""A time series: windows of it to learn from, and the way back from the network's numbers to the series' own.

    series = time_series(config.data, dataset_spec(config.data))
    inputs, targets = series.windows(range(40, 120))         # [80, window, 1] and [80, 1], the scaled changes of rows 40 to 119
    series.restored(outputs)                                 # [holdout] forecasts of the held-out values, in their unit

The change of a row is its transformed value less that of `difference` rows before; where that is 0, the transformed value
itself. A window's target comes right after it, so no window knows what it has to tell; the scale comes from the rows of the
training windows alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nnjax.config.data_options import SeriesOptions
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.data.series_file import read_series

_ROUNDING = 8 * np.finfo(np.float64).eps  # of a difference of two levels, as a share of them


@dataclass(frozen=True)
class Transform:
    """From values to scaled changes, and back.

    Attributes:
        log: whether the logarithm is taken of values.
        difference: how many rows before a change is against; 0 for none.
        mean: subtracted from changes.
        std: that they are divided by, not 0.
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
        """[h] scaled changes of the rows that follow the values `before` → [h] values."""
        levels = list(np.log(before) if self.log else before)
        for change in scaled * self.std + self.mean:
            levels.append(levels[-self.difference] + change if self.difference else change)
        ahead = np.array(levels[len(before) :])
        with np.errstate(over="ignore"):  # a network that learned nothing may forecast anything
            return np.exp(ahead) if self.log else ahead


@dataclass(frozen=True)
class TimeSeries:
    """A series whose end is held out.

    Attributes:
        name: what the values are.
        labels: of each value, the date where the file has one.
        values: [n] in their unit.
        holdout: values at the end that training does not see.
        window: changes that the network sees.
        season: values until the pattern repeats.
        transform: from values to what the network sees.
    """

    name: str
    labels: tuple[str, ...]
    values: NDArray[np.float64]
    holdout: int
    window: int
    season: int
    transform: Transform

    @property
    def known(self) -> NDArray[np.float64]:
        """[n − holdout] the values before the held-out ones."""
        return self.values[: -self.holdout]

    @property
    def last_window(self) -> NDArray[np.float32]:
        """[window, 1] the last known changes: all that a forecast starts from."""
        return self.transform(self.known)[-self.window :, None].astype(np.float32)

    def windows(self, rows: range) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The changes of some rows as targets [n, 1], and as inputs [n, window, 1] the changes right before each.

        Inputs are a view: windows overlap, and share what memory holds of the series.
        """
        first, stop = rows.start - self.transform.difference, rows.stop - self.transform.difference
        changes = self.transform(self.values[: rows.stop]).astype(np.float32)[:, None]
        views = sliding_window_view(changes[first - self.window : stop], self.window, axis=0)  # [n + 1, 1, window]
        return views[: len(rows)].swapaxes(1, 2), changes[first:stop]

    def restored(self, outputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """The network's forecasts [h] of the changes after the known ones, in the series' unit."""
        return self.transform.inverse(outputs.astype(np.float64), self.known)


def time_series(data: SeriesOptions, spec: DatasetSpec) -> TimeSeries:
    """The series of a config, with the scale of the `spec.num_train` windows that come before validation and held-out rows.

    Raises:
        DataError: if the file cannot be read.
    """
    series = read_series(data)
    values = np.array(series.values)
    transform = Transform(data.transform == "log", data.difference)
    if data.normalize:
        stop = len(values) - data.holdout - spec.num_validation
        seen = transform(values[:stop])[-spec.num_train - data.window :]
        # Changes that are all alike differ by the rounding of their levels, which is no scale.
        levels = np.log(values[:stop]) if transform.log else values[:stop]
        spread = float(seen.std())
        is_rounding = spread <= _ROUNDING * float(np.abs(levels).max())
        transform = Transform(transform.log, transform.difference, float(seen.mean()), 1.0 if is_rounding else spread)
    return TimeSeries(series.name, series.labels, values, data.holdout, data.window, data.season, transform)
