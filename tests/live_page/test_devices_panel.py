"""The panel of two devices in a browser: its modules alone, on a page with the style of a plain page."""

import json
import re

import pytest

from nnjax.reporting.page_source import SOURCE, _imports, joined_modules, read_modules

pytestmark = pytest.mark.browser

COLOURS = """
:root { color-scheme: light dark; --page: #faf9f6; --panel: #ffffff; --ink: #1c2126; --muted: #59626d; --rule: #d8d5ce;
  --edge: #7b838d; --accent: #0b57a4; --tint: #e2edf8; --warm: #8f4500; }
body { margin: 8px; font: 16px/1.45 sans-serif; background: var(--page); color: var(--ink); }
* { box-sizing: border-box; } [hidden] { display: none !important; } select, button, input { font: inherit; }
"""
STATE = {
    "inputs": ["x1", "x2"],
    "layers": [
        {
            "name": "layer_1",
            "activation": {"name": "tanh"},
            "neurons": ["a", "b"],
            "hasBias": True,
            "learnsBias": True,
            "weights": [[0.1, 0.4], [-0.2, 0.3]],
            "biases": [0.2, 0.1],
        },
        {
            "name": "output",
            "activation": {"name": "identity"},
            "neurons": ["c"],
            "hasBias": True,
            "learnsBias": True,
            "weights": [[0.7, 0.3]],
            "biases": [0.05],
        },
    ],
    "loss": {"name": "half_mse"},
    "learningRate": -0.6,
    "adds": True,
    "rates": None,
    "batches": [{"inputs": [[0.2, 0.3], [0.5, -0.1]], "targets": [[1], [0.3]]}],
    "iterations": 2,
    "classes": None,
}
ONE_EXAMPLE = {**STATE, "batches": [{"inputs": [[0.2, 0.3]], "targets": [[1]]}]}
APP = """
let computations = 0;
const followers = [];
const app = {
  state: STATE, place: { iteration: 0, example: 0, step: 0 }, readOnly: null,
  get computed() { computations += 1; return compute(app.state); },
  subscribe: (follower) => followers.push(follower),
  change(state) { app.state = state; followers.forEach((follower) => follower()); },
};
const keys = [];
document.addEventListener("keydown", (event) => keys.push(event.key));
makeDevices(document.getElementById("devices"), app);
Object.assign(window, { app, counted: () => computations, keys });
"""


def modules():
    """The panel's modules and all that they import."""
    texts, found, rest = read_modules(SOURCE), set(), ["devices_panel.js", "compute.js"]
    while rest:
        name = rest.pop()
        if name not in found:
            found.add(name)
            rest += [other for other, _ in _imports(name, texts[name])]
    return joined_modules({name: texts[name] for name in sorted(found)})


@pytest.fixture
def opened(browser):
    """A function that opens the page with a state, with the panel open."""
    pages = []

    def open_page(state=STATE, width=1000, closed=False, **options):
        page = browser.new_page(viewport={"width": width, "height": 1200}, **options)
        pages.append(page)
        page.faults = []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        style = f"<style>{COLOURS}{(SOURCE / 'devices.css').read_text()}</style>"
        script = f"<script>{modules()}\n{APP.replace('STATE', json.dumps(state))}</script>"
        page.set_content(f'<!doctype html><html lang="en">{style}<section id="devices"></section>{script}</html>')
        if not closed:
            page.locator("summary").click()
            drawn(page)
        return page

    yield open_page
    faults = [fault for page in pages for fault in page.faults]
    for page in pages:
        page.close()
    assert faults == []


def drawn(page):
    """Waits until two frames have passed, after which a change is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")


def choose(page, setting, value):
    page.locator(f"[data-setting={setting}] select").select_option(value)
    drawn(page)


def type_in(page, setting, text):
    box = page.locator(f"[data-setting={setting}] input[type=text]")
    box.fill(text)
    box.press("Enter")
    drawn(page)


def fact(page, name):
    return page.locator(".dev-facts div", has=page.locator(f"dt:text-is('{name}')")).locator("dd").inner_text()


def test_nothing_is_computed_while_it_is_closed(opened):
    page = opened(closed=True)
    page.evaluate("app.change({ ...app.state, learningRate: -0.5 })")
    drawn(page)
    assert page.evaluate("counted()") == 0
    page.locator("summary").click()
    drawn(page)
    assert page.evaluate("counted()") > 0
    page.locator("summary").click()
    before = page.evaluate("counted()")
    page.evaluate("app.change({ ...app.state, learningRate: -0.4 })")
    drawn(page)
    assert page.evaluate("counted()") == before


def test_a_second_example_is_offered(opened):
    page = opened(ONE_EXAMPLE)
    assert "a second one is needed" in page.locator(".dev-lead").inner_text()
    assert not page.locator(".dev-content").is_visible()
    page.locator(".dev-add").click()
    drawn(page)
    assert page.evaluate("app.state.batches[0].inputs.length") == 2
    assert page.locator(".dev-content").is_visible()
    assert "device A takes 1 of 2 examples" in page.locator(".dev-lead").inner_text()


def test_the_average_is_the_gradient_of_the_whole_batch(opened):
    page = opened()
    rows = page.locator(".dev-scroll tbody tr").all()
    assert len(rows) == 3  # c has two weights and a bias weight
    for row in rows:
        _, a, b, average, whole, _, _ = [
            float(text.replace("−", "-")) if index else text for index, text in enumerate(row.locator("td").all_inner_texts())
        ]
        assert average == pytest.approx((a + b) / 2, rel=1e-5)
        assert average == whole
    text = page.locator(".dev-numbers").inner_text()
    assert "averages the devices' gradients. That is the gradient of the whole batch" in text
    assert "before it goes back. That is not the gradient of the whole batch" in text
    page.get_by_label("Layer whose gradients are shown").select_option("1")
    assert page.locator(".dev-scroll tbody tr").count() == 6


def test_a_slower_link_leaves_the_devices_idle(opened):
    page = opened()
    idle = float(fact(page, "Idle, device A").removesuffix(" %"))
    type_in(page, "bandwidth", "100")
    slower = float(fact(page, "Idle, device A").removesuffix(" %"))
    assert slower > idle
    choose(page, "preset", "nvlink")
    assert page.locator("[data-setting=bandwidth] input[type=text]").input_value() == "3600000"
    assert float(fact(page, "Idle, device A").removesuffix(" %")) < idle


def test_a_refused_value_says_what_is_allowed_and_changes_nothing(opened):
    page = opened()
    before = fact(page, "One step")
    type_in(page, "loss", "40")
    assert page.get_by_role("alert").inner_text() == "Packets lost: 40 is not a number from 0 to 30 %."
    assert fact(page, "One step") == before
    type_in(page, "loss", "0.1")
    assert not page.get_by_role("alert").is_visible()
    assert fact(page, "One step") != before


def test_keys_walk_through_the_moments_and_stay_in_the_panel(opened):
    page = opened()
    page.locator(".dev-stage").focus()
    moment = page.locator(".dev-moment")
    assert moment.inner_text().startswith("0 s: both devices: forward pass of layer a–b")
    page.keyboard.press("ArrowRight")
    assert "forward pass of layer c" in moment.inner_text()
    page.keyboard.press("End")
    assert "update of the weights" in moment.inner_text()
    page.keyboard.press("ArrowLeft")
    assert "update" not in moment.inner_text()
    page.keyboard.press("Home")
    assert moment.inner_text().startswith("0 s")
    assert page.evaluate("keys") == []


def test_it_plays_and_pauses(opened):
    page = opened()
    page.get_by_role("button", name="Play the step").click()
    slider = page.get_by_label("Time of the step")
    page.wait_for_function("() => Number(document.querySelector('.dev-slide').value) > 5")
    page.get_by_role("button", name="Pause").click()
    place = slider.input_value()
    drawn(page)
    assert slider.input_value() == place
    page.get_by_role("button", name="Play the step").click()
    page.locator("summary").click()  # closing stops it
    page.wait_for_function("() => document.querySelector('.dev-play').textContent === 'Play'")


def test_reduced_motion_goes_from_moment_to_moment(opened):
    page = opened(reduced_motion="reduce")
    page.clock.install()
    page.get_by_role("button", name="Play the step").click()
    page.clock.run_for(200)
    assert page.locator(".dev-moment").inner_text().startswith("0 s")
    page.clock.run_for(1200)
    assert "forward pass of layer c" in page.locator(".dev-moment").inner_text()
    page.get_by_role("button", name="Pause").click()


def test_the_gradients_cross_last_layer_first(opened):
    page = opened()
    texts = page.locator(".dev-figure .dev-mean").evaluate_all(
        "(all) => all.filter((one) => one.getAttribute('visibility') === 'visible').length"
    )
    assert texts == 0
    page.locator(".dev-stage").focus()
    seen = []
    for _ in range(40):
        text = page.locator(".dev-moment").inner_text()
        if found := re.search(r"sending gradients of (layer [\w–]+)", text):
            seen.append(found[1])
        page.keyboard.press("ArrowRight")
    assert list(dict.fromkeys(seen)) == ["layer c", "layer a–b"]
    assert page.locator(".dev-figure .dev-mean[visibility=visible]").count() == 4
    assert page.locator(".dev-figure .dev-new[visibility=visible]").count() == 4


def test_a_lost_packet_and_a_failure(opened):
    page = opened()
    plain = fact(page, "One step")
    choose(page, "event", "packet")
    type_in(page, "lostShare", "100")
    assert "after the timeout, it is sent again" in page.locator(".dev-sentences").inner_text()
    assert fact(page, "One step") != plain
    assert page.locator(".dev-axis .dev-cross").count() == 1
    choose(page, "event", "failure")
    type_in(page, "age", "10")
    type_in(page, "restart", "5")
    assert fact(page, "Restart") == "5 s"
    assert "Device B fails" in page.locator(".dev-sentences").inner_text()
    assert not page.locator(".dev-figure").is_visible()


def test_a_step_without_an_end_is_said(opened):
    page = opened()
    choose(page, "transport", "go_back_0")
    type_in(page, "scale", "1000000")
    type_in(page, "loss", "30")
    assert page.locator(".dev-sentences").inner_text() == (
        "With this loss a message never arrives, so that the step never ends."
    )
    assert not page.locator(".dev-stage").is_visible()
    type_in(page, "loss", "0")
    assert page.locator(".dev-stage").is_visible()
    assert page.locator(".dev-axis svg").bounding_box()["width"] > 900


@pytest.mark.parametrize("width", [390, 1000, 1280])
@pytest.mark.parametrize("event", ["none", "packet", "failure"])
def test_no_edge_is_cut(opened, width, event):
    page = opened(width=width)
    choose(page, "event", event)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    cut = page.evaluate("""() => {
      const drawings = [...document.querySelectorAll(".dev-body svg")].filter((one) => one.getBoundingClientRect().width);
      const seen = (text) => text.textContent && text.getAttribute("visibility") !== "hidden";
      return drawings.flatMap((one) => [...one.querySelectorAll("text")].filter(seen).filter((text) => {
        const [outer, inner] = [one.getBoundingClientRect(), text.getBoundingClientRect()];
        return inner.left < outer.left - 1 || inner.right > outer.right + 1 || inner.bottom > outer.bottom + 1;
      }).map((text) => text.textContent));
    }""")
    assert cut == []


def test_every_control_has_a_name(opened):
    page = opened()
    choose(page, "event", "failure")
    unnamed = page.evaluate("""() => [...document.querySelectorAll(".dev-body input, .dev-body select, .dev-body button")]
      .filter((one) => !one.getAttribute("aria-label") && !one.textContent.trim()).length""")
    assert unnamed == 0
    assert page.locator(".dev-axis svg").get_attribute("aria-label").startswith("Axis of time")
