"""A server in a thread, on a port of its own, with a model by hand."""

import http.client
import json
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from nnjax.config.serve_options import ServerSettings
from nnjax.serving.facts import InputFacts, ModelFacts
from nnjax.serving.server.listening import Server, bound
from nnjax.serving.server.request_log import RequestLog
from nnjax.serving.server.server_app import make_app

SHAPE = (4, 4, 1)


def facts_of(name="squares", **changes):
    inputs = InputFacts(shape=SHAPE, dtype="uint8", preparation="plain", largest=255.0)
    values = {
        "name": name,
        "task": "classification",
        "inputs": inputs,
        "labels": ("top left", "top right", "bottom left", "bottom right"),
        "num_outputs": 4,
        "num_trials": 1,
        "from_logits": True,
        "temperatures": (1.0,),
        "series": None,
        "metrics": {"accuracy": 1.0},
        "calibration": None,
        "provenance": {},
    }
    return ModelFacts(**values | changes)


class Network:
    """The brightest quarter of a 4 × 4 picture; notes the sizes of the batches."""

    def __init__(self):
        self.run = []
        self.hook = lambda inputs: None

    def __call__(self, inputs):
        self.run.append(len(inputs))
        self.hook(inputs)
        return self.logits(inputs)

    def logits(self, inputs):
        quarters = inputs.astype(np.float32).reshape(-1, 2, 2, 2, 2).mean(axis=(2, 4)).reshape(-1, 4)
        return quarters[np.newaxis] / 16


class Compiled(Network):
    """The same, compiled by JAX; notes each batch size that is traced."""

    def __init__(self):
        super().__init__()
        import jax  # here, since a process without it starts in half the time

        self.traced, compute = [], super().logits

        def traced(inputs):
            self.traced.append(len(inputs))
            return compute(inputs)

        self.jitted = jax.jit(traced)

    def logits(self, inputs):
        return np.asarray(self.jitted(inputs))


def square(quarter, light=255):
    """A picture whose quarter is light."""
    picture = np.zeros(SHAPE, np.uint8)
    row, column = divmod(quarter, 2)
    picture[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = light
    return picture


@dataclass(frozen=True)
class Served:
    """A running server.

    Attributes:
        port: on 127.0.0.1.
        app: the app.
        server: of uvicorn.
        log: the file of the log.
    """

    port: int
    app: object
    server: object
    log: object

    def connect(self, timeout=20):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, method, path, body=None, headers=None):
        """Status, headers, and the body as JSON where it is JSON."""
        connection = self.connect()
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            text = response.read()
            is_json = response.headers["content-type"] == "application/json"
            return response.status, dict(response.headers), json.loads(text) if is_json else text
        finally:
            connection.close()

    def post(self, value, path="/predict", **headers):
        return self.ask("POST", path, json.dumps(value), {"content-type": "application/json"} | headers)

    def labels(self, inputs):
        status, _, answer = self.post({"inputs": inputs.tolist()})
        assert status == 200, answer
        return [one["label"] for one in answer["answers"]]


def wait_for(condition, seconds=20):
    """Until the condition holds."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.002)


@contextmanager
def running(models, settings=None, token=None, log=None, *, ready=True, proxies=None):
    """Serves in a thread until the end of the context, and drains."""
    settings = settings or ServerSettings()
    settings = replace(settings, port=0, log=False)
    lines = RequestLog(log or sys.stderr, quiet=log is None)
    app = make_app(models, settings, token, lines, proxies=proxies)
    server = Server(app, settings, lambda line: None)
    with bound(settings) as sock:
        port = sock.getsockname()[1]
        thread = threading.Thread(target=server.run, args=([sock],))
        thread.start()
        try:
            limit = time.monotonic() + 20
            while not server.started or (ready and app.state.phase == "starting"):
                assert thread.is_alive()
                assert time.monotonic() < limit
                time.sleep(0.005)
            yield Served(port, app, server, log)
        finally:
            server.stop("SIGTERM")
            thread.join(20)
            lines.close()
            assert not thread.is_alive()
