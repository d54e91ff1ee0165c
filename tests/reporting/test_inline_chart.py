"""Charts for the inside of a page: their colours are the page's, and their tables hold their numbers."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from nnjax.reporting.figures.inline_chart import MOST_LINES, Chart, Line, inline_svg, numbers, thinned

CURVES = Chart(
    "loss", "epoch", [Line("train", [1, 2, 3], [0.9, None, 0.3], [0.8, None, 0.2], [1, None, 0.4]), Line("b", [3], [1])]
)


def test_a_chart_has_no_colour_of_its_own():
    text = inline_svg(CURVES, "one")
    assert set(re.findall(r"#[0-9a-fA-F]{6}\b", text)) == set()
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", text))
    assert used == {"--ink", "--rule", "--line-1", "--line-2"}


def test_a_chart_is_one_element_that_takes_the_width_there_is():
    root = ElementTree.fromstring(inline_svg(CURVES, "one"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "width" not in root.attrib
    assert root.attrib["viewBox"].startswith("0 0 ")
    assert (root.attrib["role"], root.attrib["aria-label"]) == ("img", "loss over epoch: train, b")


def test_two_charts_share_no_id_and_refer_to_their_own():
    texts = [inline_svg(CURVES, name) for name in ("one", "two")]
    ids = [set(re.findall(r'\bid="([^"]*)"', text)) for text in texts]
    assert not ids[0] & ids[1]
    for text, own in zip(texts, ids, strict=True):
        assert set(re.findall(r'(?:href="|url\()#([^")]*)', text)) <= own
    assert texts[0].replace("one-", "two-") == texts[1]


def test_lines_differ_in_grey():
    lines = [Line(str(n), [1, 2], [n, n + 1]) for n in range(4)]
    text = inline_svg(Chart("x", "y", lines), "grey")
    assert len(set(re.findall(r"stroke-dasharray: ([^;\"]+)", text))) >= 3  # and one that is not dashed


def test_a_name_is_text():
    root = ElementTree.fromstring(inline_svg(Chart("<b> & $x$", "y", [Line('"<i>', [1], [2]), Line("$z$", [1], [3])]), "n"))
    assert root.attrib["aria-label"] == '<b> & $x$ over y: "<i>, $z$'
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {'"<i>', "$z$"} <= set(texts)


def test_the_table_has_a_row_for_each_place_and_a_column_for_each_line():
    table = numbers(CURVES)
    assert table.heads == ("epoch", "train", "b")
    assert table.rows == [("1", "0.9", ""), ("2", "not finite", ""), ("3", "0.3", "1")]


def test_shares_are_percent_and_ticks_are_names():
    chart = Chart("right", "confidence", [Line("a", [0.25], [0.5])], percent=True, percent_x=True)
    assert numbers(chart).rows == [("25 %", "50 %")]
    assert numbers(Chart("x", "row", [Line("a", [0, 1], [5, 6])], ticks=[(0, "1949-01"), (1, "1949-02")])).rows == [
        ("1949-01", "5"),
        ("1949-02", "6"),
    ]


def test_a_long_line_is_thinned_and_says_so():
    chart = Chart("loss", "step", [Line("a", list(range(5000)), [1.0] * 5000)])
    table = numbers(chart)
    assert (len(table.rows), table.rows[0][0], table.rows[-1][0]) == (60, "0", "4999")
    assert table.caption == "loss: 60 of 5000 rows"
    assert len(inline_svg(chart, "long")) < 30_000


@given(st.lists(st.integers(), max_size=50), st.integers(2, 20))
def test_thinning_keeps_the_ends_and_the_order(items, most):
    kept = thinned(items, most)
    assert len(kept) == min(len(items), most)
    assert kept[:1] == items[:1]
    assert kept[-1:] == items[-1:]
    places = iter(items)
    assert all(item in places for item in kept)


@pytest.mark.parametrize("values", [[], [None, None], [0.0, 0.0], [1e-300, 1e300], [float("nan")], [-1.0, 1e9]])
def test_values_of_every_kind_can_be_drawn(values):
    ElementTree.fromstring(inline_svg(Chart("x", "y", [Line("a", list(range(len(values))), values)]), "any"))


@settings(max_examples=10)
@given(st.lists(st.tuples(st.floats(allow_nan=False, width=32), st.floats(width=32)), min_size=1, max_size=5))
def test_no_numbers_break_a_chart(points):
    chart = Chart("x", "y", [Line("a", [x for x, _ in points], [y for _, y in points])], log_x=False)
    ElementTree.fromstring(inline_svg(chart, "any"))
    assert numbers(chart).rows


def test_names_longer_than_the_chart_leave_room_for_lines():
    ticks = [(n, "a_name_of_a_setting_" * 5) for n in range(4)]
    svg = inline_svg(Chart("loss", "setting", [Line("loss", range(4), [1e300, 2e300, 3e300, 4e300])], ticks=ticks), "names")
    assert ticks[0][1] in svg


@pytest.mark.parametrize("count", [1, 2, 5, MOST_LINES])
def test_a_legend_takes_nothing_of_the_height_of_the_axes(count, monkeypatch):
    heights, save = [], Figure.savefig

    def savefig(figure, *arguments, **options):
        (axes,) = figure.axes
        heights.append(axes.get_position().height * figure.get_figheight())
        legend = axes.get_legend()
        figure.draw_without_rendering()
        assert legend is None or legend.get_window_extent().y1 <= figure.bbox.y1
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    lines = [Line(f"optimizer.learning_rate=0.000{number:02}", [1, 2], [1.0, number]) for number in range(count)]
    inline_svg(Chart("loss", "epoch", lines), "legend")
    assert heights[0] > 1.9  # inches


@pytest.mark.parametrize("lines", [1, 3])
@pytest.mark.parametrize("values", [(1e-7, 2e-7), (123.456001, 123.456002)])
def test_what_all_ticks_have_in_common_is_inside_and_free(values, lines, monkeypatch):
    places, save = [], Figure.savefig

    def savefig(figure, *arguments, **options):
        figure.draw_without_rendering()
        (axes,) = figure.axes
        offset = axes.yaxis.get_offset_text()
        assert offset.get_text()
        place = offset.get_window_extent()
        assert figure.bbox.y1 >= place.y1
        assert figure.bbox.x1 >= place.x1
        places.extend(text.get_window_extent() for text in (axes.get_legend().get_texts() if axes.get_legend() else ()))
        assert not any(place.overlaps(other) for other in places)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    chart = Chart("rate", "epoch", [Line(f"{number}", [1, 2], values) for number in range(lines)], log_y=False)
    inline_svg(chart, "offset")


def test_points_at_one_place_have_a_row_each():
    chart = Chart("x", "rate", [Line("a", [0.1, 0.1, 1], [5, 6, 7], form="points"), Line("b", [0.1], [8])])
    assert numbers(chart).rows == [("0.1", "5", "8"), ("0.1", "6", ""), ("1", "7", "")]


def test_the_row_of_a_mark_stays_when_a_line_is_thinned():
    lines = [Line("a", list(range(5000)), [1.0] * 5000), Line("test", [37], [2.0], form="mark")]
    assert ("37", "1", "2") in numbers(Chart("x", "step", lines)).rows


@pytest.mark.parametrize(("places", "shown"), [([0.001, 0.01], {"0.001", "0.005", "0.01"}), ([1e-6, 1.0], {"0.001", "1"})])
def test_a_logarithmic_axis_has_plain_numbers(places, shown):
    chart = Chart("x", "rate", [Line("a", places, [1, 2], form="points")], log_x=True)
    texts = [element.text for element in ElementTree.fromstring(inline_svg(chart, "log")).iter() if element.text]
    assert shown <= set(texts)
    assert not [text for text in texts if "$" in text]
