"""Queues of every kind, which pass the same tests."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serving.item_queue.config import QueueConfig
from serving.item_queue.item_queue import ItemQueue
from serving.item_queue.sqlite_item_queue import SqliteItemQueue
from tests.support.redis_server import RedisServer

OpenQueue = Callable[..., ItemQueue]


@pytest.fixture(scope="session")
def queue_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("queue_redis"))
    server.start()
    yield server
    server.stop()


_NAMES = itertools.count()


@pytest.fixture(params=["sqlite", "redis"])
def open_queue(request: pytest.FixtureRequest, tmp_path: Path) -> OpenQueue:
    """Opens the same queue each time, as another process would."""
    if request.param == "sqlite":
        return lambda **config: SqliteItemQueue(tmp_path / "queue" / "items.db", QueueConfig(**config))
    from serving.item_queue.redis_item_queue import RedisItemQueue

    server, name = request.getfixturevalue("queue_redis"), f"test{next(_NAMES)}"
    return lambda **config: RedisItemQueue(server.url, name, QueueConfig(**config))


@pytest.fixture
def queue(open_queue: OpenQueue) -> ItemQueue:
    return open_queue()
