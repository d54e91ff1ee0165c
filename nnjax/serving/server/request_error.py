"""A request that is refused: its status and one line for the person.

raise RequestError(413, "the body has more than 16777216 bytes")
"""

from nnjax.config.errors import UserError
from nnjax.serving.pictures import PictureError

_STATUS = {"too large": 413, "unsupported": 415, "damaged": 400}


class RequestError(Exception):
    """A request that is not answered.

    Attributes:
        status: of HTTP.
        reason: one line, without paths of this machine.
        retry_after: seconds after which the same request may succeed; None where it never will.
        close: whether the connection is closed, such as with a body that was not read.
    """

    def __init__(self, status: int, reason: str, *, retry_after: int | None = None, close: bool = False) -> None:
        super().__init__(reason)
        self.status, self.reason, self.retry_after, self.close = status, reason, retry_after, close

    @property
    def headers(self) -> dict[str, str]:
        """The headers that go with it."""
        made = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        if self.status == 401:
            made["www-authenticate"] = "Bearer"
        return made | ({"connection": "close"} if self.close else {})


def request_error_of(error: UserError) -> RequestError:
    """The refusal for an input that a module of `nnjax.serving` does not take."""
    status = _STATUS[error.fault] if isinstance(error, PictureError) else 422
    return RequestError(status, str(error).partition("\n")[0])
