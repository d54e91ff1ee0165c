import json
import re

import pytest

from nnjax.reporting.compare_page import write_compare_page
from nnjax.reporting.fitted_table import Column
from nnjax.reporting.sheets import Cell, Sheet

EVIL = "</script><b>&'\"\u2028@DATA@"


def test_the_page_is_one_file_and_obeys_no_text(tmp_path):
    sheet = Sheet(EVIL, (Column(EVIL, right=True),), ((Cell(EVIL, 1.5),), (Cell("nan", float("nan")),)), EVIL)
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


SHEET = Sheet(
    "Results",
    (Column(""), Column("accuracy", right=True)),
    tuple((Cell(name), Cell(text, value)) for name, text, value in (("A", "9%", 0.09), ("B", "10%", 0.1), ("C", "—", None))),
)
CURVES = [
    {
        "group": group,
        "name": f"run {group}",
        "metric": metric,
        "epoch": [1, 2, 3],
        "step": [5, 10, 15],
        "seconds": [1, 2, 3],
        "y": y,
    }
    for group in "AB"
    for metric, y in (("validation accuracy", [0.1, 0.5, 0.9]), ("train loss", [2.0, None, 0.001]))
]


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_reader_sorts_the_tables_and_shows_and_hides_curves(browser, tmp_path, width, scheme):
    write_compare_page(tmp_path / "c.html", "title", ["a note"], [SHEET], CURVES, [("A", "one"), ("B", "x" * 80)])
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    problems = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.extend([] if request.url.startswith(("file:", "data:")) else [request.url]))
    page.goto((tmp_path / "c.html").as_uri())

    def rows():
        return page.locator("#tables tbody th").all_inner_texts()

    sort = page.get_by_role("button", name="sort by accuracy")
    sort.click()
    assert rows() == ["B", "A", "C"]  # the unknown stays last
    sort.click()
    assert rows() == ["A", "B", "C"]
    assert page.locator("th[aria-sort=ascending]").count() == 1
    lines = page.locator("#chart path.curve")
    assert lines.count() == 2
    page.get_by_label("A one").uncheck()
    assert [line.get_attribute("data-group") for line in lines.all()] == ["B"]
    page.get_by_role("button", name="Show all").click()
    page.locator("#metric").select_option("train loss")
    page.locator("#across").select_option("seconds")
    page.get_by_label("logarithmic").check()
    assert lines.count() == 2
    assert lines.first.get_attribute("d").count("M") == 2  # a gap where the loss was not finite
    box = page.locator("#chart").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.99, box["y"] + box["height"] * 0.8)
    for place in range(60, 100, 2):
        page.mouse.move(box["x"] + box["width"] * 0.98, box["y"] + box["height"] * place / 100)
    assert "train loss" in page.locator("#readout").inner_text()
    page.get_by_role("button", name="Hide all").click()
    assert lines.count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert problems == []
    page.close()
