"""Finds the queue that an address means."""

from pathlib import Path

from serving.item_queue.config import QueueConfig
from serving.item_queue.item_queue import ItemQueue
from serving.item_queue.sqlite_item_queue import SqliteItemQueue
from serving.store_address import is_redis


def open_item_queue(address: str, config: QueueConfig | None = None) -> ItemQueue:
    """Opens a queue, and makes it where there is none.

    Args:
        address: "redis://host:port/database", "rediss://…" for TLS, "unix://…", or the path of a database file.
        config: bounds.
    Raises:
        InputError: an address of another kind, or the client of Redis is not installed.
        QueueUnavailable: the store does not answer.
    """
    if is_redis(address, "a queue at redis://, rediss://, unix:// or in a file"):
        from serving.item_queue.redis_item_queue import RedisItemQueue

        return RedisItemQueue(address, config=config)
    return SqliteItemQueue(Path(address), config)
