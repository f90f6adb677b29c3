"""Metrics and health of the encoder service over HTTP."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from transforms.input_error import InputError

_REQUEST_SECONDS = 5


class StatusServer:
    """Answers GET of `/metrics` (Prometheus' text), `/status` (JSON) and `/health` (200 or 503).

    Args:
        host: the address to listen on.
        port: 0 takes a free one.
        registry: the metrics.
        status: the status, plain values.
        is_healthy: whether the workers run.
    Raises:
        InputError: the address cannot be listened on.
    """

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        status: Callable[[], dict[str, Any]],
        is_healthy: Callable[[], bool],
    ) -> None:
        def answer(path: str) -> tuple[int, str, bytes]:
            if path == "/metrics":
                return 200, CONTENT_TYPE_LATEST, generate_latest(registry)
            if path == "/status":
                return 200, "application/json", json.dumps(status()).encode()
            if path == "/health":
                return (200, "text/plain", b"ok\n") if is_healthy() else (503, "text/plain", b"stopped\n")
            return 404, "text/plain", b"expected /metrics, /status or /health\n"

        class Handler(BaseHTTPRequestHandler):
            timeout = _REQUEST_SECONDS

            def do_GET(self) -> None:
                code, content_type, body = answer(self.path)
                self.send_response(code)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Probes come every few seconds; they are not logged."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise InputError(f"cannot listen on {host}:{port}: {error}") from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="status", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
