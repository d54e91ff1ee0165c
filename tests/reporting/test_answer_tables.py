"""Tables of answers, on wide and narrow terminals."""

import io

import pytest
from rich.console import Console

from nnjax.reporting.answer_tables import answer_table


def text_of(table, width):
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    return console.file.getvalue()


def record(source, warning):
    top = [{"label": str(place), "probability": share, "spread": 0.0} for place, share in enumerate((0.9, 0.06, 0.04))]
    return {"source": source, **top[0], "top": top, "warnings": [warning], "notes": []}


@pytest.mark.parametrize("width", [60, 80, 100])
def test_the_next_classes_stand_on_one_line_or_not_at_all(width):
    warning = "unlike the training pictures, 2.9 times as far from them as usual ones go: rougher"
    shown = text_of(answer_table([record("scans/of_april/photo_12.png", warning)] * 2, "picture"), width)
    assert max(map(len, shown.splitlines())) <= width
    assert ("then" in shown) == ("1\xa06.0%, 2\xa04.0%" in shown) == (width > 80)
    assert shown.count("90.0%") == 2
    assert "remarks" in shown
    assert all(word in shown for word in warning.split())


def test_outputs_that_are_not_finite_have_no_class():
    nothing = {"source": "a.png", "label": None, "probability": None, "spread": None, "top": [], "notes": []}
    shown = text_of(answer_table([nothing | {"warnings": ["no finite numbers"]}], "picture"), 80)
    assert shown.splitlines()[-2].split() == ["a.png", "no", "finite", "numbers"]


def test_large_values_are_told_apart():
    values = {"source": "1961-01", "values": [1000000444.04], "spread": [0.25], "warnings": [], "notes": []}
    assert "1000000444.04 ± 0.25" in text_of(answer_table([values], "row"), 80)
