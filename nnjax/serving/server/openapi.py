"""The description of the API in OpenAPI 3.1, for programs that make clients of it.

document = api_document([model.facts], settings)       # GET /openapi.json
document["paths"]["/predict"]["post"]["requestBody"]
"""

from collections.abc import Mapping, Sequence
from typing import Any

from nnjax.config.serve_options import ServerSettings
from nnjax.serving.facts import ModelFacts
from nnjax.serving.server.request_inputs import CSV_SHARE, JSON_SHARE, PICTURE_TYPES

_NUMBERS = {"type": "array", "items": {"type": "number"}}
_ANSWERED = {"type": "array", "items": {"type": ["number", "null"]}}  # null: not finite, which the warnings say
_TEXTS = {"type": "array", "items": {"type": "string"}}
_NESTED = {"type": "array", "items": {"anyOf": [{"type": "number"}, _NUMBERS, {"type": "array", "items": {}}]}}
_REFUSALS = {
    400: "The body is empty, damaged, or no JSON",
    401: "Without the server's token",
    403: "The host is another server's, or the request comes from a page of one",
    404: "No model of that name",
    408: "The body did not arrive in time",
    413: "More bytes, pixels or examples than the server takes",
    415: "No content type, or no picture format, that the server reads",
    422: "The body can be read, and does not fit the model",
    429: "The queue is full; Retry-After says when to ask again",
    500: "The model failed",
    503: "The server is starting or stopping, or the answer took too long",
}


def api_document(models: Sequence[ModelFacts], settings: ServerSettings) -> dict[str, Any]:
    """The document of a server.

    Args:
        models: that it serves.
        settings: whose limits it states.
    """
    names = [facts.name for facts in models]
    of_model = {"name": "name", "in": "path", "required": True, "schema": {"enum": names}, "description": "of a model"}
    chosen = {
        "name": "model",
        "in": "query",
        "required": len(names) > 1,
        "schema": {"enum": names},
        "description": "name of a model, where there are several",
    }
    explain = {
        "name": "explain",
        "in": "query",
        "schema": {"type": "boolean", "default": False},
        "description": "adds how a picture was prepared, and where the network looked",
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nnjax",
            "version": "1",
            "description": f"Answers of {', '.join(names)}. At most {settings.examples} examples in a request, "
            f"{settings.body:,} bytes in a body ({settings.body // JSON_SHARE:,} of JSON, {settings.body // CSV_SHARE:,} of "
            f"CSV), {settings.pixels:,} pixels in its pictures.",
        },
        "paths": {
            "/predict": {"post": _predict("The model's answers", "predict", [chosen, explain], models)},
            "/models/{name}/predict": {"post": _predict("One model's answers", "predictBy", [of_model, explain], models)},
            "/models": {
                "get": _get(
                    "The models",
                    "models",
                    {
                        "type": "object",
                        "required": ["models"],
                        "properties": {"models": {"type": "array", "items": _ref("Model")}},
                    },
                )
            },
            "/models/{name}": {"get": {**_get("One model", "model", _ref("Model")), "parameters": [of_model]}},
            "/health": {"get": _open(_get("Whether the process is alive", "health", _ref("Status"), 503))},
            "/ready": {"get": _open(_get("Whether requests are answered", "ready", _ref("Status"), 503))},
            "/metrics": {"get": _metrics()},
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "where the server has a token"}},
        },
        "security": [{"token": []}, {}],
    }


def _predict(summary: str, name: str, parameters: list[Any], models: Sequence[ModelFacts]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if any(facts.inputs.preparation for facts in models):
        content |= {kind: {"schema": {"type": "string", "format": "binary"}} for kind in PICTURE_TYPES}
        files = {"type": "array", "items": {"type": "string", "format": "binary"}}
        content["multipart/form-data"] = {"schema": {"type": "object", "properties": {"image": files}}}
    if any(facts.inputs.preparation is None for facts in models):
        content["text/csv"] = {"schema": {"type": "string"}}
    content["application/json"] = {"schema": _ref("Question")}
    refused = {str(status): _refusal(reason) for status, reason in _REFUSALS.items()}
    answered = {"description": "The answers, in the order of the inputs", "content": _as_json(_ref("Answers"))}
    return {
        "summary": summary,
        "operationId": name,
        "parameters": parameters,
        "requestBody": {"required": True, "content": content},
        "responses": {"200": answered, **refused},
    }


def _get(summary: str, name: str, schema: Mapping[str, Any], *refused: int) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": summary, "content": _as_json(schema)}}
    responses |= {str(status): _refusal(_REFUSALS[status]) for status in refused}
    return {"summary": summary, "operationId": name, "responses": responses}


def _metrics() -> dict[str, Any]:
    text = {"description": "Prometheus' text format", "content": {"text/plain": {"schema": {"type": "string"}}}}
    return {"summary": "Numbers for Prometheus", "operationId": "metrics", "responses": {"200": text}}


def _open(operation: dict[str, Any]) -> dict[str, Any]:
    return {**operation, "security": []}


def _refusal(reason: str) -> dict[str, Any]:
    return {"description": reason, "content": _as_json(_ref("Error"))}


def _as_json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas() -> dict[str, Any]:
    picture = {"type": "string", "description": "a picture's file in base64, or a data URL"}
    text = {"type": "string"}
    number = {"type": "number"}
    values = {**_ANSWERED, "description": "of a regression or series, in the order of the outputs"}
    step = {"type": "object", "required": ["name", "image"], "properties": {"name": text, "image": text}}
    looked = {
        "type": ["array", "null"],
        "items": _NUMBERS,
        "description": "[h][w]: by how much the log-odds of the label fall where the picture is covered; below 0: rise",
    }
    return {
        "Question": {
            "oneOf": [
                _object({"image": picture}),
                _object({"images": {"type": "array", "items": picture, "minItems": 1}}),
                _object({"rows": {**_NESTED, "description": "a row, or several; of a series its last values"}}),
                _object({"inputs": {**_NESTED, "description": "the network's own inputs: one, or several"}}),
            ]
        },
        "Answers": {
            "type": "object",
            "required": ["model", "answers"],
            "properties": {"model": text, "answers": {"type": "array", "items": _ref("Answer")}},
        },
        "Answer": {
            "type": "object",
            "required": ["spread", "warnings"],
            "properties": {
                "label": {"type": ["string", "null"], "description": "the most probable class"},
                "probability": {"type": ["number", "null"], "description": "of the label, calibrated"},
                "probabilities": {**_ANSWERED, "description": "in the order of the model's labels"},
                "values": values,
                "spread": {**_ANSWERED, "description": "standard deviation over the networks that answer together"},
                "warnings": {**_TEXTS, "description": "reasons to doubt the answer"},
                "notes": {**_TEXTS, "description": "what was done to the picture, or left open by a table's columns"},
                "steps": {"type": "array", "items": step, "description": "with explain: pictures as data URLs"},
                "looked": looked,
            },
        },
        "Model": {
            "type": "object",
            "required": ["name", "task", "inputs", "labels", "num_outputs", "num_trials", "metrics"],
            "properties": {
                "name": text,
                "task": {"enum": ["classification", "regression"]},
                "labels": _TEXTS,
                "inputs": {"type": "object", "properties": {"shape": {"type": "array", "items": {"type": "integer"}}}},
                "num_outputs": {"type": "integer"},
                "num_trials": {"type": "integer"},
                "metrics": {"type": "object", "additionalProperties": number},
            },
        },
        "Status": {"type": "object", "required": ["status"], "properties": {"status": text}},
        "Error": {"type": "object", "required": ["error"], "properties": {"error": text}},
    }


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}
