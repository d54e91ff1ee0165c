"""The ASGI app: routes, and the way of a request for an answer.

app = make_app({"digits": model}, ServerSettings())
app.state.phase                                        # "starting", until every batch size is compiled

A request for an answer is refused while the server starts or stops (503) and where the queue is full (429), before its body is
read; then its body is read within bounds, its pictures are prepared in a pool of threads, and its inputs join a batch.
"""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from nnjax.config.cores import num_cores
from nnjax.config.errors import UserError
from nnjax.config.serve_options import ServerSettings
from nnjax.serving.model import Model
from nnjax.serving.page.drawing_page import page_response
from nnjax.serving.series_values import next_value
from nnjax.serving.server.answer_json import answer_values, explanation_values, model_values
from nnjax.serving.server.api_page import api_page
from nnjax.serving.server.gate import NOTES, Gate, Headers, whole_response
from nnjax.serving.server.openapi import api_document
from nnjax.serving.server.request_error import RequestError, request_error_of
from nnjax.serving.server.request_inputs import Taken, is_quick, read_body
from nnjax.serving.server.request_log import RequestLog
from nnjax.serving.server.responses import failed, flag, json_response, listed, not_routed, refused
from nnjax.serving.server.served_model import EXPLAINED, ServedModel
from nnjax.serving.server.server_metrics import CONTENT_TYPE, ServerMetrics
from nnjax.serving.server.server_state import Admission, ServerState, queue_full

_STUCK = 120.0  # seconds after which a batch counts as stuck, and the server as dead
_GONE = 499  # of a client that has closed its connection; no standard status

Say = Callable[[str], None]


class ServerApp:
    """The app, with what the process around it needs.

    Args:
        models: by name.
        settings: batches and limits.
        token: that requests must bring.
        proxies: see `own_hosts`.
        log: of lines, one a request.
        say: called with a line about the start of each model.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        settings: ServerSettings,
        token: str | None,
        proxies: frozenset[str] | None,
        log: RequestLog,
        say: Say,
    ) -> None:
        self.state = ServerState(settings.queue, settings.body)
        self._settings, self._say = settings, say
        self._full = queue_full()
        self._full_response = whole_response(self._full)
        self._worker = ThreadPoolExecutor(1, "nnjax-worker")
        self._readers = ThreadPoolExecutor(_readers(), "nnjax-reader")
        self._metrics = ServerMetrics(self.state, models)
        self._models = {
            name: ServedModel(model, settings, self._worker, self._metrics.observer(name)) for name, model in models.items()
        }
        self._document = api_document([model.facts for model in self._models.values()], settings)
        routes = [
            Route("/", self._page),
            Route("/docs", self._docs),
            Route("/health", self._health),
            Route("/metrics", self._numbers),
            Route("/models", self._list),
            Route("/models/{name}", self._facts),
            Route("/models/{name}/predict", self._predict, methods=["POST"]),
            Route("/openapi.json", self._openapi),
            Route("/predict", self._predict, methods=["POST"]),
            Route("/ready", self._ready),
        ]
        handlers: Any = {RequestError: refused, HTTPException: not_routed, Exception: failed}
        self._routes = Starlette(routes=routes, exception_handlers=handlers, lifespan=self._lifespan)
        self._routes.router.redirect_slashes = False  # to an address that a client's header names
        self._gate = Gate(self._routes, token, proxies, log, self._metrics.request)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await self._gate(scope, receive, send)

    def refusal(self, client: Any, url: bytes, headers: Headers) -> bytes | None:
        """The response to a request for an answer while the queue is full, counted and logged; see `connection.Refusing`."""
        if not self.state.is_full or not self._gate.admits(headers):
            return None
        path = url.partition(b"?")[0].decode("latin-1")
        self._gate.refused({"client": client, "method": "POST", "path": path}, "/predict", self._full)
        return self._full_response

    def turned_away(self, client: Any, error: RequestError) -> None:
        """Counts and logs a connection that is closed without an answer to a request; see `connection.Refusing`."""
        self._gate.refused({"client": client, "method": "-", "path": "-"}, "none", error)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        starting = asyncio.create_task(self._start())
        yield
        starting.cancel()
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def _start(self) -> None:
        """Compiles all models in the worker's thread; the server answers probes meanwhile."""
        loop = asyncio.get_running_loop()
        try:
            for name, model in self._models.items():
                start = loop.time()
                await loop.run_in_executor(self._worker, model.warm_up)
                self._say(f"{name}: ready for batches of {listed(model.sizes)} in {loop.time() - start:.1f} s")
        except Exception as error:
            self.state.phase, self.state.failure = "failed", error
            return
        gc.collect()
        gc.freeze()  # later collections pass over all that has been made so far, which takes a tenth of a second each time
        if self.state.phase == "starting":
            self.state.phase = "ready"

    async def _predict(self, request: Request) -> Response:
        name = request.path_params.get("name") or request.query_params.get("model")
        notes = request.scope[NOTES]
        notes["path"] = "/predict" if "name" not in request.path_params else "/models/{name}/predict"
        model = self._named(name)
        explain = flag(request, "explain")
        self.state.check_ready()
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise RequestError(415, "Content-Encoding: must be none")
        with self.state.accepted() as admission:
            body = await self._body(request, admission)
            try:
                async with asyncio.timeout(self._settings.timeout):
                    answers = await self._answers(model, body, request, admission, explain=explain)
            except TimeoutError:
                raise RequestError(503, f"no answer within {self._settings.timeout:g} s", retry_after=5) from None
        notes["model"], notes["examples"] = model.facts.name, len(answers)
        self._metrics.answered(model.facts.name, len(answers), sum(bool(answer["warnings"]) for answer in answers))
        return json_response({"model": model.facts.name, "answers": answers})

    async def _answers(
        self, model: ServedModel, body: bytes, request: Request, admission: Admission, *, explain: bool
    ) -> list[dict[str, Any]]:
        content_type = request.headers.get("content-type", "")
        with model.batcher.coming():
            taken = await self._read(body, content_type, model, steps=explain)
            admission.grow(len(taken.inputs) * (EXPLAINED if explain and model.explains else 1))
        try:
            given = await model.answer(taken.inputs)
        except UserError as error:
            raise request_error_of(error) from None
        if taken.last is not None and model.facts.series is not None:
            given = [next_value(answer, taken.last, model.facts.series) for answer in given]
        seen = taken.seen or (None,) * len(given)
        answers = [answer_values(answer, model.facts, one) for answer, one in zip(given, seen, strict=True)]
        if explain:
            for values, inputs, answer, one in zip(answers, taken.inputs, given, seen, strict=True):
                looked = await model.looked(inputs, answer) if model.explains else None
                values |= explanation_values(one, looked)
        return answers

    async def _read(self, body: bytes, content_type: str, model: ServedModel, *, steps: bool) -> Taken:
        read = partial(read_body, body, content_type, model.facts, self._settings, steps=steps)
        if is_quick(body, content_type) and not steps:
            return read()
        return await asyncio.get_running_loop().run_in_executor(self._readers, read)

    async def _body(self, request: Request, admission: Admission) -> bytes:
        """Reads the body within its bounds of bytes and seconds."""
        most = self._settings.body
        refusal = RequestError(413, f"the body has more than {most} bytes")
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > most:
            raise refusal
        chunks, size = [], 0
        try:
            async with asyncio.timeout(self._settings.timeout):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > most:
                        raise refusal
                    admission.hold(len(chunk))
                    chunks.append(chunk)
        except TimeoutError:
            raise RequestError(408, f"the body did not arrive within {self._settings.timeout:g} s", close=True) from None
        except ClientDisconnect:
            raise RequestError(_GONE, "the client closed the connection", close=True) from None
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _named(self, name: str | None) -> ServedModel:
        if name is None and len(self._models) == 1:
            return next(iter(self._models.values()))
        if name is None:
            raise RequestError(422, f"several models: add ?model=NAME, of {', '.join(self._models)}")
        if name not in self._models:
            raise RequestError(404, f"no model of that name; there are {', '.join(self._models)}")
        return self._models[name]

    async def _page(self, request: Request) -> Response:
        request.scope[NOTES]["path"] = "/"
        status, headers, body = page_response()
        return Response(body, status, dict(headers))

    async def _docs(self, request: Request) -> Response:
        request.scope[NOTES]["path"] = "/docs"
        headers, body = api_page(self._document)
        return Response(body, headers=headers)

    async def _openapi(self, request: Request) -> Response:
        request.scope[NOTES]["path"] = "/openapi.json"
        return json_response(self._document)

    async def _health(self, request: Request) -> Response:
        """Whether the process is alive: it answers, and its worker is not stuck."""
        request.scope[NOTES]["path"] = "/health"
        if max(model.batcher.busy_for for model in self._models.values()) > _STUCK:
            raise RequestError(503, f"a batch has been computed for more than {_STUCK:g} s")
        return json_response({"status": "alive"})

    async def _ready(self, request: Request) -> Response:
        request.scope[NOTES]["path"] = "/ready"
        self.state.check_ready()
        return json_response({"status": "ready", "models": list(self._models)})

    async def _numbers(self, request: Request) -> Response:
        request.scope[NOTES]["path"] = "/metrics"
        return Response(self._metrics.text(), headers={"content-type": CONTENT_TYPE})

    async def _list(self, request: Request) -> Response:
        request.scope[NOTES]["path"] = "/models"
        return json_response({"models": [model_values(model.facts) for model in self._models.values()]})

    async def _facts(self, request: Request) -> Response:
        request.scope[NOTES]["path"] = "/models/{name}"
        return json_response(model_values(self._named(request.path_params["name"]).facts))


def _readers() -> int:
    """Threads that decode pictures: no more than cores of this process, and few, for each may hold one."""
    return min(max(num_cores(), 2), 4)


def make_app(
    models: Mapping[str, Model],
    settings: ServerSettings,
    token: str | None = None,
    log: RequestLog | None = None,
    say: Say = lambda line: None,
    proxies: frozenset[str] | None = None,
) -> ServerApp:
    """The app of at least one model; the names given here take the place of those in the facts."""
    named = {name: replace(model, facts=replace(model.facts, name=name)) for name, model in models.items()}
    return ServerApp(named, settings, token, proxies, log or RequestLog(sys.stderr, quiet=True), say)
