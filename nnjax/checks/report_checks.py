"""Checks the config of `experiments.report`: it is of one thing.

check_report(config, origins)
# ConfigError: run=null: must be given, or sweep=FOLDER, or compare=[A,B]
"""

from nnjax.config.diagnostics import NO_ORIGINS, Origins, Problem
from nnjax.config.errors import ConfigError
from nnjax.config.report_options import ReportConfig


def check_report(config: ReportConfig, origins: Origins = NO_ORIGINS) -> None:
    """Checks that one of `run`, `sweep` and `compare` is given.

    Raises:
        ConfigError: for none of them, or more than one.
    """
    given = [key for key in ("run", "sweep", "compare") if getattr(config, key)]
    if not given:
        reason = "must be the folder of a run; or give sweep=FOLDER, or compare=[A,B]"
        raise ConfigError(Problem("run", config.run, reason).line(origins))
    if len(given) > 1:
        key, first = given[1], given[0]
        reason = f"{first}= is given, too, and a page is of one of them; leave out one"
        raise ConfigError(Problem(key, getattr(config, key), reason).line(origins))
