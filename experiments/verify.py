"""Proves what is promised of an experiment: `python -m experiments.verify resume model=cnn`, `… parity`, `… checkpoint run=…`.

`resume` kills trainings and resumes them, `parity` compares devices and wrappers, `checkpoint` reads a run's files.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.cli import command
from nnjax.config.schema import VerifyConfig
from nnjax.reporting.console import RunConsole


def main() -> None:
    """The command line; its first word may be the check's name."""
    if len(sys.argv) > 1 and "=" not in sys.argv[1] and not sys.argv[1].startswith("-"):
        sys.argv[1] = f"check={sys.argv[1]}"
    command.run("verify", VerifyConfig, verify)


def verify(config: VerifyConfig, run_dir: Path) -> Mapping[str, Any]:
    """Runs one check; writes `verification.json` and returns its content.

    Raises:
        ConfigError: if the check needs another machine or another config.
        DataError: if the data or a checkpoint is missing or damaged.
        UserError: if something is not as it should be.
    """
    from nnjax.api.verifying import run_check

    with RunConsole(run_dir / "verify.log") as console:
        return run_check(config, run_dir, console)


if __name__ == "__main__":
    main()
