"""Chromium for the tests of pages, and what a person does on the drawing page.

def test_it(browser): page = browser.new_page()        # a fixture; needs the marker `browser`
with visiting(browser) as opened: page = opened(folder / "trace.html", 1280, 800)
draw(page, [[(80, 60), (200, 60), (120, 240)]])        # a seven
settled(page)
"""

import os
import shutil
import time
from contextlib import contextmanager
from importlib import import_module

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
SIDE = 280  # of the pad, in the units of strokes


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@contextmanager
def chromium(*options):
    """Chromium of the system, with options of its command line besides."""
    playwright = import_module("playwright.sync_api")
    program = os.environ.get("NNJAX_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert program, "no Chromium here; on Debian: apt install chromium; or NNJAX_CHROMIUM=PATH"
    with playwright.sync_playwright() as manager:
        browser = manager.chromium.launch(executable_path=program, args=["--no-sandbox", *options])
        yield browser
        browser.close()


@contextmanager
def visiting(browser):
    """Gives a function that opens a file without a network; fails at the end if there was an error, a message or a request."""
    contexts, complaints = [], []

    def opened(path, width, height, **settings):
        context = browser.new_context(viewport={"width": width, "height": height}, offline=True, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: request.url.startswith(("file:", "data:")) or complaints.append(request.url))
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def draw(page, strokes):
    """Draws strokes on the pad with the mouse, which moves from point to point."""
    box = page.locator("#pad").bounding_box()
    for stroke in strokes:
        places = [(box["x"] + x * box["width"] / SIDE, box["y"] + y * box["height"] / SIDE) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place)
        page.mouse.up()


def settled(page):
    """Waits until the page has asked for its newest drawing, and has the answer."""
    until(page, "!asking.busy && asking.sent === state.changes")


def until(page, condition):
    """Waits until JavaScript is true; Playwright's own way needs eval, which the page's policy forbids."""
    deadline = time.monotonic() + 30
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(20)
