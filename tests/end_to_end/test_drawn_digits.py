"""Digits drawn on the page of a real server, in a real browser, and what the shipped experiments make of them."""

import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from browsing import chromium, draw, settled, until
from commands import ROOT, environment, start
from drawn_digits import drawn_digits
from real_data import REAL_DATA
from time_limits import killed_after

ALL_FRAMES = ("--disable-frame-rate-limit", "--disable-gpu-vsync")
SEVEN = [[(80, 60), (140, 60), (200, 60), (160, 150), (120, 240)]]


@pytest.fixture(scope="module")
def browser():
    """Chromium that takes a move of the pointer at once, and not at the next of sixty frames a second: there are 2175 moves."""
    with chromium(*ALL_FRAMES) as browser:
        yield browser


@contextmanager
def server(run, folder, port=0):
    """`experiments.serve` in a process of its own: yields its address; it ends by SIGTERM, with exit code 0."""
    command = [sys.executable, "-m", "experiments.serve", f"run={run}", f"port={port}", f"hydra.run.dir={folder}"]
    more = {"TFDS_DATA_DIR": str(REAL_DATA)}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        said = []
        with killed_after(process):
            for line in process.stdout:
                said.append(line)
                if "ready for batches" in line:
                    break
        (address,) = re.findall(r"http://127\.0\.0\.1:\d+/", "".join(said)) or pytest.fail("".join(said))
        yield address
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == 0, rest
    finally:
        process.kill()
        process.wait()


def visit(browser, address):
    """The drawing page at a phone's size; other addresses than the server's are refused, and noted."""
    # Bars that slide would be painted as often as the processor can.
    settings = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "reduced_motion": "reduce"}
    page = browser.new_context(**settings).new_page()
    elsewhere = []
    page.on("request", lambda request: request.url.startswith((address, "data:")) or elsewhere.append(request.url))
    page.goto(address)
    page.wait_for_selector("#pad")
    return page, elsewhere


def recognised(browser, run, folder):
    """How many of the fifty digits are recognised; and the others, with what the network took them for."""
    with server(run, folder) as address:
        page, elsewhere = visit(browser, address)
        wrong = []
        for number, digit in enumerate(drawn_digits()):
            page.keyboard.press("Escape")
            page.evaluate(f"document.getElementById('pen').value = {digit.pen}")
            draw(page, digit.strokes(280))
            settled(page)
            assert not page.is_visible("#state-panel"), page.inner_text("#state")
            label = page.inner_text("#label")
            if label != str(digit.label):
                wrong.append((digit.label, number % 5, label, page.inner_text("#sure")))
        assert elsewhere == []
        page.context.close()
    return 50 - len(wrong), wrong


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits") / "run"
    start("train", "model=cnn", f"hydra.run.dir={folder}")
    return folder


@pytest.mark.browser
@pytest.mark.real_data
def test_a_network_trained_on_mnist_recognises_drawn_digits(browser, tmp_path):
    data = {"TFDS_DATA_DIR": str(REAL_DATA)}
    words = ("experiment=mnist_99", "report.figures=false")  # half a minute; mnist_cnn takes many
    start("train", *words, f"hydra.run.dir={tmp_path}/run", **data)
    right, wrong = recognised(browser, tmp_path / "run", tmp_path / "serve")
    assert right >= 45, wrong


@pytest.mark.browser
def test_the_embedded_digits_train_a_weaker_network(browser, digits_run, tmp_path):
    right, wrong = recognised(browser, digits_run, tmp_path)
    assert right >= 38, wrong  # 45 were measured


@pytest.mark.browser
def test_a_server_that_stops_in_the_middle_is_found_again(browser, digits_run, tmp_path):
    with server(digits_run, tmp_path / "first") as address:
        page, _ = visit(browser, address)
        assert "weaker model" in page.inner_text("#weak")
        draw(page, SEVEN)
        settled(page)
        assert page.locator("#steps img").count() >= 2
        assert page.locator("#steps canvas:visible").count() == 1
    draw(page, [[(60, 150), (140, 150), (220, 150)]])
    page.wait_for_selector("#state-panel:not([hidden])")
    assert page.inner_text("#state").startswith("The server does not answer. Trying again in")
    port = re.search(r":(\d+)/", address)[1]
    with server(digits_run, tmp_path / "second", port):
        until(page, "document.getElementById('state-panel').hidden")
        assert page.inner_text("#label").isdigit()
    page.context.close()
