import json
import re

from nnjax.reporting.compare_page import write_compare_page
from nnjax.reporting.sheets import Cell, Column, Sheet

EVIL = "</script><b>&'\"\u2028@DATA@"


def test_the_page_is_one_file_and_obeys_no_text(tmp_path):
    sheet = Sheet(EVIL, (Column(EVIL, number=True),), ((Cell(EVIL, 1.5),), (Cell("nan", float("nan")),)), EVIL)
    curve = {"group": "A", "name": EVIL, "metric": "train loss", "epoch": [1, 2], "y": [0.5, float("inf")]}
    write_compare_page(tmp_path / "c.html", EVIL, [EVIL], [sheet], [curve], [("A", EVIL)])
    text = (tmp_path / "c.html").read_text()
    found = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])
    assert found["tables"][0]["rows"][0][0] == {"text": EVIL, "value": 1.5, "bold": False}
    assert found["tables"][0]["rows"][1][0]["value"] is None
    assert found["curves"] == [{**curve, "y": [0.5, None]}]
    assert (found["notes"], found["groups"]) == ([EVIL], [{"letter": "A", "name": EVIL}])
    assert "<b>" not in text
    assert text.count("</script>") == 2
    assert not re.search(r"(src|href)=\"(?!data:)|https?://(?!www\.w3\.org/2000/svg)|url\(", text)
    assert "@HEADING@" not in text


def test_a_surrogate_of_a_file_name_is_written(tmp_path):
    write_compare_page(tmp_path / "c.html", "a\udcff", ["\udcff"], [], [], [])
    assert "\\udcff" in (tmp_path / "c.html").read_text()
