"""Compares runs and writes what came out: tables for the terminal, CSV, Markdown, LaTeX, JSON, and a page.

with RunConsole(run_dir / "compare.log") as console:
summary = run_comparison(config, run_dir, console)
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnjax.api.comparison_rows import (
    MOST_LINES,
    AllCurves,
    about_missing_curves,
    as_json,
    page_curves,
    read_all_curves,
    rows_of_groups,
    rows_of_pairs,
)
from nnjax.api.comparison_sheets import MOST_ROWS, sheets_of
from nnjax.api.replaced_jobs import without_replaced
from nnjax.cli.process import check_printed
from nnjax.comparing.comparison import Comparison, compare
from nnjax.comparing.groups import group_runs
from nnjax.comparing.network_pairs import some_of
from nnjax.config.compare_options import CompareConfig
from nnjax.config.shell import shell_text
from nnjax.records.find import find_folders
from nnjax.records.record import RunRecord, read_record
from nnjax.reporting.compare_page import write_compare_page
from nnjax.reporting.console import RunConsole
from nnjax.reporting.counting_bar import counting
from nnjax.reporting.csv_text import csv_text
from nnjax.reporting.files import replacing, to_json
from nnjax.reporting.sheets import Sheet, latex, latex_text, markdown, markdown_text, terminal
from nnjax.reporting.text import visible


def run_comparison(config: CompareConfig, run_dir: Path, console: RunConsole) -> Mapping[str, Any]:
    """Compares the runs that a config names; writes the files and shows the tables.

    Returns:
        The content of `comparison.json`.

    Raises:
        ConfigError: if a word names no run, no run has ended with a result, or the runs were tested on different data.
        StorageError: if a file cannot be written.
    """
    records, replaced = without_replaced(_read(config.runs, console), config.runs)
    with console.rich.status("comparing …") if console.live else nullcontext():
        comparison = compare(group_runs(records, replaced), config.metric, config.against, rank=config.rank)
        curves = read_all_curves(comparison)
    sheets = sheets_of(comparison, curves)
    values = as_json(comparison)
    texts = {
        "comparison.csv": table_text(rows_of_groups(comparison)),
        "differences.csv": table_text(rows_of_pairs(comparison)),
        "comparison.md": markdown_document(comparison, sheets),
        "comparison.tex": latex_document(comparison, sheets),
        "comparison.json": to_json(values, indent=2) + "\n",
    }
    for name, text in texts.items():
        with replacing(run_dir / name) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    groups = [(group.letter, group.name) for group in comparison.grouping.groups]
    page = run_dir / "comparison.html"
    notes = [*comparison.notes, *_about_curves(comparison, curves)]
    write_compare_page(page, title_of(comparison), notes, sheets, page_curves(comparison, curves), groups)
    if config.format == "table":
        show(comparison, sheets, console)
    else:
        kinds = {"csv": "comparison.csv", "markdown": "comparison.md", "latex": "comparison.tex", "json": "comparison.json"}
        print(texts[kinds[config.format]].encode("utf-8", "backslashreplace").decode(), end="", flush=True)
        check_printed(run_dir / kinds[config.format])
    console.print(f"Written to {shell_text(run_dir)}: comparison.html, .md, .tex, .csv and .json, differences.csv")
    return values


def title_of(comparison: Comparison) -> str:
    """The heading of the page and the texts."""
    groups = comparison.grouping.groups
    networks = sum(len(group.networks) for group in groups)
    counted = "1 group" if len(groups) == 1 else f"{len(groups)} groups"
    trained = "1 network" if networks == 1 else f"{networks} networks"
    return f"{counted} of {trained}, compared by {comparison.metric.replace('_', ' ')}"


def show(comparison: Comparison, sheets: Sequence[Sheet], console: RunConsole) -> None:
    """Shows the tables, long ones cut, and the notes."""
    for sheet in sheets:
        rest = len(sheet.rows) - MOST_ROWS
        more = f" … {rest} more rows are in the files." if rest > 0 else ""
        console.print(terminal(replace(sheet, rows=sheet.rows[:MOST_ROWS], note=f"{sheet.note}{more}".strip())))
        console.print("")
    for note in comparison.notes:
        console.warn(visible(note))


def markdown_document(comparison: Comparison, sheets: Sequence[Sheet]) -> str:
    """The comparison as Markdown."""
    parts = [
        f"# {markdown_text(title_of(comparison))}",
        *(f"## {markdown_text(sheet.title)}\n\n{markdown(sheet)}\n\n{sheet.note}".strip() for sheet in sheets),
    ]
    if comparison.notes:
        parts.append("## To know\n\n" + "\n".join(f"- {markdown_text(note)}" for note in comparison.notes))
    return "\n\n".join(parts) + "\n"


def latex_document(comparison: Comparison, sheets: Sequence[Sheet]) -> str:
    r"""The tables as LaTeX, to be included with \input; the notes are comments."""
    lines = ["% needs \\usepackage{booktabs}", f"% {latex_text(title_of(comparison))}"]
    lines += [f"% {latex_text(note)}" for note in comparison.notes]
    labels = [sheet.title.lower().partition(",")[0].partition(" ")[0] for sheet in sheets]
    return "\n".join([*lines, *(latex(sheet, f"tab:{label}") for sheet, label in zip(sheets, labels, strict=True))]) + "\n"


def table_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV with all their columns; empty without any."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return csv_text(names, ([row.get(name) for name in names] for row in rows)) if names else ""


def _about_curves(comparison: Comparison, curves: AllCurves) -> list[str]:
    """A line on each reason why curves are missing in the page."""
    groups = comparison.grouping.groups
    lines = about_missing_curves(groups, curves)
    if (runs := sum(len(group.records) for group in groups)) > MOST_LINES:
        lines.append(f"the page has the learning curves of the first {MOST_LINES} of {runs} runs")
    problems = [problem for group in groups for each in curves[group.letter] for problem in each.problems]
    return [*lines, *([f"learning curves: {some_of(problems)}"] if problems else [])]


def _read(words: Sequence[str], console: RunConsole) -> list[RunRecord]:
    folders = dict.fromkeys(folder for word in words for folder in find_folders(word))
    records = []
    with _counting(console, len(folders)) as advance:
        for folder in folders:
            records.append(read_record(folder))
            advance()
    return records


@contextmanager
def _counting(console: RunConsole, total: int) -> Iterator[Any]:
    """A bar while many runs are read."""
    if total < 50:
        yield lambda: None
    else:
        with counting(console, total) as advance:
            yield advance
