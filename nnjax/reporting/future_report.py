"""A forecast beyond the data, as tables and files.

console.print(future_table(future))
console.print(coverage_table(future.coverage))
write_future(future, run_dir / "forecast.csv")
"""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.table import Table

from nnjax.reporting.files import replacing

Values = NDArray[np.float64]

_MAX_ROWS = 24
_MOST_DIGITS = 15  # of float64
_FEW = 20  # errors
_FAR = 10  # a forecast, as a multiple of the largest known value
_ROWS = {
    "held_out": "held out, at once",
    "held_out_rolling": "held out, rolling",
    "held_out_halves": "held out, 2nd half",
    "newer": "newer, at once",
    "trained": "trained on, rolling",
}


class CoverageLike(Protocol):
    """`nnjax.training.future_forecast.Coverage`, without importing JAX."""

    @property
    def rows(self) -> str: ...  # noqa: D102
    @property
    def first(self) -> str: ...  # noqa: D102
    @property
    def origins(self) -> int: ...  # noqa: D102
    @property
    def horizon(self) -> int: ...  # noqa: D102
    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def residuals(self) -> int: ...  # noqa: D102
    @property
    def count(self) -> int: ...  # noqa: D102
    @property
    def distinct(self) -> int: ...  # noqa: D102
    @property
    def inside(self) -> Mapping[float, int]: ...  # noqa: D102
    @property
    def width(self) -> Mapping[float, float]: ...  # noqa: D102


class FutureLike(Protocol):
    """`nnjax.training.future_forecast.FutureForecast`, without importing JAX."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def labels(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def values(self) -> Values: ...  # noqa: D102
    @property
    def lower(self) -> Mapping[float, Values]: ...  # noqa: D102
    @property
    def upper(self) -> Mapping[float, Values]: ...  # noqa: D102
    @property
    def spread(self) -> Values: ...  # noqa: D102
    @property
    def trials(self) -> Values: ...  # noqa: D102
    @property
    def used(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def learning_rate(self) -> float | None: ...  # noqa: D102
    @property
    def courses(self) -> int: ...  # noqa: D102
    @property
    def lost(self) -> int: ...  # noqa: D102
    @property
    def largest(self) -> float: ...  # noqa: D102
    @property
    def unseen(self) -> int: ...  # noqa: D102
    @property
    def bias(self) -> tuple[float, float]: ...  # noqa: D102
    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def residuals(self) -> Values: ...  # noqa: D102
    @property
    def coverage(self) -> Sequence[CoverageLike]: ...  # noqa: D102


def future_table(future: FutureLike) -> Table:
    """A row for each forecast value, with its intervals; of more than 24 the first and the last ones."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column(future.name, justify="right")
    for level in future.lower:
        table.add_column(percent(level), justify="right")
    many = len(future.trials) > 1
    if many:
        table.add_column("± trials", justify="right")
    count = len(future.labels)
    shown = range(count) if count <= _MAX_ROWS else (*range(_MAX_ROWS // 2), *range(count - _MAX_ROWS // 2, count))
    digits = _digits(future)
    for row in shown:
        ends = [f"{future.lower[level][row]:.{digits}g} to {future.upper[level][row]:.{digits}g}" for level in future.lower]
        spread = [f"{future.spread[row]:.3g}"] if many else []
        table.add_row(future.labels[row], f"{future.values[row]:.{digits}g}", *ends, *spread)
        if count > _MAX_ROWS and row == _MAX_ROWS // 2 - 1:
            table.add_row(f"… {count - _MAX_ROWS} more in forecast.csv", *[""] * (len(table.columns) - 1))
    return table


def _digits(future: FutureLike) -> int:
    """Significant digits that show two of the narrowest interval's width, and whole numbers without an exponent; at least 4."""
    largest = _exponent(np.abs(future.values).max())
    widths = [float((future.upper[level] - future.lower[level]).min()) for level in future.lower]
    narrowest = min((width for width in widths if width > 0), default=math.inf)
    needed = largest - _exponent(narrowest) + 2
    return max(4, min(needed, _MOST_DIGITS), largest + 1 if largest < _MOST_DIGITS else 0)


def _exponent(value: float) -> int:
    """Returns the decimal exponent of a positive, finite number; 0 for any other."""
    return math.floor(math.log10(value)) if 0 < value < math.inf else 0


def coverage_table(coverage: Sequence[CoverageLike]) -> Table:
    """How many known values lay inside such intervals: a row for each measurement."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("rows", no_wrap=True)
    table.add_column("origins", justify="right")
    table.add_column("values", justify="right")
    table.add_column("errors of", no_wrap=True)
    for level in coverage[0].inside if coverage else ():
        table.add_column(f"in {percent(level)}", justify="right")
        table.add_column("width", justify="right")
    for found in coverage:
        cells = []
        for level, inside in found.inside.items():
            cells += [f"{inside / found.count:.0%}", f"{found.width[level]:.4g}"]
        table.add_row(_ROWS[found.rows], str(found.origins), f"{found.count:,}", f"{found.residuals} {found.source}", *cells)
    return table


def is_measured(future: FutureLike) -> bool:
    """Whether some measurement is of intervals from the very errors that the forecast's are made of."""
    size = future.residuals.shape[1]
    return any((found.source, found.residuals) == (future.source, size) for found in future.coverage)


def future_warnings(future: FutureLike) -> list[str]:
    """What makes the forecast or its intervals doubtful."""
    size, (mean, error) = future.residuals.shape[1], future.bias
    found = []
    if future.lost:
        share = f"{future.lost:,} of {future.courses:,} simulated courses run away to infinity and are left out"
        found.append(f"{share}: the intervals are too narrow")
    ends = [future.values, *future.lower.values(), *future.upper.values()]
    if (largest := max(float(np.abs(values).max()) for values in ends)) > _FAR * future.largest:
        reach = f"the forecast or its intervals reach {largest:.3g}, and the known values {future.largest:.3g}"
        found.append(f"{reach}: the network may run away")
    if size < _FEW:
        found.append(f"The intervals are made of {size} errors; fewer than {_FEW} are too few for their ends")
    if abs(mean) > 2 * error:
        direction = "low" if mean > 0 else "high"
        found.append(
            f"The mean of the {size} errors is {mean:.2g} ± {error:.1g}, scaled as the network's outputs are: it forecasts too "
            f"{direction}; the intervals lie around its forecast as it is"
        )
    return found


def coverage_remarks(future: FutureLike) -> list[str]:
    """What the intervals are made of, and how far the measured shares can be trusted."""
    size = future.residuals.shape[1]
    kind = "that the training did not use" if future.source == "unseen" else "of the training"
    remarks = []
    if future.learning_rate is not None:
        trials = f"{len(future.used)} of {len(future.trials)} trials answer, with learning_rate={future.learning_rate:g}"
        remarks.append(f"{trials}, the one with the smallest loss in validation, or in training where there is none")
    remarks.append(f"Intervals: one-step errors of {size} rows {kind}, drawn again and again along each course")
    if future.source == "trained":
        remarks.append(f"Errors of the training's own rows are too small where it overfits; {_advice(future.unseen)}")
    if not is_measured(future):
        nearest = next((found for found in future.coverage if found.source == future.source), None)
        near = f"; the nearest: {_ROWS[nearest.rows]}, with {nearest.residuals} of them" if nearest else ""
        remarks.append(
            f"No share is of these very intervals: their {size} {future.source} errors are those of the rows to compare{near}"
        )
    if any(found.rows == "held_out" for found in future.coverage):
        held_out = next(found for found in future.coverage if found.rows == "held_out")
        remarks.append(
            f"The {held_out.horizon} held-out rows are one course, whose errors go together: a share of them is no proof"
        )
    several = {_ROWS[found.rows]: found for found in future.coverage if found.distinct < found.count}
    if several:
        counts = "; ".join(f"{found.count:,} values {rows}, are {found.distinct:,} rows" for rows, found in several.items())
        remarks.append(f"Several origins forecast the same rows: {counts}")
    if any(found.rows == "trained" for found in future.coverage):
        remarks.append("The network was fitted to the rows of the training itself: their shares flatter it")
    return remarks


def _advice(unseen: int) -> str:
    if unseen >= _FEW:
        return f"residuals=unseen takes those of the {unseen} rows that it did not use"
    if unseen:
        rows = "1 row" if unseen == 1 else f"{unseen} rows"
        return f"the {rows} that it did not use are fewer than {_FEW}: a larger data.validation sets more aside"
    return "data.validation=0.2 sets rows aside"


def write_future(future: FutureLike, path: Path) -> None:
    """Writes a row for each forecast value: label, forecast, lower and upper end of each level, and the trials' spread."""
    ends = {f"{end}_{percent(level)[:-1]}": values for level in future.lower for end, values in _ends(future, level)}
    columns = {"forecast": future.values, **ends, "trial_spread": future.spread}
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["label", *columns])
        writer.writerows(zip(future.labels, *(column.tolist() for column in columns.values()), strict=True))


def future_json(future: FutureLike) -> dict[str, Any]:
    """The forecast as plain values, for `forecast.json`."""
    return {
        "of": future.name,
        "labels": list(future.labels),
        "forecast": future.values.tolist(),
        "intervals": [
            {"level": level, **{end: values.tolist() for end, values in _ends(future, level)}} for level in future.lower
        ],
        "trials": future.trials.tolist(),
        "trial_spread": future.spread.tolist(),
        "answering": {"trials": list(future.used), "learning_rate": future.learning_rate},
        "residuals": {"of": future.source, "count": future.residuals.shape[1]},
        "intervals_measured": is_measured(future),
        "bias": dict(zip(("mean", "standard_error"), future.bias, strict=True)),
        "courses": {"count": future.courses, "not_finite": future.lost},
        "coverage": [
            {
                "rows": found.rows,
                "first_origin": found.first,
                "origins": found.origins,
                "horizon": found.horizon,
                "values": found.count,
                "distinct_rows": found.distinct,
                "residuals_of": found.source,
                "residuals": found.residuals,
                "levels": [
                    {"level": level, "inside": inside, "share": inside / found.count, "mean_width": found.width[level]}
                    for level, inside in found.inside.items()
                ],
            }
            for found in future.coverage
        ],
    }


def percent(level: float) -> str:
    """A level as it is written: 80%, 99.5%."""
    return f"{100 * level:.6g}%"


def _ends(future: FutureLike, level: float) -> list[tuple[str, Values]]:
    return [("lower", future.lower[level]), ("upper", future.upper[level])]
