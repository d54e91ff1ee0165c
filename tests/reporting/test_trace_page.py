"""The page of a trace: its text, and, in a browser, what a reader does with it."""

import json
import re
from html.parser import HTMLParser

import pytest
from browsing import visiting
from hypothesis import given
from hypothesis import strategies as st

from nnjax.reporting.files import to_json
from nnjax.reporting.trace_page import write_trace_page

NASTY = "</script><script>alert(1)</script><!-- & <b>x</b> @TRACE@ @TITLE@ \u2028"
PHASES = ("forward", "error", "backward", "adjust", "update")


def two_neurons(examples=1, iterations=2, inputs=("x1", "x2"), title="two_neuron on textbook", exchange=None):
    """A trace of neurons a and b with every kind of row; its numbers count up, so that all are different."""
    layers = [("a", list(inputs)), ("b", ["y_a"])]
    rows = []

    def add(iteration, example, phase, layer, neuron, place, quantity, symbol):
        where = {"iteration": iteration, "example": example, "phase": phase, "layer": layer, "neuron": neuron, "input": place}
        text = {"symbol": symbol, "formula": f"formula of {symbol}", "numbers": f"numbers of {symbol}"}
        rows.append(where | {"quantity": quantity} | text | {"value": len(rows) + 0.125})

    for n in range(1, iterations + 1):
        for example in range(1, examples + 1):
            for layer, (name, sources) in enumerate(layers, start=1):
                for place in [*range(1, len(sources) + 1), 0]:
                    add(n, example, "forward", layer, name, place, "product", f"w_{name}{place}")
                add(n, example, "forward", layer, name, None, "z", f"z_{name}")
                add(n, example, "forward", layer, name, None, "y", f"y_{name}")
        for example in [*range(1, examples + 1), *([None] if examples > 1 else [])]:
            add(n, example, "error", None, None, None, "loss", "E")
        for layer, name, first in ((2, "b", "d_loss"), (1, "a", "weighted_delta")):
            for quantity, symbol in ((first, f"∂E/∂y_{name}"), ("d_activation", f"f′(z_{name})"), ("delta", f"δ_{name}")):
                for example in range(1, examples + 1):
                    add(n, example, "backward", layer, name, None, quantity, symbol)
        for phase, quantities in (("adjust", ("gradient", "adjustment")), ("update", ("weight",))):
            for layer, (name, sources) in enumerate(layers, start=1):
                for place in [*range(1, len(sources) + 1), 0]:
                    for quantity in quantities:
                        add(n, None, phase, layer, name, place, quantity, f"w_{name}{place}")
    weights = {"weights": [[[0.1] * len(inputs)], [[0.4]]], "biases": [[0.6], [0.5]]}
    numbers = range(1, iterations + 1)
    check = {"what": "hand formula", "largest_difference": 1e-17, "relative": 1e-16, "agrees": True}
    return {
        "title": title,
        "settings": {"model": "two_neuron", "learning_rate_rule": "weight + learning rate × gradient", "batch_size": examples},
        "network": {
            "inputs": list(inputs),
            "layers": [
                {"name": f"neuron_{name}", "activation": "relu", "neurons": [name], "has_bias": True} for name, _ in layers
            ],
        },
        "examples": [{"inputs": [[0.2] * len(inputs)] * examples, "targets": [[1.0]] * examples} for _ in numbers],
        "iterations": [{"number": n, "learning_rate": -0.6, "loss": 0.02 / n, **weights} for n in numbers],
        "final": {"loss": 0.001, **weights},
        "rows": rows,
        "checks": [{"iteration": n, **check} for n in numbers],
        "exchange": exchange,
    }


def spread():
    """The two devices' results."""
    gradient = {"weights": [[0.25]], "biases": [0.5]}
    return {
        "devices": [{"name": f"cpu:{n}", "label": f"device {n + 1}", "examples": [n + 1]} for n in range(2)],
        "layers": [
            {
                "name": "neuron_b",
                "neurons": ["b"],
                "weight_shape": [1, 1],
                "gradients": [gradient, gradient],
                "bytes_sent": 8,
                "average": gradient,
                "single_device": gradient,
                "largest_difference": 1e-17,
                "neuron_averaging": gradient,
                "neuron_averaging_difference": 0.0625,
            }
        ],
        "loss": {"devices": [0.1, 0.2], "average": 0.15, "single_device": 0.15},
        "step": {"data_parallel_loss_after": 0.1, "single_device_loss_after": 0.1, "neuron_averaging_loss_after": 0.12},
        "summary": ["What trains like one device: data parallelism."],
    }


class Page(HTMLParser):
    """A page's elements, and each title's and script's text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self._open = [], {"title": [], "script": []}, None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = tag if tag in self.texts else None
        if self._open:
            self.texts[tag].append("")

    def handle_endtag(self, tag):
        self._open = None

    def handle_data(self, data):
        if self._open:
            self.texts[self._open][-1] += data

    def attributes(self, name):
        return [attributes[name] for _, attributes in self.elements if name in attributes]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "trace.html"
    write_trace_page(path, two_neurons())
    return path.read_text(encoding="utf-8")


def test_the_page_asks_for_nothing_but_itself(text):
    assert set(re.findall(r"https?://[^\s\"')]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|WebSocket|\bimport\b", text)
    page = Page(text)
    assert page.attributes("src") == []
    assert page.attributes("href") == ["data:,"]
    (policy,) = [content for content in page.attributes("content") if "default-src" in content]
    assert policy.startswith("default-src 'none';")


@pytest.mark.slow
@given(title=st.text(), name=st.text(), value=st.floats())
def test_the_trace_comes_back_out_of_the_page_whatever_it_holds(tmp_path_factory, title, name, value):
    trace = two_neurons(inputs=("x1", name), title=title)
    trace["rows"][0]["value"] = value
    check_round_trip(trace, tmp_path_factory.mktemp("page") / "trace.html")


def test_text_that_looks_like_markup_stays_text(tmp_path):
    trace = two_neurons(inputs=("x1", NASTY), title=NASTY)
    check_round_trip(trace, tmp_path / "trace.html")


def check_round_trip(trace, path):
    write_trace_page(path, trace)
    with path.open(encoding="utf-8", newline="") as file:
        page = Page(file.read())
    assert [tag for tag, _ in page.elements].count("script") == 2
    data, _ = page.texts["script"]
    assert json.loads(data) == json.loads(to_json(trace))
    assert "<" not in data


def test_the_title_is_the_traces(tmp_path):
    write_trace_page(tmp_path / "trace.html", two_neurons(title="<b> & co"))
    assert Page((tmp_path / "trace.html").read_text(encoding="utf-8")).texts["title"] == ["<b> & co"]


def test_whatever_the_script_looks_for_is_there_once_and_labelled(text):
    page = Page(text)
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    _, script = page.texts["script"]
    made = set(re.findall(r'id: "([\w-]+)"', script))
    assert set(re.findall(r'\$\("([\w-]+)"\)', script)) <= set(ids) | made
    assert set(page.attributes("for")) | set(page.attributes("aria-labelledby")) <= set(ids)
    assert all(f"{phase}: [" in script for phase in PHASES)


def test_the_page_is_little_more_than_the_trace(text, tmp_path):
    trace = two_neurons(examples=16, iterations=20)
    write_trace_page(tmp_path / "long.html", trace)
    empty = len(text) - len(to_json(two_neurons()))
    assert empty < 400_000
    assert (tmp_path / "long.html").stat().st_size < 1.1 * len(to_json(trace).encode()) + empty + 5_000


def test_an_older_page_is_replaced(tmp_path):
    (tmp_path / "trace.html").write_text("old")
    write_trace_page(tmp_path / "trace.html", two_neurons(title="new"))
    assert "<title>new</title>" in (tmp_path / "trace.html").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["trace.html"]


# --- In a browser: make test-browser brings Playwright, and the system's packages bring Chromium. ---


@pytest.fixture
def visit(browser, tmp_path):
    """Opens a trace's page at a width, without a network; fails at the end if there was an error or a request."""

    def opened(trace, width=1280, **settings):
        write_trace_page(tmp_path / "trace.html", trace)
        return open_file(tmp_path / "trace.html", width, 800, **settings)

    with visiting(browser) as open_file:
        yield opened


def step_of(page):
    return page.input_value("#iteration"), page.input_value("#step")


@pytest.mark.browser
def test_the_walk_goes_by_buttons_keys_sliders_phases_and_rows(visit):
    page = visit(two_neurons())
    count = page.get_attribute("#step", "max")
    assert step_of(page) == ("1", "1")
    assert page.is_disabled("#previous")
    page.click("#next")
    page.keyboard.press("ArrowRight")
    assert step_of(page) == ("1", "3")
    page.keyboard.press("ArrowLeft")
    page.click("#previous")
    page.keyboard.press("Shift+ArrowRight")
    assert step_of(page) == ("2", "1")
    page.keyboard.press("ArrowLeft")
    assert step_of(page) == ("1", count)
    page.focus("#step")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.focus("#iteration")
    page.keyboard.press("End")
    assert step_of(page) == ("2", "2")
    page.click("#phases button:has-text('Backward')")
    assert "Backward pass" in page.inner_text("#card")
    assert page.text_content("#formula") == "formula of ∂E/∂yb"
    assert page.text_content("#formula sub") == "b"
    page.click("#table tr[data-step='0']")
    assert step_of(page) == ("2", "1")
    assert page.get_attribute("#table tr[data-step='0']", "aria-current") == "true"
    page.select_option("#speed", "250")
    page.click("#play")
    page.wait_for_selector("#table tr[aria-current]:not([data-step='0'])")
    page.click("#play")
    stopped = step_of(page)
    page.wait_for_timeout(600)  # more than two steps of playing fast
    assert step_of(page) == stopped


@pytest.mark.browser
def test_values_appear_in_the_drawing_as_the_walk_reaches_them(visit):
    trace = two_neurons()
    page = visit(trace)

    def drawn():
        return page.eval_on_selector_all("#texts text", "all => all.map((one) => one.textContent)")

    for step, row in enumerate(trace["rows"][: len(trace["rows"]) // 2]):
        sign = {"z": "z ", "y": "y ", "delta": "δ ", "gradient": "∂ ", "adjustment": "Δ ", "weight": "→ ", "loss": ""}
        if row["quantity"] in sign:
            value = f"{sign[row['quantity']]}{row['value']:g}"
            assert value not in drawn()
            page.eval_on_selector("#step", f"e => {{ e.value = {step + 1}; e.dispatchEvent(new Event('input')) }}")
            assert value in drawn(), row
    assert page.locator("#shapes [data-node]").count() == 2 + 2 + 2 + 1  # inputs, bias inputs, neurons, loss


@pytest.mark.browser
def test_remarks_come_with_the_update_that_they_speak_of_and_dead_neurons_at_once(visit):
    trace = two_neurons()
    trace["iterations"][0] |= {"dead": [], "remarks": ["The step kills neuron b."]}
    trace["iterations"][1] |= {"dead": ["b"], "remarks": []}
    page = visit(trace)
    assert page.inner_text("#remarks") == ""
    page.click("#phases button:has-text('Update')")
    assert "The step kills neuron b." in page.inner_text("#remarks")
    page.keyboard.press("Home")
    page.keyboard.press("Shift+ArrowRight")
    assert step_of(page)[0] == "2"
    assert page.inner_text("#remarks").strip() == "Dead, with the slope 0 for every example: b."


@pytest.mark.browser
def test_iterations_that_are_not_recorded_leave_gaps_in_the_losses(visit):
    trace = two_neurons(iterations=3)
    trace["iterations"][-1]["number"] = 500
    for row in (row for row in trace["rows"] if row["iteration"] == 3):
        row["iteration"] = 500
    page = visit(trace)
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert page.inner_text("#iteration-text") == "500 of 500"
    width = page.locator("#chart svg").bounding_box()["width"]
    places = [float(place) for place in re.findall(r"[ML]([\d.]+)", page.get_attribute("#chart .curve", "d"))]
    assert len(places) == 4
    assert places == sorted(places)
    assert places[-1] <= width
    assert places[1] - places[0] < (places[2] - places[1]) / 100


@pytest.mark.browser
def test_settings_with_options_are_written_out(visit):
    trace = two_neurons()
    trace["settings"] |= {"loss_options": {"label_smoothing": 0.1}, "adds": True, "other_options": {}}
    said = visit(trace).inner_text("#settings")
    assert "loss options label smoothing 0.1" in said
    assert "adds yes" in said
    assert "other options none" in said


@pytest.mark.browser
def test_a_batch_shows_the_example_chosen(visit):
    page = visit(two_neurons(examples=3))
    page.select_option("#example", "3")
    assert "example 3 of 3" in page.inner_text("#where")
    page.click("#phases button:has-text('Update')")
    assert "over the batch" in page.inner_text("#where")
    page.select_option("#example", "2")
    assert "example 2 of 3" in page.inner_text("#caption")
    assert page.input_value("#example") == "2"


@pytest.mark.parametrize("width", [1280, 390, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.browser
def test_nothing_is_wider_than_the_screen(visit, width, scheme):
    trace = two_neurons(examples=2, inputs=("a name much longer than any box", "x2"), exchange=spread())
    page = visit(trace, width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.is_visible("#exchange")
    assert "sends 8 bytes" in page.inner_text("#exchange")


@pytest.mark.browser
def test_markup_in_names_is_shown_as_it_is(visit):
    page = visit(two_neurons(inputs=("<img src=x onerror=alert(1)>", NASTY), title=NASTY))
    assert page.text_content("#title") == NASTY
    assert page.locator("img").count() == 0


@pytest.mark.browser
def test_thousands_of_rows_are_a_few_in_the_page(visit):
    page = visit(two_neurons(examples=500, iterations=1))
    assert int(page.get_attribute("#step", "max")) > 5000
    assert page.locator("#rows tr").count() < 60
    page.click("#phases button:has-text('Update')")
    assert page.locator("#rows tr[aria-current]").is_visible()
    assert page.locator("#rows tr").count() < 60


@pytest.mark.browser
def test_a_trace_that_stopped_at_once_says_so(visit):
    trace = two_neurons(iterations=0)
    page = visit(trace | {"stopped": "iteration 1: the loss is not a finite number any more"})
    assert "iteration 1: the loss" in page.inner_text("#stopped")
    assert not page.is_visible("#walk")
