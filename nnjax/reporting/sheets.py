r"""Tables as text: for a terminal, in Markdown and in LaTeX.

sheet = Sheet("Results", (Column("run"), Column("accuracy", right=True)), ((Cell("A"), Cell("98.61%", 0.9861)),))
markdown(sheet)      # "| run | accuracy |\n|:--|--:|\n| A | 98.61% |"
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.console import Group
from rich.text import Text

from nnjax.reporting.fitted_table import Column, FittedTable, Row
from nnjax.reporting.text import visible

_LATEX = {
    "\\": r"\textbackslash{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≥": r"$\ge$",
    "<": r"$<$",
    ">": r"$>$",
    "…": r"\ldots{}",
    "—": "---",
    "–": "--",
    "·": r"$\cdot$",
    "µ": r"$\mu$",
    "[": "{[}",  # after a line's end it would begin an option
    "]": "{]}",
}


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        text: as it is shown.
        value: a number to sort by; None sorts by the text.
        bold: whether it stands out.
    """

    text: str
    value: float | None = None
    bold: bool = False


@dataclass(frozen=True)
class Sheet:
    """A table.

    Attributes:
        title: what the rows are.
        columns: the columns.
        rows: a cell for each column.
        note: a line below.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""


def terminal(sheet: Sheet) -> Group:
    """The table for a terminal, laid out for its width; no text in it moves the terminal's cursor."""
    columns = [replace(column, name=visible(column.name), words=column.breakable) for column in sheet.columns]
    rows = [
        Row([visible(cell.text) for cell in row], styles=[(place, "bold") for place, cell in enumerate(row) if cell.bold])
        for row in sheet.rows
    ]
    note = [Text(visible(sheet.note), style="dim")] if sheet.note else []
    return Group(Text(visible(sheet.title), style="bold"), FittedTable(columns, rows), *note)


def markdown(sheet: Sheet) -> str:
    """The table in Markdown, as GitHub and most others read it."""
    lines = [[column.name for column in sheet.columns], ["--:" if column.right else ":--" for column in sheet.columns]]
    texts = [
        [f"**{markdown_text(cell.text)}**" if cell.bold and cell.text else markdown_text(cell.text) for cell in row]
        for row in sheet.rows
    ]
    heads = [[markdown_text(text) for text in lines[0]], lines[1]]
    return "\n".join(f"| {' | '.join(row)} |" for row in (*heads, *texts))


def latex(sheet: Sheet, label: str) -> str:
    """The table in LaTeX with the package booktabs.

    Args:
        sheet: the table.
        label: for references, such as "tab:results".
    """

    def text(cell: Cell) -> str:
        return f"\\textbf{{{latex_text(cell.text)}}}" if cell.bold else latex_text(cell.text)

    lines = [
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{latex_text(sheet.title)}{'. ' + latex_text(sheet.note) if sheet.note else ''}}}",
        f"  \\label{{{label}}}",
        f"  \\begin{{tabular}}{{{''.join('r' if column.right else 'l' for column in sheet.columns)}}}",
        r"    \toprule",
        f"    {' & '.join(latex_text(column.name) for column in sheet.columns)} \\\\",
        r"    \midrule",
        *(f"    {' & '.join(text(cell) for cell in row)} \\\\" for row in sheet.rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines)


def latex_text(text: str) -> str:
    """A text without letters that LaTeX would obey."""
    return "".join(_LATEX.get(letter, letter) for letter in visible(text))


def markdown_text(text: str) -> str:
    """A text that neither ends a cell nor is read as markup."""
    return "".join(f"\\{letter}" if letter in "\\|*_`<>[]#~" else letter for letter in visible(text))
