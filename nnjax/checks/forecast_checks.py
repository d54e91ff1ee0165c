"""Checks the values of a forecast's config against each other.

check_forecast(config, origins)
# ConfigError: levels=[]: must hold at least one value
"""

from nnjax.config.diagnostics import NO_ORIGINS, Origins, Problem, raise_problems
from nnjax.config.forecast_options import ForecastConfig

_MOST_VALUES = 20_000_000  # of all courses, a gigabyte
_FEWEST = 20  # paths beyond an end, for a quantile that is no accident of a few


def check_forecast(config: ForecastConfig, origins: Origins = NO_ORIGINS) -> None:
    """Checks that there are levels, enough paths for the ends of their intervals, and not more than memory has room for.

    Raises:
        ConfigError: it names all faults.
    """
    problems = []
    if not config.levels:
        problems.append(Problem("levels", [], "must hold at least one value, such as levels=[0.8,0.95]"))
    elif (needed := round(2 * _FEWEST / (1 - max(config.levels)))) > config.paths:
        reason = (
            f"the ends of levels={max(config.levels):g} need at least {needed:,} paths; make paths larger, or the level smaller"
        )
        problems.append(Problem("paths", config.paths, reason))
    if config.horizon:
        problems += _too_many(config.horizon, config.horizon, config.paths)
    raise_problems(problems, origins)


def check_rows(horizon: int | None, rows: int, paths: int) -> None:
    """Checks the number of rows that horizon=null comes to, as `check_forecast` does another.

    Raises:
        ConfigError: for more than memory has room for.
    """
    raise_problems(_too_many(horizon, rows, paths), NO_ORIGINS)


def _too_many(horizon: int | None, rows: int, paths: int) -> list[Problem]:
    values = paths * rows
    if values <= _MOST_VALUES:
        return []
    most = f"are {values:,} simulated values; at most {_MOST_VALUES:,}: make horizon or paths smaller"
    return [Problem("horizon", horizon, f"{rows:,} rows along {paths:,} paths {most}")]
