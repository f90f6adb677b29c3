"""HTTP/1.1 whose connections are bounded in number, and whose heads in size and time."""

import asyncio
from asyncio.events import TimerHandle
from typing import Any

from httptools import HttpParserError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.gateway.http.http_error import HttpError, overloaded

MAX_HEAD_BYTES = 64 << 10
HEAD_SECONDS = 10.0
# The largest answer is a picture of 20 MB.
WRITE_SECONDS = 60.0


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which by itself waits for the end of a request's head without a bound.

    A head is what comes before the body. What is no HTTP, a head that is too long or comes too slowly, and a
    connection too many are answered in the gateway's shape of errors, and the connection ends. So does that of a
    client which does not read its answer.

    Args:
        max_connections: of the process.
        settings: uvicorn's.
    """

    def __init__(self, max_connections: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.max_connections = max_connections
        self._head_bytes = 0
        self._is_in_head = True
        self._timer: TimerHandle | None = None
        self._write_timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self._refuse(overloaded("too many connections; try again"))
        else:
            self._start_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._end_head()
        self._end_write()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """See asyncio."""
        self._write_timer = self.loop.call_later(WRITE_SECONDS, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        """See asyncio."""
        self._end_write()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if self.transport.is_closing():
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > MAX_HEAD_BYTES:
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """See httptools."""
        self._start_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """See httptools."""
        self._end_head()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD_BYTES:
            raise HttpParserError("the head is too long")
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """See uvicorn."""
        wanted = f"expected a request of HTTP/1.1 with a head of at most {MAX_HEAD_BYTES} bytes"
        self._refuse(HttpError(400, wanted))

    def _start_head(self) -> None:
        self._end_head()
        self._is_in_head = True
        self._timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _end_head(self) -> None:
        self._is_in_head, self._head_bytes = False, 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_write(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self._refuse(HttpError(408, f"expected a request within {HEAD_SECONDS:g} s"))

    def _refuse(self, error: HttpError) -> None:
        self._end_head()
        self.transport.write(_message(error))
        self.transport.close()


def _message(error: HttpError) -> bytes:
    body = error.body()
    head = (
        f"HTTP/1.1 {error.status} {error.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n"
    )
    head += "".join(f"{name}: {value}\r\n" for name, value in error.headers.items())
    return head.encode() + b"\r\n" + body
