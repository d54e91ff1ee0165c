import csv
import io
import math

import pytest

from nnjax.reporting.csv_text import csv_text


def test_values_are_read_as_they_were():
    text = csv_text(["a,b", "c"], [["x\ny", 0.1], [None, math.nan], [[1, "é"], True], [-1, "-1e-3"]])
    assert list(csv.reader(io.StringIO(text))) == [
        *(["a,b", "c"], ["x\ny", "0.1"], ["", ""], ['[1, "é"]', "true"], ["-1", "-1e-3"])
    ]
    assert text.count("\r") == 0


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "=cmd|' /C calc'!A0"])
def test_no_text_is_a_formula(text):
    assert next(csv.reader(io.StringIO(csv_text(["x"], [[text]]).partition("\n")[2]))) == [f"'{text}"]
