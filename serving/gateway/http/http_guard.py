"""What every request passes before it is routed, and every answer after it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from ipaddress import IPv6Address, ip_address
from typing import Any

from fastapi.routing import APIRoute

from serving.gateway.http.access_tokens import AccessTokens
from serving.gateway.http.gateway_metrics import GatewayMetrics
from serving.gateway.http.http_error import HttpError, overloaded
from serving.gateway.http.http_options import HttpOptions
from serving.gateway.http.rate_limiter import RateLimiter, retry_after
from serving.gateway.http.request_body import Disconnected, RequestBody

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

logger = logging.getLogger(__name__)

PROTECTED = ("/v1/", "/metrics")
_HEADERS = {
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}
_DRAIN_SECONDS = 2.0


class HttpGuard:
    """Tokens, rate and size of requests; headers, errors and metrics of answers.

    A body is read here as a whole, within its bounds of size and time, before anything else sees the request.

    Args:
        app: answers what is let through.
        options: limits.
        tokens: who may ask for what is protected; None: everybody.
        metrics: where answers are counted.
    """

    def __init__(
        self, app: App, options: HttpOptions, tokens: AccessTokens | None, metrics: GatewayMetrics
    ) -> None:
        self.app = app
        self.options = options
        self.tokens = tokens
        self.metrics = metrics
        self._limiter = RateLimiter(options.rate_limit)
        self._buffered = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = time.perf_counter()
        # Routes match the path as it came, so that an id's encoded slash is none of the path's.
        scope["path"] = scope["raw_path"].decode("ascii", "replace")
        headers = dict(scope["headers"])
        answer, body = _Answer(send), RequestBody(receive, headers)
        try:
            await self._answer(scope, headers, body, answer)
        except Disconnected:
            pass
        except HttpError as error:
            await _refuse(answer, body, error)
        except Exception:
            logger.exception("%s failed", _route(scope))
            if answer.status is None:
                await send_error(answer, HttpError(500, "the gateway failed; its log says why"))
            elif not answer.is_complete:
                raise
        status = "disconnected" if answer.status is None else str(answer.status)
        self.metrics.count_request(_route(scope), status, time.perf_counter() - started)

    async def _answer(
        self, scope: Message, headers: dict[bytes, bytes], body: RequestBody, send: Send
    ) -> None:
        # What everybody may ask for has no body.
        max_bytes = 0
        if scope["path"].startswith(PROTECTED):
            self._admit(scope, headers.get(b"authorization"))
            max_bytes = self.options.max_body_bytes
        if body.declared_size > max_bytes:
            raise _too_large(max_bytes)
        content = bytearray()
        try:
            await self._read(body, content, max_bytes)
            await self.app(scope, body.replay(bytes(content)), send)
        finally:
            self._buffered -= len(content)

    def _admit(self, scope: Message, authorization: bytes | None) -> None:
        """Raises HttpError unless the client has a token, if one is needed, and does not ask too often."""
        known = self.tokens.client_of(authorization) if self.tokens else None
        seconds = self._limiter.take(known or _address(scope))
        if seconds > 0:
            message = f"expected at most {self.options.rate_limit:g} requests a second"
            raise HttpError(429, message, {"Retry-After": retry_after(seconds)})
        if self.tokens and not known:
            message = "expected a known token: Authorization: Bearer TOKEN"
            raise HttpError(401, message, {"WWW-Authenticate": "Bearer"})

    async def _read(self, body: RequestBody, content: bytearray, max_bytes: int) -> None:
        try:
            async with asyncio.timeout(self.options.body_seconds):
                while not body.is_complete:
                    part = await body.next_part()
                    content += part
                    self._buffered += len(part)
                    if len(content) > max_bytes:
                        raise _too_large(max_bytes)
                    if self._buffered > self.options.max_buffered_bytes:
                        raise overloaded("too much is sent at once; try again")
        except TimeoutError:
            raise HttpError(408, f"expected a body within {self.options.body_seconds:g} s") from None


class _Answer:
    """Sends an answer with the headers that all have, and remembers how it went."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None
        self.is_complete = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            given = {name.lower() for name, _ in headers}
            headers += [each for each in _HEADERS.items() if each[0] not in given]
            message = {**message, "headers": headers}
        elif message["type"] == "http.response.body":
            self.is_complete = not message.get("more_body", False)
        await self._send(message)


async def send_error(send: Send, error: HttpError) -> None:
    """Answers with an error."""
    body = error.body()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **error.headers}
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


async def _refuse(send: Send, body: RequestBody, error: HttpError) -> None:
    """Answers with an error before all of the body has come."""
    try:
        if error.status != 408:
            await body.drain(_DRAIN_SECONDS)
    except Disconnected:
        return
    if not body.is_complete:
        error.headers["Connection"] = "close"
    await send_error(send, error)


def _too_large(max_bytes: int) -> HttpError:
    return HttpError(413, f"expected a body of at most {max_bytes} bytes")


def _route(scope: Message) -> str:
    """The route's name for metrics and the log: bounded in number, and without what the client sent."""
    route = scope.get("route")
    if not isinstance(route, APIRoute) or scope["method"] not in (route.methods or ()):
        return "other"
    return f"{scope['method']} {route.path_format}"


def _address(scope: Message) -> str:
    """The client's; of IPv6 the network of 64 bits, of which a client has all addresses."""
    host = (scope.get("client") or ("unknown",))[0]
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        # A socket of IPv6 shows clients of IPv4 as ::ffff:a.b.c.d, all in one such network.
        return str(address.ipv4_mapped or int(address) >> 64)
    return host
