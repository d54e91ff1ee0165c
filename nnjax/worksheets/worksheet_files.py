"""A worksheet's answers, computed by JAX and checked, and its files.

solved = solved_sheet(config, drawn, devices)
assert not solved.faults
write_sheets(config, run_dir, [solved.sheet])        # worksheet.html, or worksheet.pdf, and answers.…
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax

from nnjax.config.worksheet_options import WorksheetConfig
from nnjax.data.load import load
from nnjax.textbook.trace import trace
from nnjax.worksheets.drawn_numbers import Drawn, with_numbers_of
from nnjax.worksheets.hand_solution import disagreements, solve
from nnjax.worksheets.sheet_parts import Sheet, make_sheet
from nnjax.worksheets.worksheet_page import write_html
from nnjax.worksheets.worksheet_pdf import write_pdf


@dataclass(frozen=True)
class SolvedSheet:
    """A sheet, and what its checks found.

    Attributes:
        seed: of the sheet.
        sheet: the exercises and answers.
        faults: where JAX's numbers differ from those of a check.
        checked: the number of values that were compared with the solution by hand.
        stopped: why the trace ended early; None if it did not.
    """

    seed: int
    sheet: Sheet
    faults: Sequence[str]
    checked: int
    stopped: str | None


def solved_sheet(config: WorksheetConfig, drawn: Drawn, devices: Sequence[jax.Device]) -> SolvedSheet:
    """Computes an exercise's answers by JAX in float64, and checks them.

    Args:
        config: the worksheet's.
        drawn: the numbers.
        devices: one device.
    """
    numbered = with_numbers_of(config, drawn.exercise)
    found = trace(numbered, load(numbered.data), devices)
    by_hand = solve(drawn.exercise)
    if found["stopped"]:
        empty = make_sheet(config, drawn, {**found, "rows": []})
        return SolvedSheet(drawn.seed, empty, [], 0, str(found["stopped"]))
    faults = [f"seed {drawn.seed}: {line}" for line in disagreements(by_hand, found["rows"])]
    for check in found["checks"]:
        if check["agrees"] is False:
            faults.append(f"seed {drawn.seed}: {check['what']} of iteration {check['iteration']} disagree")
    sheet = make_sheet(config, drawn, found)
    return SolvedSheet(drawn.seed, sheet, faults, len(by_hand), None)


def write_sheets(config: WorksheetConfig, run_dir: Path, sheets: Sequence[Sheet]) -> list[Path]:
    """Writes the file of the exercises, with the answers after them or in a second file; returns the paths."""
    write = {"html": write_html, "pdf": write_pdf}[config.format]
    title = sheets[0].title if len(sheets) == 1 else f"{sheets[0].title} and {len(sheets) - 1} more"
    exercises = run_dir / f"worksheet.{config.format}"
    if config.answers == "together":
        write(exercises, title, exercises=sheets, answers=sheets, paper=config.paper)
        return [exercises]
    answers = run_dir / f"answers.{config.format}"
    write(exercises, title, exercises=sheets, answers=[], paper=config.paper)
    write(answers, f"Answers: {title}", exercises=[], answers=sheets, paper=config.paper)
    return [exercises, answers]
