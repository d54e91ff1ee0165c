"""`experiments.serve` and `python -m nnjax.serving --http`: a run and its file answer over HTTP, and stop at a signal."""

import http.client
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest
from commands import ROOT, environment, run
from time_limits import killed_after

import nnjax
from experiments.serve import serve
from nnjax.config.errors import ConfigError
from nnjax.config.serve_options import ServeConfig

TINY = ("model=fnn", "model.hidden=[8]", "data.limit_train=80", "data.limit_test=30", "training.global_batch_size=24")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serve")
    words = ("training.duration=2epochs", "parallel.devices=1", "report.figures=false", f"hydra.run.dir={folder / 'run'}")
    run("train", *TINY, *words)
    shutil.copytree(folder / "run", folder / "again")
    run("export", f"run={folder / 'run'}", f"to={folder / 'model.nnjax'}", f"hydra.run.dir={folder / 'export'}")
    return folder


@contextmanager
def serving(*command, **env):
    """The port of a server in a process of its own, and what it printed; it must end with 0 at SIGTERM."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", *command],
        cwd=ROOT,
        env=environment(**env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = []
    try:
        with killed_after(process):
            while process.poll() is None and not (said and ": ready for batches of " in said[-1]):
                said.append(process.stdout.readline())
        found = re.search(r"http://127\.0\.0\.1:(\d+)/ serves ", "".join(said))
        assert found, process.communicate()
        yield int(found[1]), said
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
        said += [output, errors]
        assert process.returncode == 0, errors
    finally:
        process.kill()
        process.communicate()


def ask(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if response.headers["content-type"] == "application/json" else text
    finally:
        connection.close()


def wait_until_ready(port):
    limit = time.monotonic() + 60
    while ask(port, "GET", "/ready")[0] != 200:
        assert time.monotonic() < limit
        time.sleep(0.01)


def probabilities_of(port, path, inputs):
    wait_until_ready(port)
    body = json.dumps({"inputs": inputs.tolist()})
    status, answer = ask(port, "POST", path, body, **{"content-type": "application/json"})
    assert status == 200, answer
    return [one["probabilities"] for one in answer["answers"]]


@pytest.mark.slow
def test_a_run_and_its_file_answer_alike(folder):
    result = nnjax.load_run(folder / "run")
    inputs = result.dataset.test.inputs[:5]
    expected = np.stack([answer.probabilities for answer in result.model.answer(inputs)])
    runs = f"run=[{folder / 'run'},{folder / 'again'}]"
    with serving("experiments.serve", runs, "port=0", "batch=4", f"hydra.run.dir={folder / 'out'}") as (port, said):
        for name in ("fnn_digits", "fnn_digits_2"):
            found = probabilities_of(port, f"/models/{name}/predict", inputs)
            np.testing.assert_allclose(found, expected, atol=1e-5)
        assert ask(port, "GET", "/")[1].lower().startswith(b"<!doctype html>")
    assert "stopped; all accepted requests are answered\n" in said[-2]
    assert said[-1].count(" POST /models/fnn_digits") == 2
    assert "serves fnn_digits, fnn_digits_2" in (folder / "out" / "serve.log").read_text()
    with serving("nnjax.serving", str(folder / "model.nnjax"), "--http", ":0", NNJAX_TOKEN="a-token") as (port, _):
        wait_until_ready(port)
        assert ask(port, "GET", "/models")[0] == 401
        models = ask(port, "GET", "/models", authorization="Bearer a-token")[1]["models"]
        body = json.dumps({"inputs": inputs.tolist()})
        headers = {"content-type": "application/json", "authorization": "Bearer a-token"}
        status, answer = ask(port, "POST", "/predict", body, **headers)
    assert (status, [model["name"] for model in models]) == (200, ["fnn_digits"])
    np.testing.assert_allclose([one["probabilities"] for one in answer["answers"]], expected, atol=1e-5)


def test_an_address_that_cannot_be_used_is_told_before_anything_is_loaded(folder, tmp_path):
    words = (f"run={folder / 'run'}", f"hydra.run.dir={tmp_path / 'out'}")
    done = run("serve", *words, "host=192.0.2.1", check=2)
    assert done.stderr == "host=192.0.2.1: no address of this machine: Cannot assign requested address\n"
    words = (f"run={folder / 'run'}", f"hydra.run.dir={tmp_path / 'other'}")
    done = run("serve", *words, f"token_file={folder / 'none'}", check=2)
    assert done.stderr == f"token_file={folder / 'none'}: cannot be read: No such file or directory\n"


def test_a_run_that_is_not_there_is_named(folder):
    done = run("serve", f"run=[{folder / 'run'},{folder / 'none'}]", check=2)
    assert done.stderr.startswith(f"run={folder / 'none'}: no such folder")


def test_without_the_extra_the_command_that_installs_it_is_named(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("nnjax.serving.server.extra.find_spec", lambda name: None if name == "starlette" else object())
    done = run("serve", f"run={folder / 'run'}", f"hydra.run.dir={tmp_path / 'out'}", check=1)
    assert done.stderr == "the server needs starlette: pip install 'nnjax[serve]'\n"


def test_no_run_is_no_server(tmp_path):
    with pytest.raises(ConfigError, match=r"^run=\[\]: must name at least one run$"):
        serve(ServeConfig(run=()), tmp_path)
