"""What a training step sends, and what a link makes of it: `python -m experiments.traffic model=cnn data=cifar10`.

Compiles the real training step for simulated devices from shapes alone, and reads every collective from the compiled program.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.cli import command
from nnjax.config.traffic_options import TrafficConfig
from nnjax.reporting.traffic_sweep import show_traffic_sweep


def main() -> None:
    """The command line."""
    command.run("traffic", TrafficConfig, traffic, on_sweep_end=show_traffic_sweep)


def traffic(config: TrafficConfig, run_dir: Path) -> Mapping[str, Any]:
    """Reports one experiment; raises what `nnjax.api.traffic_run.run_traffic` raises."""
    from nnjax.api.traffic_run import run_traffic
    from nnjax.reporting.console import RunConsole

    with RunConsole(run_dir / "traffic.log") as console:
        return run_traffic(config, run_dir, console)


if __name__ == "__main__":
    main()
