"""A server of models over HTTP, from the extra `serve`: Starlette routes, uvicorn listens, prometheus-client counts.

serve({"digits": model}, ServerSettings(port=8080))    # see nnjax.serving.server.listening
app = make_app({"digits": model}, settings)            # ASGI; see nnjax.serving.server.server_app

Starlette rather than FastAPI: an answer takes about as long as FastAPI's own validation of it would, bodies are pictures rather
than JSON for the most part, and FastAPI's page of documentation loads scripts from elsewhere.
"""
