"""The gateway's HTTP server."""

import logging
import socket
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI

from serving.gateway.http.bounded_protocol import BoundedProtocol
from transforms.input_error import InputError

logger = logging.getLogger(__name__)

GRACE_SECONDS = 20
_BACKLOG = 512


class GatewayServer:
    """The gateway's HTTP server, in a thread.

    Args:
        app: made by `create_app`.
        host: the address to listen on.
        port: 0 takes a free one; `port` says which, once it is started.
        max_connections: that are open at once.
        shares_port: whether other processes may listen on the same port.
        trusted_proxies: addresses of proxies that say in X-Forwarded-For who their client is.
    """

    def __init__(
        self,
        app: FastAPI,
        host: str = "127.0.0.1",
        port: int = 8080,
        max_connections: int = 512,
        shares_port: bool = False,
        trusted_proxies: Sequence[str] = (),
    ) -> None:
        self.app = app
        self.host = host
        self.port = port
        self.shares_port = shares_port
        protocol: Any = partial(BoundedProtocol, max_connections)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=list(trusted_proxies),
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        # What clients do wrong is no news.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listens, and returns.

        Raises:
            InputError: the address cannot be listened on.
        """
        listening = self._listen()
        self.port = listening.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listening]}, name="http", daemon=True
        )
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the HTTP server ended at its start")
            time.sleep(0.01)
        logger.info("HTTP at %s:%d", self.host, self.port)

    def stop(self) -> None:
        """Takes no more requests, and returns once those that run are answered."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
        self.app.state.routes.close()

    def _listen(self) -> socket.socket:
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, kind, protocol, _, address = found[0]
            listening = socket.socket(family, kind, protocol)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self.shares_port:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listening.bind(address)
            listening.listen(_BACKLOG)
        except OSError as error:
            raise InputError(f"--port: cannot listen on {self.host}:{self.port}: {error}") from error
        return listening
