"""docs/12-production.md: its commands run one after another, as a reader types them, and print what the page shows."""

import json
import re
import shlex
import socket
import subprocess
import sys
import urllib.request

import pytest
from commands import ROOT, environment, run
from test_tour import DOCS, alike, normal
from time_limits import killed_after

PAGE = DOCS / "12-production.md"
BLOCK = r"^```(bash|text|json)\n(.*?)^```"


def steps():
    """Each command with what the page shows below it, which may be nothing, and the language of that."""
    found = []
    for language, text in re.findall(BLOCK, PAGE.read_text(), re.MULTILINE | re.DOTALL):
        if language == "bash":
            found += [(line, "", "text") for line in text.splitlines()]
        else:
            found[-1] = (found[-1][0], text, language)
    return found


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def curl(words):
    """The answer to a command of curl with -H, --data-binary @FILE and an address; a machine may have no curl."""
    header, value = words[words.index("-H") + 1].split(": ")
    body = (ROOT / words[words.index("--data-binary") + 1].removeprefix("@")).read_bytes()
    with urllib.request.urlopen(urllib.request.Request(words[-1], body, {header: value}), timeout=60) as answer:
        return answer.read().decode()


def served(words):
    """A server as a process of its own, once it is ready."""
    command = [sys.executable, *words[1:]]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True)
    with killed_after(process):
        assert any("ready for batches" in line for line in process.stdout)
    return process


def lines_are_shown(text, printed):
    """Whether the lines of the page come in the output, in order; numbers may differ as two machines do."""
    lines = iter(normal(printed.splitlines()))
    for expected in normal(text.splitlines()):
        assert expected == "…" or any(alike(expected, line) for line in lines), f"{expected!r} does not come in\n{printed}"


def json_is_shown(text, printed):
    """Whether an answer has the parts and the label that the page shows."""
    (expected,), (found,) = (json.loads(one)["answers"] for one in (text, printed))
    assert found.keys() == expected.keys()
    assert found["label"] == expected["label"]
    assert found["notes"] == expected["notes"]
    assert found["probability"] == pytest.approx(expected["probability"], abs=0.1)


@pytest.mark.slow
def test_the_page_from_top_to_bottom(tmp_path):
    port, server, number = free_port(), None, 0
    try:
        for command, text, language in steps():
            number += 1
            words = shlex.split(command.replace("outputs/", f"{tmp_path}/").replace(":8080", f":{port}"))
            if words[0] == "curl":
                printed = curl(words)
            elif "--http" in words:
                server, printed = served(words), ""
            elif words[2] == "nnjax.serving":
                done = subprocess.run(
                    [sys.executable, *words[1:]], cwd=ROOT, env=environment(), stdout=-1, text=True, check=True
                )
                printed = done.stdout
            else:
                verb = words[2].removeprefix("experiments.")
                folder = (
                    [] if any(word.startswith("hydra.run.dir=") for word in words) else [f"hydra.run.dir={tmp_path}/{number}"]
                )
                printed = run(verb, *words[3:], *folder, COLUMNS="100").stdout
            (json_is_shown if language == "json" else lines_are_shown)(text, printed)
    finally:
        if server is not None:
            server.terminate()
            server.communicate(timeout=60)
    assert number == 8
    assert server.returncode == 0


def test_what_the_page_says_of_the_deployment_is_there():
    text = PAGE.read_text()
    manifest = (ROOT / "deploy" / "kubernetes.yaml").read_text()
    assert "gives 35 seconds in all" in text
    assert "terminationGracePeriodSeconds: 35" in manifest
    assert "waits 5 seconds" in text
    assert '[sleep, "5"]' in manifest
    assert re.search(r"docker build --file deploy/Dockerfile --build-arg MODEL=model\.nnjax", text)
    assert "queue=256" in text
    assert "queue: 256 " in (ROOT / "conf" / "serve.yaml").read_text()
