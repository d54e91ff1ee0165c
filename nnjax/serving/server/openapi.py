"""The description of the API in OpenAPI 3.1, for programs that make clients of it.

document = api_document([model.facts], settings)       # dict; GET /openapi.json
"""

from collections.abc import Sequence
from typing import Any

from nnjax.config.serve_options import ServerSettings
from nnjax.serving.facts import ModelFacts


def api_document(models: Sequence[ModelFacts], settings: ServerSettings) -> dict[str, Any]:
    """The document of a server with these models."""
    return {"openapi": "3.1.0", "info": {"title": "nnjax", "version": "1"}, "paths": {}}
