"""Searches for good settings: `python -m experiments.search experiment=search_mnist_fnn`.

On Optuna, from the extra `search`. It can be stopped, gone on with, and joined by other processes: `resume=FOLDER`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.cli import command
from nnjax.config.search_options import SearchConfig
from nnjax.reporting.console import RunConsole


def main() -> None:
    """The command line."""
    command.run("search", SearchConfig, search)


def search(config: SearchConfig, run_dir: Path) -> Mapping[str, Any]:
    """Searches as the config asks; raises what `nnjax.api.search_run.run_search` raises."""
    from nnjax.api.search_run import run_search

    with RunConsole(run_dir / "search.log") as console:
        return run_search(config, run_dir, console)


if __name__ == "__main__":
    main()
