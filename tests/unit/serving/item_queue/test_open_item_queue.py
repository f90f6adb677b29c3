"""What addresses mean."""

import sys

import pytest

from serving.item_queue.config import QueueConfig
from serving.item_queue.errors import QueueUnavailable
from serving.item_queue.open_item_queue import open_item_queue
from serving.item_queue.sqlite_item_queue import SqliteItemQueue
from transforms.input_error import InputError


def test_a_path_is_a_database_file(tmp_path):
    queue = open_item_queue(str(tmp_path / "new" / "q.db"), QueueConfig(max_items=7))
    assert isinstance(queue, SqliteItemQueue)
    assert queue.config.max_items == 7
    assert (tmp_path / "new" / "q.db").is_file()


def test_redis_is_asked(tmp_path):
    with pytest.raises(QueueUnavailable):
        open_item_queue(f"unix://{tmp_path}/none.sock")


def test_another_kind_is_refused():
    with pytest.raises(InputError, match="got kafka://"):
        open_item_queue("kafka://host:1")


def test_a_missing_client_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "serving.item_queue.redis_item_queue", raising=False)
    with pytest.raises(InputError, match="expected the package redis"):
        open_item_queue("redis://localhost:1")
