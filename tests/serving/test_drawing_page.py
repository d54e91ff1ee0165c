"""The drawing page: its text, and, in a browser, what a person does with it. Answers are made up here."""

import base64
import hashlib
import io
import json
import re
import time
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import pytest
from browsing import draw, settled, until
from drawn_digits import drawn_digits
from PIL import Image

from nnjax.serving.page.drawing_page import page_response

SITE = "http://model.test/"
SEVEN = [[(80, 60), (140, 60), (200, 60), (160, 150), (120, 240)]]
NASTY = "</script><img src=x onerror=alert(1)>"


def picture(size=(28, 28), kind="PNG", colour=128):
    file = io.BytesIO()
    Image.new("RGB", size, (colour, 40, 200)).save(file, kind)
    return file.getvalue()


def data_url(size=(28, 28)):
    return "data:image/png;base64," + base64.b64encode(picture(size)).decode()


def model(name="mnist", shape=(28, 28, 1), preparation="mnist", labels=tuple("0123456789"), trials=1, **more):
    """A model as the server describes it."""
    facts = {"name": name, "task": "classification", "labels": labels, "num_outputs": len(labels), "num_trials": trials}
    inputs = {"shape": shape, "dtype": "uint8", "preparation": preparation, "features": [], "largest": 255.0}
    return facts | {"metrics": {"loss": 0.02, "accuracy": 0.9931}, "inputs": inputs} | more


def answer(label="7", probability=0.9, classes=10, **more):
    """An answer as the server gives it."""
    rest = (1 - probability) / (classes - 1)
    place = int(label) if label.isdigit() else 0
    numbers = [probability if index == place else rest for index in range(classes)]
    steps = [{"name": "as given", "image": data_url((64, 48))}, {"name": "as the network sees it", "image": data_url()}]
    looked = [[5.0 if row < 14 else -0.5] * 28 for row in range(28)]
    made = {"label": label, "probability": probability, "probabilities": numbers, "spread": [0.01] * classes}
    return made | {"warnings": [], "notes": ["light on dark"], "steps": steps, "looked": looked} | more


class Page(HTMLParser):
    """A page's elements."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def attributes(self, name):
        return [attributes[name] for _, attributes in self.elements if name in attributes]


@pytest.fixture(scope="module")
def text():
    return page_response().body.decode()


def test_the_page_asks_for_nothing_but_the_servers_answers(text):
    assert re.findall(r"https?://[^\s\"')]+", text) == []
    assert not re.search(r"@import|url\(|XMLHttpRequest|WebSocket|\bimport\b|innerHTML|eval\(", text)
    page = Page(text)
    assert page.attributes("src") == []
    assert set(page.attributes("href")) == {"data:,", "docs"}
    assert set(re.findall(r"fetched\(\W(\w+)", text)) == {"models", "predict"}


def test_its_policy_allows_its_own_script_and_style_and_its_own_server(text):
    status, headers, _ = page_response()
    assert status == 200
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    for tag in ("script", "style"):
        (element,) = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(element.encode()).digest()).decode()
        assert policy.pop(f"{tag}-src") == f"'sha256-{digest}'"
    assert policy.pop("connect-src") == "'self'"
    assert policy.pop("img-src") == "data: blob:"
    assert set(policy) == {"default-src", "base-uri", "form-action", "frame-ancestors"}
    assert set(policy.values()) == {"'none'"}
    page = Page(text)
    assert page.attributes("style") == []
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


def test_whatever_the_script_looks_for_is_there_once_and_labelled(text):
    page = Page(text)
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'\$\("([\w-]+)"\)', text)) <= set(ids)
    assert set(page.attributes("for")) | set(page.attributes("aria-labelledby")) <= set(ids)
    assert len(text) < 60_000


# --- In a browser: make test-browser brings Playwright, and the system's packages bring Chromium. ---


class Server:
    """Stands in for the server: answers what it is told to, and keeps what it was asked.

    Attributes:
        models: of `GET models`.
        replies: of each `POST predict` in turn, then `reply` for all others: (status, headers, JSON), or None for no answer.
        asked: the query, headers and body of each.
        times: when each came, in seconds.
    """

    def __init__(self, *models):
        self.models, self.replies, self.reply, self.asked = list(models), [], (200, {}, answer()), []
        self.times = []
        self.slow, self.token = 0.0, None
        self.hold, self.held = False, []  # with hold, a request waits in held

    def handle(self, route, request):
        path = urlsplit(request.url).path.rpartition("/")[2]
        if path == "":
            status, headers, body = page_response()
            return route.fulfill(status=status, headers=dict(headers), body=body)
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return self._send(route, (401, {}, {"error": "a token is needed"}))
        if path == "models":
            return self._send(route, (200, {}, {"models": self.models}))
        assert path == "predict"
        self.times.append(time.monotonic())
        self.asked.append((parse_qs(urlsplit(request.url).query), request.headers, request.post_data_buffer))
        if self.hold:
            return self.held.append(route)
        time.sleep(self.slow)
        return self._send(route, self.replies.pop(0) if self.replies else self.reply)

    @staticmethod
    def _send(route, reply):
        if reply is None:
            return route.abort("connectionrefused")
        status, headers, values = reply
        values = {"model": "mnist", "answers": [values]} if "spread" in values else values
        return route.fulfill(status=status, headers={"content-type": "application/json"} | headers, body=json.dumps(values))


@pytest.fixture
def visit(browser):
    """Opens the page before a server; fails at the end if there was an error in the page or a request to elsewhere."""
    contexts, complaints = [], []

    def opened(server, width=1280, site=SITE, **settings):
        context = browser.new_context(viewport={"width": width, "height": 800}, **settings)
        contexts.append(context)
        context.route(lambda url: url.startswith("http"), server.handle)
        page = context.new_page()
        page.on("console", lambda message: "Failed to load resource" in message.text or complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: request.url.startswith((site, "data:", "blob:")) or complaints.append(request.url))
        page.goto(site)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def wait_for(page, condition):
    """Until the condition holds; the browser's events come in meanwhile."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def sent(server):
    """The last picture that the server got."""
    return Image.open(io.BytesIO(server.asked[-1][2]))


@pytest.mark.browser
def test_a_drawing_is_answered_while_it_is_drawn(visit):
    server = Server(model(trials=3))
    page = visit(server)
    page.wait_for_selector("#pad")
    assert page.title() == "Draw a digit · mnist"
    assert "right on 99.31 % of its test examples · mean of 3 networks" in page.inner_text("#strength")
    draw(page, SEVEN)
    settled(page)
    assert len(server.asked) > 1
    query, headers, _ = server.asked[-1]
    assert (query, headers["content-type"]) == ({"model": ["mnist"], "explain": ["true"]}, "image/png")
    image = sent(server).convert("L")
    assert image.size == (280, 280)
    assert [image.getpixel(place) for place in ((140, 60), (160, 150), (120, 239), (20, 20), (60, 200))] == [
        255,
        255,
        255,
        0,
        0,
    ]
    assert page.inner_text("#label") == "7"
    assert page.inner_text("#sure") == "90.0 %"
    rows = page.locator("#bars tr")
    assert [[cell.strip() for cell in row.split("\t")] for row in rows.all_inner_texts()] == [
        [str(digit), "", f"{90.0 if digit == 7 else 1.1} % ± 1.0"] for digit in range(10)
    ]
    widths = [rows.nth(index).locator(".fill").bounding_box()["width"] for index in (0, 7)]
    assert 50 < widths[1] / widths[0] < 120
    assert page.locator("#steps figcaption").all_inner_texts() == ["as given", "as the network sees it"]
    assert page.inner_text("#notes") == "light on dark"
    assert page.inner_text("#looked") == (
        "Orange speaks for 7: with such a part covered, its odds fall, by a factor of up to 150. "
        "Blue speaks against it: covered, they rise, by a factor of up to 1.6."
    )
    assert page.locator("#steps canvas:visible").count() == 1
    page.uncheck("#look")
    assert page.locator("#steps canvas:visible").count() == 0
    until(page, "document.getElementById('said').textContent === '7, 90 %.'")


@pytest.mark.browser
def test_a_finger_draws_and_does_not_scroll(visit):
    server = Server(model())
    page = visit(server, 360, has_touch=True, is_mobile=True)
    page.wait_for_selector("#pad")
    box = page.locator("#pad").bounding_box()
    session = page.context.new_cdp_session(page)
    x, y = box["x"] + box["width"] / 2, box["y"]
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y + 200}]})
    for step in range(1, 10):
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y + 200 - 16 * step}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    settled(page)
    assert page.evaluate("scrollY") == 0
    image = sent(server).convert("L")
    assert [image.getpixel((140, place)) for place in (60, 110, 160)] == [255, 255, 255]


@pytest.mark.browser
def test_undo_and_clear_by_button_and_by_key(visit):
    server = Server(model())
    page = visit(server)
    page.wait_for_selector("#pad")
    assert page.is_disabled("#undo")
    assert page.is_disabled("#clear")
    draw(page, [((50, 50), (50, 200)), ((150, 50), (150, 200)), ((250, 50), (250, 200))])
    settled(page)
    columns = lambda: [sent(server).convert("L").getpixel((x, 100)) for x in (50, 150, 250)]  # noqa: E731
    assert columns() == [255, 255, 255]
    page.click("#undo")
    settled(page)
    assert columns() == [255, 255, 0]
    page.keyboard.press("Control+z")
    settled(page)
    assert columns() == [255, 0, 0]
    asked = len(server.asked)
    page.keyboard.press("Escape")
    settled(page)
    assert len(server.asked) == asked
    assert page.inner_text("#label") == ""
    assert page.is_disabled("#clear")
    assert not page.is_visible("#way")


@pytest.mark.browser
def test_the_pen_has_a_width(visit):
    server = Server(model())
    page = visit(server)
    page.wait_for_selector("#pad")
    widths = []
    for key in ("Home", "End"):
        page.focus("#pen")
        page.keyboard.press(key)
        draw(page, [((140, 40), (140, 240))])
        settled(page)
        image = sent(server).convert("L")
        widths.append(sum(image.getpixel((x, 140)) > 127 for x in range(280)))
        page.click("#clear")
    assert widths == [8, 40]


@pytest.mark.browser
def test_the_newest_drawing_is_asked_and_an_old_answer_is_dropped(visit):
    server = Server(model())
    server.slow = 0.4
    page = visit(server)
    page.wait_for_selector("#pad")
    page.evaluate(
        """() => { window.open_ = window.most_ = 0; window.fetch = ((real) => async (...words) => {
            most_ = Math.max(most_, ++open_);
            try { return await real(...words); } finally { open_ -= 1; }
        })(window.fetch); }"""
    )
    for x in range(20, 260, 20):  # a dozen strokes
        draw(page, [((x, 40), (x, 240))])
    settled(page)
    assert page.evaluate("most_") == 1  # one request at a time
    assert len(server.asked) < 12 + 12 * 2  # and not one for each event
    assert sent(server).convert("L").getpixel((240, 100)) == 255
    page.click("#clear")
    server.hold = True
    draw(page, SEVEN)
    wait_for(page, lambda: server.held)
    page.click("#clear")
    for route in server.held:
        server._send(route, server.reply)
    page.wait_for_timeout(300)
    assert page.inner_text("#label") == ""


@pytest.mark.browser
def test_a_picture_is_chosen_by_keyboard(visit, tmp_path):
    server = Server(model())
    page = visit(server)
    page.wait_for_selector("#pad")
    (tmp_path / "seven.png").write_bytes(picture())
    choosers = []
    page.on(
        "filechooser", lambda chooser: choosers.append(chooser)
    )  # long before the key: Chromium is told of it asynchronously
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "file":
            break
    page.keyboard.press("Enter")
    wait_for(page, lambda: choosers)
    choosers[0].set_files(tmp_path / "seven.png")
    until(page, "state.picture !== null")
    settled(page)
    assert [(headers["content-type"], body) for _, headers, body in server.asked] == [("image/png", picture())]
    assert page.is_visible("#given")
    assert page.inner_text("#label") == "7"
    page.click("#clear")
    assert not page.is_visible("#given")


@pytest.mark.parametrize("way", ["drop", "paste"])
@pytest.mark.browser
def test_a_picture_is_dropped_or_pasted(visit, way):
    server = Server(model())
    page = visit(server)
    page.wait_for_selector("#pad")
    draw(page, SEVEN)
    settled(page)
    left_to_the_browser = page.evaluate(
        """([way, content]) => {
            const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], "cat.jpg", { type: "image/jpeg" }));
            const event = way === "drop" ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
              : new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
            return document.body.dispatchEvent(event);
        }""",
        [way, base64.b64encode(picture(kind="JPEG")).decode()],
    )
    settled(page)
    assert left_to_the_browser == (way == "paste")  # which would leave the page for a dropped file
    assert server.asked[-1][1]["content-type"] == "image/jpeg"
    assert server.asked[-1][2] == picture(kind="JPEG")
    assert page.is_visible("#given")
    draw_box = page.locator("#given").bounding_box()
    assert abs(draw_box["width"] - draw_box["height"]) < 1


@pytest.mark.browser
def test_a_large_photo_is_made_smaller_before_it_is_sent(visit, tmp_path):
    server = Server(model())
    page = visit(server)
    page.wait_for_selector("#pad")
    Image.effect_noise((3000, 2000), 90).save(tmp_path / "photo.png")
    assert (tmp_path / "photo.png").stat().st_size > 2**20
    page.set_input_files("#file", tmp_path / "photo.png")
    page.wait_for_selector("#steps img")
    assert sent(server).size == (1600, 1067)
    assert server.asked[-1][1]["content-type"] == "image/jpeg"


@pytest.mark.browser
def test_a_large_transparent_picture_stays_transparent(visit, tmp_path):
    server = Server(model())
    page = visit(server)
    page.wait_for_selector("#pad")
    drawn = Image.effect_noise((2000, 1000), 90).convert("RGBA")
    drawn.putalpha(Image.linear_gradient("L").resize(drawn.size).point(lambda value: 255 * (value > 127)))
    drawn.save(tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").stat().st_size > 2**20
    page.set_input_files("#file", tmp_path / "drawn.png")
    page.wait_for_selector("#steps img")
    assert sent(server).size == (1600, 800)
    alpha = sent(server).getchannel("A")
    assert (alpha.getpixel((800, 100)), alpha.getpixel((800, 700))) == (0, 255)


@pytest.mark.browser
def test_what_is_not_finite_moves_no_bar(visit):
    server = Server(model(), model("values", preparation="plain", labels=(), task="regression", num_outputs=1))
    page = visit(server)
    page.wait_for_selector("#pad")
    draw(page, SEVEN)
    settled(page)
    nothing = {"label": None, "probability": None, "probabilities": [None] * 10, "spread": [None] * 10, "values": [None]}
    server.reply = (200, {}, answer(warnings=["no finite numbers"]) | nothing)
    draw(page, SEVEN)
    settled(page)
    assert page.inner_text("#label") == ""
    assert page.locator("#bars .number").all_inner_texts() == ["–"] * 10
    bars = "[...document.querySelectorAll('.fill')].map((bar) => bar.style.transform)"
    assert page.evaluate(bars) == ["scaleX(0)"] * 10
    page.select_option("#model", "values")
    page.set_input_files("#file", {"name": "cat.png", "mimeType": "image/png", "buffer": picture()})
    page.wait_for_selector("#steps img")
    assert page.locator("#bars .number").all_inner_texts() == ["–"]
    assert page.inner_text("#warnings") == "no finite numbers"


@pytest.mark.browser
def test_an_answer_that_breaks_off_is_asked_for_again(visit):
    page = visit(Server(model()))
    page.wait_for_selector("#pad")
    page.clock.install()
    page.evaluate(
        """() => { window.fetch = async (url, { signal }) => new Response(new ReadableStream({
            start: (body) => signal.addEventListener("abort", () => body.error(signal.reason)) })); }"""
    )
    draw(page, SEVEN)
    page.clock.fast_forward(15_000)
    page.wait_for_selector("#state-panel:not([hidden])")
    assert page.inner_text("#state") == "The server does not answer. Trying again in 1 s."


@pytest.mark.browser
def test_a_picture_that_is_refused_is_not_sent_again(visit):
    server = Server(model())
    server.reply = (400, {}, {"error": "the picture is damaged: it ends after 70 bytes"})
    page = visit(server)
    page.wait_for_selector("#pad")
    page.set_input_files("#file", {"name": "bad.png", "mimeType": "image/png", "buffer": b"no picture"})
    page.wait_for_selector("#state-panel:not([hidden])")
    assert page.inner_text("#state") == "the picture is damaged: it ends after 70 bytes"
    assert not page.is_visible("#again")
    page.wait_for_timeout(1500)
    assert len(server.asked) == 1
    page.keyboard.press("Escape")
    assert not page.is_visible("#state-panel")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (
            (429, {"retry-after": "1"}, {"error": "the queue is full"}),
            "The server is busy: the queue is full Trying again in 1 s.",
        ),
        ((503, {}, {"error": "the server is stopping"}), "The server is busy: the server is stopping Trying again in 1 s."),
        (None, "The server does not answer. Trying again in 1 s."),
    ],
)
@pytest.mark.browser
def test_a_server_that_is_busy_or_gone_is_asked_again(visit, reply, said):
    server = Server(model())
    page = visit(server)
    page.wait_for_selector("#pad")
    server.reply = reply
    draw(page, [SEVEN[0][:2]])
    page.wait_for_selector("#state-panel:not([hidden])")
    assert page.inner_text("#state") == said
    draw(page, SEVEN)  # is not asked at once
    page.wait_for_timeout(300)
    server.reply = (200, {}, answer("3"))
    page.wait_for_selector("#state-panel", state="hidden")
    assert page.inner_text("#label") == "3"
    assert server.times[1] - server.times[0] > 0.99
    server.reply = reply
    draw(page, SEVEN)
    page.wait_for_selector("#again")
    server.reply = (200, {}, answer("4"))
    page.click("#again")
    until(page, "document.getElementById('label').textContent === '4'")


@pytest.mark.browser
def test_a_token_is_asked_for_and_kept_for_the_tab(visit):
    server = Server(model())
    server.token = "secret"
    page = visit(server)
    page.wait_for_selector("#locked:not([hidden])")
    assert page.evaluate("document.activeElement.id") == "token"
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#locked:not([hidden])")
    page.keyboard.type("secret")
    page.keyboard.press("Enter")
    page.wait_for_selector("#pad:visible")
    draw(page, SEVEN)
    settled(page)
    assert page.inner_text("#label") == "7"
    page.reload()
    page.wait_for_selector("#pad:visible")
    assert not page.is_visible("#locked")


@pytest.mark.browser
def test_each_kind_of_model_has_its_own_input(visit):
    classes = [f"class {number}" for number in range(100)]
    series = {"name": "passengers", "last": ["1960-12"], "known": 144, "needed": 25}
    server = Server(
        model(),
        model("weak", (8, 8, 1), "digits"),
        model("cifar100", (32, 32, 3), "plain", classes),
        model("airline", (13, 1), None, [], task="regression", num_outputs=1, series=series),
        model("iris", (4,), None, ["a", "b"]) | {"series": None},
    )
    page = visit(server)
    page.wait_for_selector("#choice:not([hidden])")
    assert not page.is_visible("#weak")
    page.select_option("#model", "weak")
    assert page.is_visible("#pad")
    assert "weaker model for digits" in page.inner_text("#weak")
    page.select_option("#model", "cifar100")
    assert not page.is_visible("#pad")
    assert not page.is_visible("#weak")
    assert page.title() == "Give a picture · cifar100"
    server.reply = (200, {}, answer("class 42", classes=100, probability=0.4) | {"looked": None})
    page.set_input_files("#file", {"name": "cat.png", "mimeType": "image/png", "buffer": picture()})
    page.wait_for_selector("#steps img")
    assert page.locator("#bars tr").count() == 10
    assert page.inner_text("#rest") == "90 further classes are less probable."
    assert not page.is_visible("#look")
    page.select_option("#model", "airline")
    assert not page.is_visible("#input")
    assert not page.is_visible("#output")
    assert "passengers; send it the last 25 values" in page.inner_text("#rows-text")
    assert json.loads(re.search(r"-d '(.*?)'", page.inner_text("#curl"))[1]) == {"rows": [1] * 25}
    page.select_option("#model", "iris")
    command = page.inner_text("#curl")
    assert json.loads(re.search(r"-d '(.*?)'", command)[1]) == {"rows": [[0, 0, 0, 0]]}
    assert command.endswith(f"'{SITE}predict?model=iris'")
    page.select_option("#model", "mnist")
    assert page.is_visible("#pad")
    assert page.inner_text("#label") == ""


@pytest.mark.browser
def test_a_doubtful_answer_carries_its_warnings(visit):
    server = Server(model())
    server.reply = (200, {}, answer(warnings=["unlike the training data"]))
    page = visit(server)
    page.wait_for_selector("#pad")
    draw(page, SEVEN)
    settled(page)
    assert page.inner_text("#sure") == "90.0 %, with a warning"
    assert page.inner_text("#warnings") == "unlike the training data"
    until(page, "document.getElementById('said').textContent.includes('Warning: unlike the training data')")


@pytest.mark.parametrize("width", [1280, 390, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.browser
def test_nothing_is_wider_than_the_screen(visit, width, scheme):
    server = Server(model("a name much longer than any box" * 3, trials=3), model("weak", (8, 8, 1), "digits"))
    server.reply = (200, {}, answer(warnings=["unlike the training data " * 5, "x" * 200], notes=["y" * 200]))
    page = visit(server, width, color_scheme=scheme)
    page.wait_for_selector("#pad")
    draw(page, SEVEN)
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    light = page.evaluate("Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])") > 128
    assert light == (scheme == "light")
    page.select_option("#model", "weak")
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize(("motion", "property_"), [("reduce", "all"), ("no-preference", "transform")])
@pytest.mark.browser
def test_bars_move_only_where_motion_is_welcome(visit, motion, property_):
    page = visit(Server(model()), reduced_motion=motion)
    page.wait_for_selector("#bars tr", state="attached")
    assert page.evaluate("getComputedStyle(document.querySelector('.fill')).transitionProperty") == property_


@pytest.mark.browser
def test_markup_in_names_is_shown_as_it_is(visit):
    labels = [NASTY, *"123456789"]
    server = Server(model(NASTY, labels=labels), model("other"))
    server.reply = (200, {}, answer(warnings=[NASTY], notes=[NASTY]) | {"label": NASTY})
    page = visit(server)
    page.wait_for_selector("#pad")
    draw(page, SEVEN)
    settled(page)
    assert page.text_content("#label") == NASTY
    assert page.text_content("#warnings") == NASTY
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.browser
def test_it_works_below_a_prefix(visit):
    server = Server(model())
    page = visit(server, site=SITE + "some/prefix/")
    page.wait_for_selector("#pad")
    draw(page, SEVEN)
    settled(page)
    assert page.inner_text("#label") == "7"


@pytest.mark.browser
def test_a_server_that_starts_late_is_found(visit):
    server = Server(model())
    server.token = "none yet"
    server.models = []
    page = visit(server)
    page.wait_for_selector("#locked:not([hidden])")
    server.token, server.models = None, [model()]
    page.fill("#token", "x")
    page.click("#locked button")
    page.wait_for_selector("#pad:visible")


def test_the_digits_keep_within_the_pad_and_differ():
    digits = list(drawn_digits())
    assert [digit.label for digit in digits] == [label for label in range(10) for _ in range(5)]
    assert len({json.dumps(digit.strokes(280)) for digit in digits}) == 50
    assert len({digit.pen for digit in digits}) == 5
    for digit in digits:
        assert all(
            digit.pen / 2 <= value <= 280 - digit.pen / 2
            for stroke in digit.strokes(280)
            for point in stroke
            for value in point
        )
