"""Finds the queue that an address means."""

from pathlib import Path
from urllib.parse import urlsplit

from serving.item_queue.config import QueueConfig
from serving.item_queue.item_queue import ItemQueue
from serving.item_queue.sqlite_item_queue import SqliteItemQueue
from transforms.input_error import InputError

_REDIS = ("redis", "rediss", "unix")


def open_item_queue(address: str, config: QueueConfig | None = None) -> ItemQueue:
    """Opens a queue, and makes it where there is none.

    Args:
        address: "redis://host:port/database", "rediss://…" for TLS, "unix://…", or the path of a database file.
        config: bounds.
    Raises:
        InputError: an address of another kind, or the client of Redis is not installed.
        QueueUnavailable: the store does not answer.
    """
    scheme = urlsplit(address).scheme
    if scheme in _REDIS:
        try:
            from serving.item_queue.redis_item_queue import RedisItemQueue
        except ModuleNotFoundError as error:
            raise InputError(f"expected the package redis for {scheme}://, got: {error}") from error
        return RedisItemQueue(address, config=config)
    if "://" in address:
        raise InputError(f"expected a queue at redis://, rediss://, unix:// or in a file, got {scheme}://")
    return SqliteItemQueue(Path(address), config)
