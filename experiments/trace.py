"""Shows every number of the first training steps: `python -m experiments.trace iterations=2`, or `… trace.json`.

Writes each product, sum, activation, derivative, error term, adjustment and new weight with its formula to the terminal and to
`trace.html`, `trace.csv` and `trace.json`. Computed by training's own code in float64, and checked against formulas by hand.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnjax.cli import command
from nnjax.cli.process import complain
from nnjax.config.errors import DivergedError, UserError
from nnjax.config.paths import shown_path
from nnjax.config.schema import TraceConfig
from nnjax.reporting.browser import open_page
from nnjax.reporting.console import RunConsole
from nnjax.reporting.exchange_tables import exchange_tables
from nnjax.reporting.run_summary import environment, write_json
from nnjax.reporting.trace_files import write_trace_files
from nnjax.reporting.trace_tables import trace_tables


def main() -> None:
    """The command line; its first word may be the path of a trace.json, whose experiment is traced."""
    if len(sys.argv) > 1 and "=" not in sys.argv[1] and not sys.argv[1].startswith(("-", "+", "~")):
        from nnjax.textbook.trace_overrides import overrides_of_file

        try:
            sys.argv[1:2] = overrides_of_file(Path(sys.argv[1]))
        except UserError as error:
            complain(error)
            sys.exit(error.exit_code)
    command.run("trace", TraceConfig, trace)


def trace(config: TraceConfig, run_dir: Path) -> Mapping[str, Any]:
    """Traces an experiment's first iterations, and returns the content of `summary.json`.

    Raises:
        ConfigError: if the machine lacks the requested devices.
        DataError: if the data is missing or damaged.
        DivergedError: if the loss, a gradient or a weight is no longer finite.
        UserError: if a check fails.
    """
    from nnjax.parallel.environment import import_guard, jax_settings

    with import_guard():
        from nnjax.data.load import load
        from nnjax.parallel.devices import select_devices
        from nnjax.textbook.trace import trace as trace_steps

    with RunConsole(run_dir / "trace.log") as console, jax_settings(console.warn):
        # --- one device unless the config sets more: the numbers do not depend on the devices ---
        if config.parallel.devices == "auto":
            config = replace(config, parallel=replace(config.parallel, devices=1))
        devices = select_devices(config)

        # --- the iterations ---
        found = trace_steps(config, load(config.data, echo=console.print), devices)
        disagreeing = [check for check in found["checks"] if check["agrees"] is False]
        summary = {
            "name": run_dir.name,
            "status": "diverged" if found["stopped"] else "failed" if disagreeing else "completed",
            "run_dir": str(run_dir),
            "settings": found["settings"],
            "losses": [iteration["loss"] for iteration in found["iterations"]],
            "final_loss": found["final"]["loss"],
            "rows": len(found["rows"]),
            "agrees": not disagreeing,
            "num_devices": len(devices),
            **environment(),
        }

        # --- files, then tables ---
        files = write_trace_files(run_dir, found)
        summary["files"] = [str(path) for path in files]
        write_json(run_dir / "summary.json", summary)
        for part in trace_tables(found, show_all=config.show == "all"):
            console.print(part)
        if found["exchange"] is not None:
            for table in exchange_tables(found["exchange"]):
                console.print(table)
        console.print("\n".join(["Written:", *(f"  {shown_path(path)}" for path in files)]))
        if config.open and not open_page(files[0]):
            console.warn(f"open=true: no browser was found here; open {shown_path(files[0])} on a machine that has one")
    if disagreeing:
        names = ", ".join(dict.fromkeys(f"{check['what']} in iteration {check['iteration']}" for check in disagreeing))
        raise UserError(f"THE TRACE IS WRONG: it disagrees with {names}; trace.json has the differences")
    if found["stopped"]:
        raise DivergedError(f"{found['stopped']}: training diverged; choose an optimizer.learning_rate nearer to 0")
    return summary


if __name__ == "__main__":
    main()
