"""An answer that is an error."""

import http
import json
from collections.abc import Mapping


class HttpError(Exception):
    """An answer that is an error, in the one shape that all of them have.

    Args:
        status: of HTTP.
        message: one line: what was expected and what came.
        headers: further ones of the answer.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})

    @property
    def phrase(self) -> str:
        """The status in words."""
        return http.HTTPStatus(self.status).phrase

    def body(self) -> bytes:
        """The answer's body."""
        return json.dumps({"error": " ".join(self.message.split())}).encode()


def overloaded(message: str) -> HttpError:
    """The error of a request that may be sent again in a second."""
    return HttpError(503, message, {"Retry-After": "1"})
