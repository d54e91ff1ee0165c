"""The API's description is valid OpenAPI, and the server's answers are as it says."""

import re

import jsonschema
import numpy as np
import pytest
from openapi_spec_validator import validate
from serving_thread import facts_of, running, square

from nnjax.config.serve_options import ServerSettings
from nnjax.serving.facts import InputFacts
from nnjax.serving.server.openapi import api_document

VECTORS = InputFacts(shape=(3,), dtype="float32")


@pytest.mark.parametrize(
    "models",
    [[facts_of()], [facts_of("rows", inputs=VECTORS)], [facts_of("one"), facts_of("rows", inputs=VECTORS)]],
    ids=["pictures", "rows", "both"],
)
def test_the_document_is_valid(models):
    validate(api_document(models, ServerSettings()))


def test_a_picture_model_takes_pictures_and_one_of_rows_csv():
    def content(facts):
        return api_document([facts], ServerSettings())["paths"]["/predict"]["post"]["requestBody"]["content"]

    assert {"image/png", "multipart/form-data"} <= set(content(facts_of()))
    assert set(content(facts_of(inputs=VECTORS))) == {"text/csv", "application/json"}


def test_answers_and_errors_are_as_described(models, network):
    with running(models) as served:
        document = served.ask("GET", "/openapi.json")[2]
        validate(document)
        taken = {
            ("/predict", "200"): served.post({"inputs": square(0).tolist()}),
            ("/models/{name}/predict", "422"): served.post({"inputs": []}, "/models/squares/predict"),
            ("/predict", "400"): served.ask("POST", "/predict", b"", {"content-type": "image/png"}),
            ("/predict", "415"): served.ask("POST", "/predict", b"x", {"content-type": "text/plain"}),
            ("/models", "200"): served.ask("GET", "/models"),
            ("/models/{name}", "200"): served.ask("GET", "/models/squares"),
            ("/health", "200"): served.ask("GET", "/health"),
            ("/ready", "200"): served.ask("GET", "/ready"),
        }
        network.logits = lambda inputs: np.full((1, len(inputs), 4), np.nan)
        broken = served.post({"inputs": square(0).tolist()})
    for (path, status), (found, _, answer) in [*taken.items(), (("/predict", "200"), broken)]:
        (operation,) = document["paths"][path].values()
        assert str(found) == status, (path, answer)
        schema = operation["responses"][status]["content"]["application/json"]["schema"]
        jsonschema.validate(answer, {**schema, "components": document["components"]})


def test_every_path_of_the_document_is_served_and_the_page_names_it(models):
    with running(models) as served:
        document = served.ask("GET", "/openapi.json")[2]
        _, headers, page = served.ask("GET", "/docs")
        for path, ways in document["paths"].items():
            (way,) = ways
            assert served.ask(way.upper(), path.replace("{name}", "squares"))[0] not in (404, 405)
            assert path in page.decode()
    assert not re.search(rb"https?://|<script|<link", page)
    assert "default-src 'none'" in headers["content-security-policy"]
