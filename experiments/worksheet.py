"""Writes printable exercises with worked answers: `python -m experiments.worksheet experiment=textbook seed=3`.

The numbers are drawn from the seed; the answers are those of a trace, computed by training's own code in float64, and checked
by finite differences, by NumPy, and by a solution in plain Python.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnjax.cli import command
from nnjax.config.errors import DivergedError, UserError
from nnjax.config.paths import shown_path
from nnjax.config.worksheet_options import WorksheetConfig
from nnjax.data.dataset_spec import dataset_spec
from nnjax.reporting.console import RunConsole
from nnjax.reporting.run_summary import environment, write_json


def main() -> None:
    """The command line."""
    command.run("worksheet", WorksheetConfig, worksheet)


def worksheet(config: WorksheetConfig, run_dir: Path) -> Mapping[str, Any]:
    """Writes the sheets of a config, and returns the content of `summary.json`.

    Raises:
        DivergedError: if a step with the drawn numbers is not finite, as with a huge learning rate.
        UserError: if no fitting numbers are found, or a check of the answers fails; then nothing is written.
    """
    from nnjax.parallel.environment import import_guard, jax_settings

    with import_guard():
        from nnjax.parallel.devices import select_devices
        from nnjax.worksheets.drawn_numbers import draw_all
        from nnjax.worksheets.worksheet_files import solved_sheet, write_sheets

    with RunConsole(run_dir / "worksheet.log") as console, jax_settings(console.warn):
        config = replace(config, parallel=replace(config.parallel, devices=1))  # the numbers do not depend on the devices
        devices = select_devices(config)

        # --- numbers, then answers, each checked before anything is written ---
        drawn = draw_all(config, dataset_spec(config.data))
        solved = [solved_sheet(config, each, devices) for each in drawn]
        if wrong := [line for each in solved for line in each.faults]:
            raise UserError(f"THE ANSWERS ARE WRONG: {wrong[0]}{f', and {len(wrong) - 1} more' if wrong[1:] else ''}")
        if diverged := next((each for each in solved if each.stopped), None):
            raise DivergedError(f"seed={diverged.seed}: {diverged.stopped}; choose an optimizer.learning_rate nearer to 0")

        # --- files ---
        sheets = [each.sheet for each in solved]
        files = write_sheets(config, run_dir, sheets)
        summary = {
            "name": run_dir.name,
            "status": "completed",
            "run_dir": str(run_dir),
            "seeds": [each.seed for each in drawn],
            "variants": [each.variant for each in drawn],
            "answers": [sheet.blanks for sheet in sheets],
            "checked": sum(each.checked for each in solved),
            "files": [str(path) for path in files],
            **environment(),
        }
        write_json(run_dir / "summary.json", summary)
        for each in (each for each in drawn if each.variant > 1):
            console.print(f"seed {each.seed} gives the numbers of an earlier sheet: variant {each.variant} of it has others")
        which = f"seed {drawn[0].seed}" if len(drawn) == 1 else f"seeds {drawn[0].seed} to {drawn[-1].seed}"
        count = f"{len(sheets)} sheet{'s' if sheets[1:] else ''} ({which})"
        console.print(f"{count}, {sheets[0].blanks} answers each, to {config.round_to} decimals")
        console.print(f"Checked: {summary['checked']:,} values of JAX by hand, by NumPy and by finite differences; all agree")
        console.print("\n".join(["Written:", *(f"  {shown_path(path)}" for path in files)]))
    return summary


if __name__ == "__main__":
    main()
