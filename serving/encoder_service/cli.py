"""The command line of the encoder service."""

import argparse
import json
import logging
import signal
import sys
import threading
from contextlib import nullcontext
from dataclasses import fields

from serving.encoder_service.config import EncoderServiceConfig
from serving.garbage import keep_for_good
from serving.store_address import store_address

_HELP = {
    "image_model": "the model server's name of the encoder of pictures",
    "text_model": "the model server's name of the encoder of titles",
    "workers": "threads that work off batches of their own",
    "batch_size": "items of a batch, at most",
    "lease_seconds": "how long a dead worker's items wait; the same for all workers of a queue",
    "encoder_timeout_seconds": "deadline of each call of an encoder",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what `run` reads."""
    parser.add_argument(
        "--queue",
        type=store_address,
        required=True,
        help="redis://HOST:PORT/N, the queue's database file, or @FILE with the address",
    )
    parser.add_argument(
        "--index",
        type=store_address,
        required=True,
        help="redis://HOST:PORT/N, the index's folder, or @FILE with the address",
    )
    parser.add_argument("--model-server", required=True, metavar="HOST:PORT", help="the gRPC port")
    for field in fields(EncoderServiceConfig):
        if field.name in _HELP:
            flag = f"--{field.name.replace('_', '-')}"
            kind = type(field.default)
            parser.add_argument(flag, type=kind, default=field.default, help=_HELP[field.name])
    parser.add_argument(
        "--status-port", type=int, help="serve /metrics, /status and /health here; by default nowhere"
    )
    parser.add_argument("--status-host", default="127.0.0.1", help="the address of that port")


def run(options: argparse.Namespace) -> int:
    """Encodes items until SIGTERM or SIGINT, then ends the batches at hand. Returns 0.

    Raises:
        InputError: an address or a setting that cannot be.
    """
    config = EncoderServiceConfig(**{name: getattr(options, name) for name in _HELP})
    # TensorFlow's messages take seconds to import, which a wrong setting need not wait for.
    from serving.embedding_index.open_embedding_index import open_embedding_index
    from serving.encoder_service.remote_encoder import open_channel
    from serving.encoder_service.status_server import StatusServer
    from serving.encoder_service.worker import Workers
    from serving.item_queue.open_item_queue import open_item_queue

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    queue, index = open_item_queue(options.queue), open_embedding_index(options.index)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with open_channel(options.model_server) as channel:
        workers = Workers(queue, index, channel, config)
        with (
            nullcontext()
            if options.status_port is None
            else StatusServer(
                options.status_host,
                options.status_port,
                workers.metrics.registry,
                workers.metrics.status,
                workers.are_alive,
            )
        ):
            keep_for_good()
            workers.run(stop)
        print(json.dumps(workers.metrics.status()), file=sys.stderr)
    index.close()
    return 0
