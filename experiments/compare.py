"""Compares runs and says which differences are more than noise: `python -m experiments.compare outputs/sweeps/DATE/TIME`.

Runs that differ in their seed alone are taken together. Tables in the terminal, and as CSV, Markdown, LaTeX, JSON and a page.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.cli import command
from nnjax.cli.process import complain
from nnjax.cli.run_words import with_words
from nnjax.config.compare_options import CompareConfig
from nnjax.config.errors import ConfigError


def main() -> None:
    """The command line."""
    try:
        sys.argv[1:] = with_words(sys.argv[1:], "runs")
    except ConfigError as error:
        complain(error)
        sys.exit(error.exit_code)
    command.run("compare", CompareConfig, compare)


def compare(config: CompareConfig, run_dir: Path) -> Mapping[str, Any]:
    """Compares; raises what `nnjax.api.compare_run.run_comparison` raises."""
    from nnjax.api.compare_run import run_comparison
    from nnjax.reporting.console import RunConsole

    with RunConsole(run_dir / "compare.log", file=None if config.format == "table" else sys.stderr) as console:
        return run_comparison(config, run_dir, console)


if __name__ == "__main__":
    main()
