"""Writes a page to send, of a run, a sweep or a comparison: `python -m experiments.report run=outputs/train/…`.

Each training leaves its own page as `report.html`; this verb makes it again, also of a run of an earlier version.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.cli import command
from nnjax.config.report_options import ReportConfig
from nnjax.reporting.console import RunConsole


def main() -> None:
    """The command line."""
    command.run("report", ReportConfig, report)


def report(config: ReportConfig, run_dir: Path) -> Mapping[str, Any]:
    """Writes `report.html` into this command's folder.

    Raises:
        ConfigError: if there is nothing to report on.
        DataError: if the run's network is to be tested again, and its data or checkpoint is missing or damaged.
    """
    from nnjax.api.report_making import make_report

    with RunConsole(run_dir / "report.log") as console:
        return make_report(config, run_dir, console)


if __name__ == "__main__":
    main()
