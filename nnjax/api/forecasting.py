"""Forecasts the rows after the end of a run's series, for `experiments.forecast` and `nnjax.load_run(…).forecast`.

known = series_of(run_config, "run=…", file=None)                # before JAX is imported
future = future_of(experiment, state, known, horizon=12, levels=(0.8, 0.95), paths=1000, residuals="auto", seed=0)
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.checks.forecast_checks import check_forecast, check_rows
from nnjax.config.data_options import AirlineData, SeriesData
from nnjax.config.diagnostics import NO_ORIGINS
from nnjax.config.errors import ConfigError, DataError
from nnjax.config.forecast_options import ErrorSource, ForecastConfig
from nnjax.config.parsing import parse
from nnjax.config.paths import shown_path
from nnjax.config.schema import TrainConfig
from nnjax.data.newer_series import KnownRows, known_rows
from nnjax.data.series_file import read_series

if TYPE_CHECKING:
    from nnjax.training.experiment import Experiment
    from nnjax.training.future_forecast import FutureForecast
    from nnjax.training.state import TrainState


@contextmanager
def as_trained(config: TrainConfig, summary: Mapping[str, Any], file: str | None) -> Iterator[tuple[TrainConfig, str | None]]:
    """Yields a run's config and the file to forecast from, also where rows were added to the file that it was trained on.

    Of a file that has grown, the rows of the training are copied to a temporary file, which the config then names; the grown
    one is the file with more rows. The checkpoint's hash still decides whether those are the training's rows.

    Args:
        config: the run's.
        summary: the run's, with the sizes of its splits.
        file: a CSV file with more rows; None takes the run's own data.

    Raises:
        DataError: if the run's file cannot be read, or its rows are not those of the training.
    """
    data, sizes = config.data, [summary.get(f"{split}_examples") for split in ("train", "validation")]
    known = [size for size in sizes if isinstance(size, int)]
    if not isinstance(data, SeriesData) or data.limit_train is not None or data.order == "sorted" or len(known) < 2:
        yield config, file
        return
    read, path = read_series(data), Path(data.file).expanduser()
    count = sum(known) + data.window + data.difference + data.holdout
    if count >= len(read.values):
        yield config, file
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[: read.lines[count] - 1]))
        try:
            yield replace(config, data=replace(data, file=str(copy))), file or data.file
        except DataError as error:
            raise DataError(str(error).replace(shown_path(copy), shown_path(path))) from error


def series_of(config: TrainConfig, run: str, file: str | None) -> KnownRows:
    """Returns the rows that a forecast starts from.

    Args:
        config: the run's.
        run: names the run in an error, such as `run=outputs/…`.
        file: a CSV file with more rows; None takes the run's own data.

    Raises:
        ConfigError: if the run was not trained on a series.
        DataError: if a file cannot be read or does not go on the run's series.
    """
    if not isinstance(config.data, AirlineData | SeriesData):
        raise ConfigError(
            f"{run}: was trained on data={config.data.name}, which is no series; forecasts need a run of data=airline or series"
        )
    return known_rows(config.data, file)


def future_of(
    experiment: "Experiment",
    state: "TrainState",
    known: KnownRows,
    *,
    horizon: int | None,
    levels: Sequence[float],
    paths: int,
    residuals: ErrorSource,
    seed: int,
) -> "FutureForecast":
    """Forecasts; inside of `jax_session`. See `nnjax.config.forecast_options` for the arguments.

    Raises:
        ConfigError: if a horizon of None comes to more rows than memory has room for.
        DataError: if no trial's forecast is finite, or there are no residuals of the kind.
    """
    from nnjax.training.future_forecast import forecast_future

    labels = known.labels(horizon)
    check_rows(horizon, len(labels), paths)
    return forecast_future(
        experiment,
        state,
        known.series,
        labels=labels,
        levels=tuple(sorted(set(levels))),
        paths=paths,
        seed=seed,
        source=residuals,
        newer=known.newer,
    )


def checked_options(**options: Any) -> dict[str, Any]:
    """Returns the keyword arguments of `future_of`, checked as those of the command are.

    Raises:
        ConfigError: for a value that is not allowed.
    """
    rest = {"run": "", "checkpoint": "tested", "data": {"file": None}, "figures": False, "memory_limit": "auto"}
    plain = {name: _plain(value) for name, value in options.items()}
    config = parse(ForecastConfig, {**rest, **plain})
    check_forecast(config, NO_ORIGINS)
    return {name: getattr(config, name) for name in options}


def _plain(value: Any) -> Any:
    """Numbers of NumPy, and sequences of them, as Python's, which a config is made of."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return [_plain(part) for part in value] if isinstance(value, tuple | list) else value


def held_out_note(known: KnownRows) -> str | None:
    """Says that the held-out rows are known to a forecast beyond them; None where there are none."""
    if not known.held_out:
        return None
    labels = known.series.labels
    rows = f"the {known.held_out} from {labels[-known.held_out]} on included, which the training did not use"
    return f"All {len(labels)} rows are known, up to {labels[-1]}, {rows}"
