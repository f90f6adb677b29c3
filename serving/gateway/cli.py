"""The command line of the gateway."""

import argparse
import logging
import signal
import threading
from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from serving.garbage import keep_for_good
from serving.gateway.config import GatewayConfig
from serving.gateway.http.access_tokens import AccessTokens
from serving.gateway.http.http_options import HttpOptions
from serving.store_address import store_address
from transforms.input_error import InputError, check_setting

if TYPE_CHECKING:
    from serving.gateway.engine import Engine
    from serving.gateway.http.server import GatewayServer

_check = partial(check_setting, "gateway")

_LIMITS = {
    "max_body_bytes": "of a request's body",
    "max_image_bytes": "of a picture",
    "max_image_pixels": "of a picture, by its header",
    "max_buffered_bytes": "of all bodies that are held at once",
    "body_seconds": "within which a body has to come",
    "deadline_seconds": "within which an answer has to be there",
    "rate_limit": "requests a second of one client; 0: any number",
    "max_running": "requests that are worked on at once",
    "max_waiting": "requests that wait for that",
    "max_connections": "that are open at once",
}
_ENGINE = {
    "recall_model": "the model server's name of the recall model, and its folder in --models",
    "ctr_model": "the model server's name of the ranking model",
    "image_model": "the model server's name of the encoder of pictures",
    "text_model": "the model server's name of the encoder of texts",
    "num_retrieved": "items that the index of recall brings",
    "num_ranked": "the best of them, which the ranking model scores",
    "request_timeout_seconds": "of a request's way through models and stores",
    "recall_timeout_seconds": "of the user's vector",
    "reorder_timeout_seconds": "of reordering",
    "rank_timeout_seconds": "of ranking",
    "encode_timeout_seconds": "of encoding a picture or a text",
    "store_timeout_seconds": "of a read of the stores",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what `run` reads."""
    parser.add_argument("--release", type=Path, required=True, help="release.json, as a run writes it")
    parser.add_argument(
        "--models", type=Path, help="the folder of the pushed models; by default that of the release"
    )
    parser.add_argument("--model-server", required=True, metavar="HOST:PORT", help="the gRPC port")
    for name, place in (
        ("index", "embedding index's folder"),
        ("items", "item store's folder"),
        ("queue", "queue's database file"),
    ):
        parser.add_argument(
            f"--{name}",
            type=store_address,
            required=True,
            help=f"redis://HOST:PORT/N, the {place}, or @FILE with the address",
        )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the port")
    parser.add_argument(
        "--token-file", type=Path, help="who may ask: tokens, one a line; by default everybody"
    )
    parser.add_argument("--no-inspector", action="store_true", help="serve no page at /")
    parser.add_argument(
        "--trusted-proxy",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="a proxy that says in X-Forwarded-For who its client is (repeatable)",
    )
    _add_settings(parser, HttpOptions, _LIMITS)
    _add_settings(parser, GatewayConfig, _ENGINE)


def run(options: argparse.Namespace) -> int:
    """Answers until SIGTERM or SIGINT, then finishes what runs. Returns 0.

    Raises:
        InputError: an address, a file or a setting that cannot be.
    """
    _read_settings(options)
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    if options.workers == 1:
        serve(options, stop)
        return 0
    from serving.gateway.http.worker_processes import WorkerProcesses

    return WorkerProcesses(partial(serve, options), options.workers).run(stop)


def serve(options: argparse.Namespace, stop: threading.Event) -> None:
    """Answers in this process until it is told to stop."""
    # TensorFlow's messages take seconds to import, which a wrong setting need not wait for.
    from serving.embedding_index.errors import EmbeddingIndexError
    from serving.embedding_index.open_embedding_index import open_embedding_index
    from serving.encoder_service.remote_encoder import open_channel
    from serving.gateway.engine import Engine
    from serving.gateway.http.app import create_app
    from serving.gateway.http.gateway_metrics import GatewayMetrics
    from serving.gateway.http.server import GatewayServer
    from serving.gateway.model_client import ModelClient
    from serving.item_queue.errors import QueueUnavailable
    from serving.item_queue.open_item_queue import open_item_queue
    from serving.item_store.errors import ItemStoreError
    from serving.item_store.open_item_store import open_item_store

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    config, http, tokens = _read_settings(options)
    try:
        index, items = open_embedding_index(options.index), open_item_store(options.items)
        queue = open_item_queue(options.queue)
    except (EmbeddingIndexError, ItemStoreError, QueueUnavailable) as error:
        raise InputError(str(error)) from error
    metrics = GatewayMetrics()
    with open_channel(options.model_server) as channel:
        models = ModelClient(channel, config.outage_seconds)
        root = options.release.parent
        engine = Engine(config, root, models, index, items, queue, metrics.observe_new_items)
        app = create_app(engine, http, tokens, metrics)
        server = GatewayServer(
            app,
            options.host,
            options.port,
            http.max_connections,
            shares_port=options.workers > 1,
            trusted_proxies=options.trusted_proxy,
        )
        _answer(engine, server, stop)
    index.close()
    items.close()


def _answer(engine: "Engine", server: "GatewayServer", stop: threading.Event) -> None:
    engine.start()
    try:
        server.start()
        keep_for_good()
        stop.wait()
        server.stop()
    finally:
        engine.stop()


def _read_settings(
    options: argparse.Namespace,
) -> tuple[GatewayConfig, HttpOptions, AccessTokens | None]:
    """What the flags say. Raises InputError."""
    _check("workers", options.workers, options.workers >= 1, "at least 1")
    _check("port", options.port, 0 <= options.port < 2**16, "between 0 and 65535")
    is_known = options.port > 0 or options.workers == 1
    _check("port", options.port, is_known, "given where there are several workers")
    models = (options.models or options.release.parent).resolve()
    wanted = f"the folder of {options.release.name}, {options.release.parent}"
    _check("models", options.models, models == options.release.parent.resolve(), wanted)
    limits = {name: getattr(options, name) for name in _LIMITS}
    return (
        GatewayConfig(**{name: getattr(options, name) for name in _ENGINE}),
        HttpOptions(**limits, serves_inspector=not options.no_inspector),
        AccessTokens.read(options.token_file) if options.token_file else None,
    )


def _add_settings(parser: argparse.ArgumentParser, config: type, texts: Mapping[str, str]) -> None:
    for field in fields(config):
        if field.name in texts:
            flag, kind = f"--{field.name.replace('_', '-')}", type(field.default)
            parser.add_argument(flag, type=kind, default=field.default, help=texts[field.name])
