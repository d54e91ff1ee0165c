"""The whole page of a real trace in a browser: numbers are changed, and everything follows."""

import base64
import json
import re
import shlex

import jax
import pytest
from browsing import visiting

from nnjax.cli.compose import compose_config
from nnjax.config.schema import TraceConfig
from nnjax.data.load import load
from nnjax.reporting.trace_page import write_trace_page
from nnjax.textbook.trace import trace
from nnjax.textbook.trace_overrides import overrides_of_file

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def traces():
    made = {}

    def traced(*overrides):
        if overrides not in made:
            config = compose_config("trace", list(overrides), TraceConfig)
            made[overrides] = trace(config, load(config.data), jax.devices()[:1])
        return made[overrides]

    return traced


@pytest.fixture
def visit(browser, traces, tmp_path):
    def opened(*overrides, width=1280):
        write_trace_page(tmp_path / "trace.html", traces(*overrides))
        return open_file(tmp_path / "trace.html", width, 900)

    with visiting(browser) as open_file:
        yield opened


def frame(page):
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def value(page):
    frame(page)
    return page.inner_text("#value").split("=")[1].strip()


def number(page, name):
    return page.locator(f"#drawing [data-edit][aria-label='{name}']")


def test_it_says_that_it_agrees_with_jax(visit, traces):
    page = visit("experiment=softmax")
    page.get_by_text("agrees with JAX to").wait_for()
    found = re.search(r"recomputed ([\d,]+) values .* to (\d+) digits", page.inner_text("#agreement"))
    assert int(found[1].replace(",", "")) > len(traces("experiment=softmax")["rows"])
    assert int(found[2]) >= 12


def test_a_number_is_typed_stepped_and_dragged_and_each_is_undone(visit):
    page = visit()
    assert value(page) == "0.02"
    weight = number(page, "weight w_a1")
    weight.focus()
    page.keyboard.press("Enter")
    page.keyboard.type("-0,5")
    assert value(page) == "−0.1"
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowUp")
    assert value(page) == "−0.098"
    box = weight.bounding_box()
    page.mouse.move(box["x"] + 4, box["y"] + 4)
    page.mouse.down()
    page.mouse.move(box["x"] + 34, box["y"] + 4, steps=6)
    page.mouse.up()
    assert value(page) == "−0.078"  # ten steps of 0.01
    assert page.locator("#chain details[open]").count() == 0  # a drag is no click on the edge
    for expected in ("−0.098", "−0.1", "0.02"):
        page.click("#undo")
        assert value(page) == expected
    assert page.is_disabled("#undo")
    page.click("#redo")
    assert value(page) == "−0.1"
    assert page.is_visible("#changed")
    page.click("#reset")
    assert value(page) == "0.02"
    assert not page.is_visible("#changed")


def test_rows_of_a_changed_network_are_those_of_jax(visit, traces):
    page = visit()
    page.click("#editor > summary")
    page.get_by_role("button", name="Add a neuron to layer 1").click()
    page.get_by_role("button", name="Add an example").click()
    page.get_by_label("activation of layer 1", exact=True).select_option("tanh")
    page.get_by_label("learning rate", exact=True).fill("-0.25")
    page.get_by_label("rule of the update").select_option("subtracts")
    frame(page)
    assert page.input_value("[aria-label='learning rate']") == "0.25"
    with page.expect_download() as download:
        page.click("#download")
    path = download.value.path().rename(download.value.path().with_suffix(".json"))
    found = json.loads(path.read_text(encoding="utf-8"))
    again = traces(*overrides_of_file(path))
    assert [row["numbers"] for row in found["rows"]] == [row["numbers"] for row in again["rows"]]
    assert [row["value"] for row in found["rows"]] == pytest.approx([row["value"] for row in again["rows"]], rel=1e-12)
    page.click("#command")
    assert "optimizer=sgd" in page.input_value("#shared-text")


def test_a_network_grows_to_four_layers_of_six_and_no_further(visit):
    page = visit()
    page.click("#editor > summary")
    while (more := page.get_by_role("button", name="Add a layer before the output layer")).is_enabled():
        more.click()
        frame(page)
    for layer in range(1, 5):
        while (more := page.get_by_role("button", name=f"Add a neuron to layer {layer}")).is_enabled():
            more.click()
            frame(page)
    assert page.locator("#shapes circle").count() == 24
    page.keyboard.press("Control+z")
    frame(page)
    assert page.locator("#shapes circle").count() == 23


def test_a_link_opens_the_same_state_at_the_same_step(visit):
    page = visit()
    number(page, "input x2").focus()
    page.keyboard.press("ArrowUp")
    page.click("#phases button:has-text('Backward')")
    expected = value(page)
    page.click("#copy-link")
    link = page.input_value("#shared-text")
    other = page.context.new_page()
    other.goto(link)
    assert value(other) == expected
    assert "Backward" in other.inner_text("#card")
    other.goto("about:blank")
    other.goto(link[:-9])
    assert "cannot be opened" in other.inner_text("#notice")
    assert value(other) == "0.02"


def test_a_guess_hides_the_value_everywhere_until_it_is_right(visit):
    page = visit()
    page.click("#phases button:has-text('Error')")
    page.click("#guess summary")
    assert value(page) == "?"
    assert "0.019208" not in page.inner_text("body")
    page.fill("#guess-value", "0,0192")
    page.keyboard.press("Enter")
    assert value(page) == "0.019208"


def test_a_click_on_an_edge_lights_the_path_of_its_weight(visit):
    page = visit()
    box = page.locator("#drawing svg").bounding_box()
    x1, y1, x2, y2 = map(float, re.findall(r"[\d.]+", page.locator("#drawing path.edges").first.get_attribute("d"))[:4])
    page.mouse.click(box["x"] + x1 + 0.2 * (x2 - x1), box["y"] + y1 + 0.2 * (y2 - y1))
    page.locator("#chain details[open]").wait_for()
    assert page.locator("#path line").count() == 2
    assert page.input_value("#chain-weight") == "1|a|1"
    page.click("#chain summary")
    frame(page)
    assert page.locator("#path line").count() == 0


def test_home_and_end_go_to_the_first_and_last_step(visit):
    page = visit()
    page.keyboard.press("End")
    assert page.input_value("#step") == page.get_attribute("#step", "max")
    page.keyboard.press("Home")
    assert page.input_value("#step") == "1"
    page.keyboard.press("Shift+End")
    assert page.input_value("#iteration") == "2"


def test_a_trace_with_gaps_can_be_read_and_says_why_no_more(visit):
    page = visit("experiment=mazur", "iterations=120")
    assert "records only some of its iterations" in page.inner_text("#read-only")
    assert page.locator("[data-edit]").count() == 0
    page.keyboard.press("Shift+End")
    page.click("#copy-link")
    link = page.input_value("#shared-text")
    other = page.context.new_page()
    other.goto(link)
    assert other.inner_text("#iteration-text") == "120 of 120"


def test_the_textbooks_example_prints_on_two_pages(visit):
    page = visit()
    page.keyboard.press("End")
    margin = dict.fromkeys(("top", "right", "bottom", "left"), "15mm")
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4", margin=margin))) == 2


@pytest.mark.parametrize("width", [390, 1000, 1280])
def test_nothing_scrolls_sideways_with_everything_open(visit, width):
    page = visit("experiment=softmax", width=width)
    page.evaluate("() => document.querySelectorAll('details').forEach((one) => (one.open = true))")
    frame(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_every_control_has_a_name(visit):
    page = visit("experiment=softmax")
    page.evaluate("() => document.querySelectorAll('details').forEach((one) => (one.open = true))")
    frame(page)
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    controls = ("button", "combobox", "slider", "spinbutton", "textbox", "checkbox", "DisclosureTriangle")
    found = [(node["role"]["value"], node["name"]["value"]) for node in nodes if not node.get("ignored") and "name" in node]
    found = [(role, name) for role, name in found if role in controls]
    assert len(found) > 60
    assert [role for role, name in found if not name.strip()] == []


def test_the_command_of_a_typed_weight_makes_the_same_numbers_in_jax(visit, traces):
    page = visit()
    weight = number(page, "weight w_a1")
    weight.focus()
    page.keyboard.press("Enter")
    page.keyboard.type("0.35")
    page.keyboard.press("Enter")
    frame(page)
    page.click("#command")
    words = shlex.split(page.input_value("#shared-text"))
    expected = traces(*words[words.index("experiments.trace") + 1 :])
    assert expected["final"]["loss"] != traces()["final"]["loss"]
    with page.expect_download() as download:
        page.click("#download")
    found = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert found["final"]["loss"] == pytest.approx(expected["final"]["loss"], rel=1e-12)
    assert [row["value"] for row in found["rows"]] == pytest.approx([row["value"] for row in expected["rows"]], rel=1e-12)


def packed(parts):
    return base64.urlsafe_b64encode(parts.encode()).decode().rstrip("=")


def test_hostile_links_are_refused_in_a_line_and_change_nothing(visit):
    page = visit()
    before = page.inner_text("#card")
    place = "#v=1&i=1&e=1&p=1&s="
    hostile = [
        "#v=1&garbage",
        "#v=2&i=1&e=1&p=1&s=0",
        "#v=1&i=1e400&e=1&p=1&s=0",
        "#v=1&i=-1&e=1&p=1&s=0",
        place + "A" * 10_000_000,
        place + "<script>alert(1)</script>",
        *(place + packed(parts) for parts in ("null", "[]", "1e999", '{"__proto__": {"x": ["x1"]}}', "[" * 9000)),
        place + packed('{"x": ["<img src=x onerror=alert(1)>"], "l": [["a", "__proto__", null, true, true, [[1]], [0]]]}'),
        place + packed('{"x": ["x1"], "l": [["a", "relu", null, true, true, [[1e999]], [0]]]}'),
    ]
    for link in hostile:
        page.evaluate("(link) => { document.getElementById('notice').textContent = ''; location.hash = link; }", link)
        page.wait_for_function("document.getElementById('notice').textContent !== ''")
        notice = page.inner_text("#notice")
        assert re.fullmatch(".*cannot be opened.{1,150}", notice), link[:80]  # no line break
        assert page.inner_text("#card") == before
        assert page.locator("#notice *").count() == 0
    assert page.is_disabled("#undo")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_stand_out_from_what_is_behind_them(visit, scheme):
    page = visit()
    page.emulate_media(color_scheme=scheme)
    brightness = page.evaluate(
        """() => Object.fromEntries(["--rule", "--edge", "--page", "--panel"].map((name) => {
            document.body.style.outlineColor = `var(${name})`;
            const parts = getComputedStyle(document.body).outlineColor.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
            const [r, g, b] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
            return [name, 0.2126 * r + 0.7152 * g + 0.0722 * b];
        }))"""
    )
    for line in ("--rule", "--edge"):
        for behind in ("--page", "--panel"):
            low, high = sorted((brightness[line], brightness[behind]))
            assert (high + 0.05) / (low + 0.05) >= 3, (line, behind)


ACTS = """async (seed) => {
  const random = (count) => (seed = (seed * 16807) % 2147483647) % count;
  const values = ["", "abc", "1e999", "-0", "0.5", "-3", "1e300", "1,5", "1e-320", "500"];
  for (let act = 0; act < 150; act++) {
    const all = [...document.querySelectorAll("button, select, input")].filter((one) => !one.disabled && one.id !== "download");
    const one = all[random(all.length)];
    if (one.tagName === "BUTTON" || one.type === "checkbox") one.click();
    else {
      if (one.tagName === "SELECT") one.selectedIndex = random(one.options.length);
      else one.value = one.type === "range" ? random(100) : values[random(values.length)];
      for (const name of ["input", "change"]) one.dispatchEvent(new Event(name, { bubbles: true }));
    }
    if (act % 5 === 0) await new Promise(requestAnimationFrame);
  }
}"""


@pytest.mark.parametrize("experiment", ["textbook", "softmax", "two_gpus"])
def test_whatever_is_pressed_and_typed_brings_no_error(visit, experiment):
    page = visit(f"experiment={experiment}", "iterations=1")
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    for seed in (1, 77):
        page.evaluate(ACTS, seed)
    assert page.inner_text("#value")
