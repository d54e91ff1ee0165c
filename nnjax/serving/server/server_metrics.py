"""What a server counts, as Prometheus reads it.

metrics = ServerMetrics(state, ["digits"])
metrics.request("/predict", 200, seconds=0.004)
metrics.text()                                         # b"# HELP nnjax_http_requests_total ..."
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from nnjax.serving.server.server_state import ServerState

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_EXAMPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class _ModelMetrics:
    examples: Counter
    doubted: Counter
    batch_examples: Histogram
    batch_seconds: Histogram


class ServerMetrics:
    """The metrics of one server; labels take values of the server's own only, so that no client makes new series."""

    def __init__(self, state: ServerState, models: Iterable[str]) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._requests = Counter("nnjax_http_requests", "Requests by path and status", ["path", "status"], registry=registry)
        self._counted: dict[tuple[str, int], Counter] = {}
        self._seconds = Histogram(
            "nnjax_http_request_seconds", "Seconds of a request", ["path"], buckets=_SECONDS, registry=registry
        )
        examples = Counter("nnjax_examples", "Answered examples", ["model"], registry=registry)
        doubted = Counter("nnjax_doubted_examples", "Answered examples with a warning", ["model"], registry=registry)
        sizes = Histogram("nnjax_batch_examples", "Examples of a batch", ["model"], buckets=_EXAMPLES, registry=registry)
        seconds = Histogram("nnjax_batch_seconds", "Seconds of a batch", ["model"], buckets=_SECONDS, registry=registry)
        self._models = {
            name: _ModelMetrics(examples.labels(name), doubted.labels(name), sizes.labels(name), seconds.labels(name))
            for name in models
        }
        waiting = Gauge("nnjax_queue_examples", "Examples that are accepted and not answered", registry=registry)
        waiting.set_function(lambda: state.examples)
        Gauge("nnjax_ready", "1 while requests are accepted", registry=registry).set_function(
            lambda: float(state.phase == "ready")
        )

    def request(self, path: str, status: int, seconds: float | None) -> None:
        """Counts a request; `path` is a route's, and `seconds` None where it was refused before it came to the app."""
        if (path, status) not in self._counted:
            self._counted[path, status] = self._requests.labels(path, status)
        self._counted[path, status].inc()
        if seconds is not None:
            self._seconds.labels(path).observe(seconds)

    def answered(self, model: str, examples: int, doubted: int) -> None:
        """Counts answers of a model, and those among them that came with a warning."""
        self._models[model].examples.inc(examples)
        self._models[model].doubted.inc(doubted)

    def observer(self, model: str) -> Callable[[int, float], None]:
        """Returns what a model's batches are told to: their examples and seconds."""
        return partial(self._batch, model)

    def _batch(self, model: str, examples: int, seconds: float) -> None:
        self._models[model].batch_examples.observe(examples)
        self._models[model].batch_seconds.observe(seconds)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)
