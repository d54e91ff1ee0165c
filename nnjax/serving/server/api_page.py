"""The API's description as a page that needs no network."""


def api_page(document: bytes) -> tuple[dict[str, str], bytes]:
    """Headers and body."""
    return {"content-type": "text/html; charset=utf-8"}, document
