"""TF Serving's REST API, as an ASGI application."""

import asyncio
import re
import time
import urllib.parse
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import grpc
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2

from serving.model_server.answers import SIGNATURE_DEF, answer_metadata, answer_status
from serving.model_server.json_in import parse_request
from serving.model_server.json_out import metadata_json, predictions_json, status_json
from serving.model_server.json_writer import error_json
from serving.model_server.metrics import Metrics
from serving.model_server.model_manager import ModelManager
from serving.model_server.predict import DEFAULT_SIGNATURE, predict
from serving.model_server.serving_error import ServingError, invalid

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HTTP_STATUS = {
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNKNOWN: 500,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DATA_LOSS: 500,
    grpc.StatusCode.UNAUTHENTICATED: 401,
}
JSON, TEXT, HTML = "application/json", "text/plain", "text/html"
NOT_FOUND_PAGE = (
    b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n<H1>Not Found</H1>\n</BODY></HTML>\n"
)
CORS_HEADERS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"Content-Type"),
)
MAX_BODY = 2**31 - 1
MAX_INFLATED = 100 * 1024 * 1024
_MAX_VERSION = 2**63 - 1

# The query belongs to the path that has to match; names are decoded afterwards.
_ANY = re.compile(r"/v1/.*", re.IGNORECASE)
_VERSION = r"(?:/versions/(\d+)|/labels/([^/:]+))?"
_PREDICTION = re.compile(
    rf"/v1/models/([^/:]+){_VERSION}:(classify|regress|predict)", re.IGNORECASE | re.ASCII
)
_MODEL = re.compile(rf"/v1/models(?:/([^/:]+))?{_VERSION}(?:/(metadata))?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class _Reply:
    status: int
    content_type: str
    body: bytes


class RestApp:
    """Predict, metadata and status over HTTP; and the page of metrics.

    Args:
        manager: has the models.
        metrics: where requests are counted.
        executor: runs what takes long.
        metrics_path: where Prometheus reads; empty: nowhere.
        timeout_seconds: after which a request is answered with DEADLINE_EXCEEDED.
        allows_cors: whether pages of other origins may call.
    """

    def __init__(
        self,
        manager: ModelManager,
        metrics: Metrics,
        executor: Executor,
        metrics_path: str = "",
        timeout_seconds: float = 30.0,
        allows_cors: bool = False,
    ) -> None:
        self.manager = manager
        self.metrics = metrics
        self.executor = executor
        self.metrics_path = metrics_path
        self.timeout_seconds = timeout_seconds
        self.allows_cors = allows_cors

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answers one HTTP request."""
        body = await _read_body(receive)
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self.executor, self._answer, scope, body)
        try:
            reply = await asyncio.wait_for(work, self.timeout_seconds)
        except TimeoutError:
            reply = _error_reply(ServingError(grpc.StatusCode.DEADLINE_EXCEEDED, "Timed out"))
        headers = [
            (b"content-type", reply.content_type.encode()),
            (b"content-length", str(len(reply.body)).encode()),
            *(CORS_HEADERS if self.allows_cors else ()),
        ]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    def _answer(self, scope: Message, body: bytes | None) -> _Reply:
        path = scope["raw_path"].decode("latin-1")
        if scope["query_string"]:
            path = f"{path}?{scope['query_string'].decode('latin-1')}"
        if self.metrics_path and path == self.metrics_path:
            return _Reply(200, TEXT, self.metrics.page().encode())
        if not _ANY.fullmatch(path):
            return _Reply(404, HTML, NOT_FOUND_PAGE)
        if self.allows_cors and scope["method"] == "OPTIONS":
            return _Reply(200, JSON, b"")
        try:
            if body is None:
                raise invalid(f"expected a body of at most {MAX_BODY} bytes")
            return self._dispatch(scope["method"], path, _inflated(scope, body))
        except _UnreadableVersion:
            return _Reply(400, JSON, b"")
        except ServingError as error:
            return _error_reply(error)

    def _dispatch(self, method: str, path: str, body: bytes) -> _Reply:
        if method == "POST" and (match := _PREDICTION.fullmatch(path)):
            spec = _model_spec(*match.group(1, 2, 3))
            if match.group(4) == "predict":
                return self._counted_predict(spec, body)
            if match.group(4) in ("classify", "regress"):
                raise ServingError(grpc.StatusCode.UNIMPLEMENTED, f"{match.group(4)} is not supported")
        if method == "GET" and (match := _MODEL.fullmatch(path)):
            if not match.group(1):
                raise invalid("Missing model name in request.")
            return self._describe(_model_spec(*match.group(1, 2, 3)), match.group(4) == "metadata")
        raise invalid(f"Malformed request: {method} {path}")

    def _counted_predict(self, spec: model_pb2.ModelSpec, body: bytes) -> _Reply:
        started = time.perf_counter()
        try:
            answer = self._predict(spec, body)
        except ServingError as error:
            self.metrics.count_request(spec.name, error.code.name)
            raise
        self.metrics.count_request(spec.name, "OK")
        self.metrics.observe_request(spec.name, "predict", "REST", time.perf_counter() - started)
        return _Reply(200, JSON, answer)

    def _predict(self, spec: model_pb2.ModelSpec, body: bytes) -> bytes:
        request = parse_request(body)
        with self.manager.borrow(spec) as (_, servable):
            name = request.signature_name or DEFAULT_SIGNATURE
            if name not in servable.signatures:
                raise invalid(f'Serving signature name: "{name}" not found in signature def')
            inputs = request.inputs(servable.signatures[name].inputs)
            outputs = predict(servable, name, inputs, ())
        return predictions_json(outputs, request.is_row)

    def _describe(self, spec: model_pb2.ModelSpec, is_metadata: bool) -> _Reply:
        if is_metadata:
            wanted = get_model_metadata_pb2.GetModelMetadataRequest(
                model_spec=spec, metadata_field=[SIGNATURE_DEF]
            )
            return _Reply(200, JSON, metadata_json(answer_metadata(self.manager, wanted)))
        status = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
        return _Reply(200, JSON, status_json(answer_status(self.manager, status)))


class _UnreadableVersion(Exception):
    """A version beyond 64 bits, which TF Serving answers with an empty body."""


def _model_spec(name: str, version: str | None, label: str | None) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=_unquoted(name))
    if version:
        # Python refuses to read a number of thousands of digits.
        digits = version.lstrip("0") or "0"
        if len(digits) > len(str(_MAX_VERSION)) or int(digits) > _MAX_VERSION:
            raise _UnreadableVersion
        spec.version.value = int(digits)
    if label:
        spec.version_label = _unquoted(label)
    return spec


def _unquoted(text: str) -> str:
    return urllib.parse.unquote_to_bytes(text.encode("latin-1")).decode("utf-8", "replace")


def _error_reply(error: ServingError) -> _Reply:
    return _Reply(HTTP_STATUS[error.code], JSON, error_json(error.message))


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body; None if it is too long."""
    parts, size = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size <= MAX_BODY:
            parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts) if size <= MAX_BODY else None


def _inflated(scope: Message, body: bytes) -> bytes:
    """The body without its compression."""
    encodings = [value for name, value in scope["headers"] if name == b"content-encoding"]
    if not encodings or b"gzip" not in encodings[0].lower():
        return body
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(body, MAX_INFLATED + 1)
    except zlib.error as error:
        raise invalid("Failed to uncompress the gzipped body") from error
    if len(inflated) > MAX_INFLATED or not inflater.eof:
        raise invalid(f"Failed to uncompress the gzipped body to at most {MAX_INFLATED} bytes")
    return inflated
