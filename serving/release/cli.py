"""The command line of the publisher."""

import argparse
import logging
import signal
import threading
from pathlib import Path

from serving.release.publish_config import PublishConfig
from serving.store_address import store_address


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what `run` reads."""
    parser.add_argument("--release", type=Path, required=True, help="release.json, as a run writes it")
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
    parser.add_argument(
        "--wait-seconds",
        type=float,
        default=PublishConfig.wait_seconds,
        help="how long a switch to a new encoder waits until items of the queue are encoded by it",
    )
    parser.add_argument("--watch", action="store_true", help="publish each release that comes, until SIGTERM")
    parser.add_argument(
        "--ready-file", type=Path, help="a file that gets a release's number once it is published"
    )


def run(options: argparse.Namespace) -> int:
    """Publishes the release, or with `--watch` each new one until SIGTERM or SIGINT. Returns 0.

    Raises:
        InputError: a setting, an address or the release that cannot be; without `--watch` also a store that fails.
    """
    config = PublishConfig(wait_seconds=options.wait_seconds)
    from serving.release.publisher import Publisher

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    publisher = Publisher(
        options.release, options.index, options.items, options.queue, options.ready_file, config
    )
    with publisher:
        if options.watch:
            publisher.watch(stop)
        else:
            publisher.publish_once(stop)
    return 0
