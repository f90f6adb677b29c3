"""What is Redis' own: crashes, memory, and servers that keep nothing."""

import pytest
import redis

from serving.item_queue.config import QueueConfig
from serving.item_queue.errors import QueueFull, QueueUnavailable
from serving.item_queue.new_item import NewItem
from serving.item_queue.redis_item_queue import RedisItemQueue
from tests.support.redis_server import RedisServer
from transforms.input_error import InputError


def item(item_id: str, size: int = 10) -> NewItem:
    return NewItem(item_id, bytes(size), "title", "c", "s", 1.0)


@pytest.fixture
def make_server(tmp_path):
    servers = []

    def make(**options: str) -> RedisServer:
        server = RedisServer(tmp_path, {name.replace("_", "-"): value for name, value in options.items()})
        servers.append(server)
        server.start()
        return server

    yield make
    for server in servers:
        server.stop()


def test_a_killed_server_keeps_items_claims_retries_and_dead_letters(make_server):
    server = make_server()
    queue = RedisItemQueue(server.url)
    for name in "abcd":
        queue.put(item(name))
    first, second, third = queue.claim("w", 3, 60)
    queue.retry(first, 0, "again")
    queue.bury(second, "bad")
    server.kill()
    with pytest.raises(QueueUnavailable):
        queue.put(item("e"))
    server.start()
    assert queue.waiting() == 3
    assert [letter.item_id for letter in queue.dead(9)] == ["b"]
    assert queue.acknowledge([third]) == [third]
    assert [(claim.item.item_id, claim.attempts) for claim in queue.claim("v", 9, 60)] == [("d", 1), ("a", 2)]


def test_no_memory_left_is_a_full_queue(make_server):
    server = make_server(maxmemory="4mb", maxmemory_policy="noeviction")
    queue = RedisItemQueue(server.url)
    with pytest.raises(QueueFull, match="memory"):
        for number in range(200):
            queue.put(item(str(number), 50_000))
    stored = queue.waiting()
    assert 1 < stored < 200
    # What is there can be worked off all the same, and makes room.
    claims = queue.claim("w", 200, 60)
    assert len(claims) == stored
    assert queue.renew(claims) == claims
    assert queue.retry(claims[0], 0, "again")
    assert queue.bury(claims[1], "bad")
    assert queue.acknowledge(claims[2:]) == claims[2:]
    queue.put(item("next", 50_000))
    assert [claim.item.item_id for claim in queue.claim("w", 9, 60)] == ["next", "0"]


def test_a_server_that_keeps_nothing_is_refused(make_server):
    with pytest.raises(InputError, match="appendonly yes .* got appendonly no"):
        RedisItemQueue(make_server(appendonly="no").url)


def test_a_server_that_evicts_is_refused(make_server):
    server = make_server(maxmemory="8mb", maxmemory_policy="allkeys-lru")
    with pytest.raises(InputError, match="evicts nothing, got maxmemory-policy allkeys-lru"):
        RedisItemQueue(server.url)


def test_a_server_that_syncs_each_second_is_warned_of(make_server, caplog):
    RedisItemQueue(make_server(appendfsync="everysec").url).put(item("a"))
    assert "appendfsync everysec" in caplog.text


def test_no_server_is_said(tmp_path):
    with pytest.raises(QueueUnavailable):
        RedisItemQueue(f"unix://{tmp_path}/none.sock")


def test_an_address_that_is_none_is_refused_without_its_password():
    with pytest.raises(InputError) as error:
        RedisItemQueue("redis://:secret@host:port/0")
    assert "secret" not in str(error.value)


def test_queues_of_other_names_are_others(make_server):
    server = make_server()
    RedisItemQueue(server.url, "one").put(item("a"))
    assert RedisItemQueue(server.url, "two").waiting() == 0
    assert RedisItemQueue(server.url, "one").waiting() == 1


def test_it_leaves_nothing_behind_but_the_numbers(make_server):
    server = make_server()
    queue = RedisItemQueue(server.url)
    for name in "abc":
        queue.put(item(name))
    queue.put(item("a", 20))
    first, second, third = queue.claim("w", 9, 60)
    queue.retry(first, 0, "again")
    queue.acknowledge([second, third])
    queue.acknowledge(queue.claim("w", 9, 60))
    with redis.Redis.from_url(server.url) as client:
        assert sorted(client.keys()) == [
            b"{adlens:items}:" + key for key in (b"bytes", b"sequence", b"stream")
        ]
        assert client.get("{adlens:items}:bytes") == b"0"
        assert client.xlen("{adlens:items}:stream") == 0


def test_workers_that_went_long_ago_are_forgotten(make_server, monkeypatch):
    server = make_server()
    queue = RedisItemQueue(server.url)
    queue.put(item("a"))
    queue.put(item("b"))
    queue.acknowledge(queue.claim("gone", 1, 60))
    held = queue.claim("working", 1, 60)
    monkeypatch.setattr("serving.item_queue.redis_item_queue._FORGET_WORKERS_MS", -1)
    again = RedisItemQueue(server.url)
    with redis.Redis.from_url(server.url) as client:
        names = [each["name"] for each in client.xinfo_consumers("{adlens:items}:stream", "encoders")]
    assert names == [b"working"]
    assert again.acknowledge(held) == held


def test_bounds_hold_in_redis(make_server):
    queue = RedisItemQueue(make_server().url, config=QueueConfig(max_items=1))
    queue.put(item("a"))
    with pytest.raises(QueueFull, match="at most 1 items"):
        queue.put(item("b"))
