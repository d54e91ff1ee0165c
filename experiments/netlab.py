"""Trains over real links and compares with the prediction: `python -m experiments.netlab`, as root on Linux.

Makes a network namespace for each process, shapes the links between them, and leaves nothing behind.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.cli import command
from nnjax.config.netlab_options import NetlabConfig
from nnjax.reporting.console import RunConsole


def main() -> None:
    """The command line."""
    command.run("netlab", NetlabConfig, netlab)


def netlab(config: NetlabConfig, run_dir: Path) -> Mapping[str, Any]:
    """Measures what the config asks for; writes `netlab.json`, `netlab.csv` and `figures/netlab.png`.

    Raises:
        ConfigError: if the kernel does not allow the congestion control.
        UserError: if something is missing here, or a training fails.
    """
    from nnjax.api.netlab_run import run_netlab

    with RunConsole(run_dir / "netlab.log") as console:
        return run_netlab(config, run_dir, console)


if __name__ == "__main__":
    main()
