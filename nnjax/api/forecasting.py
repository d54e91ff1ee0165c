"""Forecasts the rows after the end of a run's series, for `experiments.forecast` and `nnjax.load_run(…).forecast`.

known = series_of(run_config, "run=…", file=None)                # before JAX is imported
future = future_of(experiment, state, known, horizon=12, levels=(0.8, 0.95), paths=1000, residuals="auto", seed=0)
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nnjax.checks.forecast_checks import check_forecast
from nnjax.config.data_options import AirlineData, SeriesData
from nnjax.config.diagnostics import NO_ORIGINS
from nnjax.config.errors import ConfigError
from nnjax.config.forecast_options import ErrorSource, ForecastConfig
from nnjax.config.parsing import parse
from nnjax.config.schema import TrainConfig
from nnjax.data.newer_series import KnownRows, known_rows

if TYPE_CHECKING:
    from nnjax.training.experiment import Experiment
    from nnjax.training.future_forecast import FutureForecast
    from nnjax.training.state import TrainState


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
        DataError: if no trial's forecast is finite, or there are no residuals of the kind.
    """
    from nnjax.training.future_forecast import forecast_future

    return forecast_future(
        experiment,
        state,
        known.series,
        labels=known.labels(horizon),
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
    config = parse(ForecastConfig, {**rest, **options, "levels": list(options["levels"])})
    check_forecast(config, NO_ORIGINS)
    return {name: getattr(config, name) for name in options}


def held_out_note(known: KnownRows) -> str | None:
    """Says that the held-out rows are known to a forecast beyond them; None where there are none."""
    if not known.held_out:
        return None
    labels = known.series.labels
    rows = f"the {known.held_out} from {labels[-known.held_out]} on included, which the training did not use"
    return f"All {len(labels)} rows are known, up to {labels[-1]}, {rows}"
