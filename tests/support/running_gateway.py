"""A whole gateway over the small models of `online_models`, on a free port."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
from online_models import fill_stores, push_all, server_models
from served_models import running

from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex
from serving.gateway.config import GatewayConfig
from serving.gateway.engine import Engine
from serving.gateway.http.access_tokens import AccessTokens
from serving.gateway.http.app import create_app
from serving.gateway.http.gateway_metrics import GatewayMetrics
from serving.gateway.http.http_options import HttpOptions
from serving.gateway.http.server import GatewayServer
from serving.gateway.model_client import ModelClient
from serving.item_queue.sqlite_item_queue import SqliteItemQueue
from serving.item_store.lmdb_item_store import LmdbItemStore
from serving.model_server.model_server import ModelServer

# The machine that runs the tests may be slow.
PATIENT = GatewayConfig(
    request_timeout_seconds=20.0,
    recall_timeout_seconds=10.0,
    reorder_timeout_seconds=10.0,
    rank_timeout_seconds=10.0,
    encode_timeout_seconds=10.0,
    store_timeout_seconds=10.0,
)


@dataclass
class RunningGateway:
    """A gateway and what it stands on.

    Attributes:
        server: over HTTP.
        queue: where new items go.
        model_server: has the models.
    """

    server: GatewayServer
    queue: SqliteItemQueue
    model_server: ModelServer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False, **options)


@contextlib.contextmanager
def running_gateway(
    folder: Path, http: HttpOptions | None = None, tokens: AccessTokens | None = None
) -> Iterator[RunningGateway]:
    """A model server with all models, stores with the shop of six items, and a gateway that is ready."""
    root = folder / "serving"
    push_all(root)
    index, items = LmdbEmbeddingIndex(folder / "index"), LmdbItemStore(folder / "items")
    queue = SqliteItemQueue(folder / "queue.db")
    fill_stores(index, items)
    with contextlib.ExitStack() as stack:
        stack.callback(items.close)
        stack.callback(index.close)
        models = stack.enter_context(running(server_models(root)))
        channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{models.server.grpc_port}"))
        metrics = GatewayMetrics()
        engine = Engine(PATIENT, root, ModelClient(channel), index, items, queue, metrics.observe_new_items)
        engine.start()
        stack.callback(engine.stop)
        options = http or HttpOptions(deadline_seconds=30)
        server = GatewayServer(
            create_app(engine, options, tokens, metrics), port=0, max_connections=options.max_connections
        )
        server.start()
        stack.callback(server.stop)
        deadline = time.monotonic() + 60
        while engine.readiness() or None in engine.status()["searchable"].values():
            assert time.monotonic() < deadline, engine.readiness()
            time.sleep(0.05)
        yield RunningGateway(server, queue, models.server)
