"""The responses of the app: JSON, and its errors.

json_response({"status": "alive"})
flag(request, "explain")                               # whether ?explain=true; RequestError 422 for another word
"""

import json
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from nnjax.serving.answer_records import plain_json
from nnjax.serving.server.gate import FAILED, NOTES, error_body
from nnjax.serving.server.request_error import RequestError


def json_response(values: Mapping[str, Any]) -> Response:
    """The values as JSON, in which null stands for what is not finite."""
    try:
        text = json.dumps(values, allow_nan=False)
    except ValueError:  # NaN or infinity, which JSON has not
        text = json.dumps(plain_json(values), allow_nan=False)
    return Response(text + "\n", media_type="application/json")


def flag(request: Request, name: str) -> bool:
    """A parameter of the query: true or false, which is the default.

    Raises:
        RequestError: 422 for anything else.
    """
    text = request.query_params.get(name, "false")
    if text.lower() not in ("true", "1", "false", "0"):
        raise RequestError(422, f"{name}: must be true or false")
    return text.lower() in ("true", "1")


async def refused(request: Request, refusal: RequestError) -> Response:
    """The response to a refusal."""
    request.scope[NOTES]["reason"] = refusal.reason
    return Response(error_body(refusal.reason), refusal.status, refusal.headers, "application/json")


async def failed(request: Request, error: Exception) -> Response:
    """The response to a failure of ours."""
    return Response(error_body(FAILED), 500, media_type="application/json")  # Starlette raises the error again, for the log


async def not_routed(request: Request, error: HTTPException) -> Response:
    """The response to a path or a method that is not there."""
    ways = "POST /predict, GET /models, /health, /ready, /metrics, /docs"
    reason = f"no such path; there are {ways}" if error.status_code == 404 else f"{request.method}: not on this path; {ways}"
    return Response(error_body(reason), error.status_code, error.headers, "application/json")


def listed(sizes: tuple[int, ...]) -> str:
    """Such as `1, 2 and 4`."""
    return ", ".join(map(str, sizes[:-1])) + (" and " if len(sizes) > 1 else "") + str(sizes[-1])
