import io

import pytest
from rich.console import Console

from nnjax.reporting.fitted_table import Column
from nnjax.reporting.sheets import Cell, Sheet, latex, latex_text, markdown, terminal

SHEET = Sheet(
    "Results",
    (
        Column(""),
        Column("settings", breakable=True),
        Column("accuracy", right=True),
        Column("time", right=True, optional=True),
    ),
    (
        (Cell("A", bold=True), Cell("hidden=[32]"), Cell("98.6%", 0.986), Cell("5 s", 5)),
        (Cell("B"), Cell("a|b_c"), Cell("—"), Cell("—")),
    ),
    "a note",
)


def shown(width):
    file = io.StringIO()
    Console(file=file, width=width).print(terminal(SHEET))
    return file.getvalue()


def test_the_terminal_shows_all_columns_where_there_is_room_and_leaves_out_the_optional_ones():
    assert shown(80).splitlines()[0].strip() == "Results"
    assert "98.6%" in shown(80)
    assert "time" in shown(80)
    assert "a note" in shown(80)
    narrow = shown(24)
    assert "time" not in narrow
    assert "98.6%" in narrow
    assert max(map(len, narrow.splitlines())) <= 24


def test_no_text_moves_the_terminals_cursor_and_numbers_keep_their_units():
    columns = (Column("\x1b[1m"), Column("settings", breakable=True), Column("time", right=True, whole=True))
    rows = [(Cell("a\x1b[31m\rb\nc"), Cell("x" * 60), Cell("10.5 s"))]
    file = io.StringIO()
    Console(file=file, width=40).print(terminal(Sheet("evil \x1b]0;t\x07", columns, rows, "note\x1b[2J")))
    assert "\x1b" not in file.getvalue()
    assert "10.5 s" in file.getvalue()


def test_a_column_that_may_be_left_out_goes_before_a_word_breaks():
    columns = (Column("settings", breakable=True), Column("memory", right=True, optional=True))
    rows = [(Cell("learning_rate=0.001 hidden=[32]"), Cell("300 MB"))]
    file = io.StringIO()
    Console(file=file, width=28).print(terminal(Sheet("Results", columns, rows)))
    assert "learning_rate=0.001 " in file.getvalue()
    assert "MB" not in file.getvalue()


def test_markdown_aligns_numbers_and_escapes_what_would_be_markup():
    assert markdown(SHEET).splitlines() == [
        "|  | settings | accuracy | time |",
        "| :-- | :-- | --: | --: |",
        r"| **A** | hidden=\[32\] | 98.6% | 5 s |",
        r"| B | a\|b\_c | — | — |",
    ]


def test_latex_is_a_booktabs_table():
    lines = latex(SHEET, "tab:results").splitlines()
    assert r"  \begin{tabular}{llrr}" in lines
    assert r"    \textbf{A} & hidden={[}32{]} & 98.6\% & 5 s \\" in lines
    assert r"    B & a|b\_c & --- & --- \\" in lines
    assert r"  \caption{Results. a note}" in lines
    assert [line.strip() for line in lines if "rule" in line] == [r"\toprule", r"\midrule", r"\bottomrule"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"a\b{c}", r"a\textbackslash{}b\{c\}"),
        ("50 % & #1 $x_1^2 ~", r"50 \% \& \#1 \$x\_1\textasciicircum{}2 \textasciitilde{}"),
        ("a\x1b[31m\x00", "a?{[}31m?"),
        ("−1.5 ± 2 < 3\nnext", r"$-$1.5 $\pm$ 2 $<$ 3 next"),
    ],
)
def test_latex_obeys_no_letter(text, expected):
    assert latex_text(text) == expected
