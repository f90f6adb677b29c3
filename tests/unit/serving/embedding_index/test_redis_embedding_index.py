"""What the store in Redis does beyond what every store does."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import redis
from redis_server import RedisServer

from serving.embedding_index.errors import CorruptEntry, IndexFull, IndexUnavailable
from serving.embedding_index.redis_embedding_index import RedisEmbeddingIndex
from transforms.input_error import InputError

Start = Callable[..., RedisServer]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a server with options."""
    servers: list[RedisServer] = []

    def start_server(**options: str) -> RedisServer:
        named = {name.replace("_", "-"): value for name, value in options.items()}
        servers.append(RedisServer(tmp_path, named))
        servers[-1].start()
        return servers[-1]

    yield start_server
    for server in servers:
        server.stop()


def test_a_server_that_may_lose_entries_is_refused(start: Start) -> None:
    server = start(appendonly="no")
    with pytest.raises(InputError, match=r"\(appendonly yes\), got one without"):
        RedisEmbeddingIndex(server.url)
    index = RedisEmbeddingIndex(server.url, allow_volatile=True)
    index.put("v1", "image", {"a": None})
    assert index.known("v1", "image", ["a"]) == [True]
    index.close()


@pytest.mark.parametrize(
    "policy, is_refused", [("allkeys-lru", True), ("allkeys-random", True), ("volatile-lru", False)]
)
def test_a_server_that_evicts_entries_is_refused(start: Start, policy: str, is_refused: bool) -> None:
    server = start(maxmemory_policy=policy)
    if is_refused:
        with pytest.raises(InputError, match=f"expected a Redis that evicts nothing .*, got {policy}"):
            RedisEmbeddingIndex(server.url)
    else:
        RedisEmbeddingIndex(server.url).close()


def test_a_full_server_keeps_what_it_acknowledged(start: Start) -> None:
    index = RedisEmbeddingIndex(start(maxmemory="6mb").url)
    acknowledged = 0
    with pytest.raises(IndexFull, match="^Redis: command not allowed when used memory > 'maxmemory'"):
        for number in range(10_000):
            vectors = {f"{number}-{item}": np.full(128, number, np.float32) for item in range(100)}
            index.put("v1", "image", vectors, announce=True)
            acknowledged += 1
    assert acknowledged > 5
    assert index.count("image", "v1") == 100 * acknowledged
    announced = index.changes("image", "v1", 0, 10_000)
    assert [change.sequence for change in announced] == list(range(1, 100 * acknowledged + 1))
    asked = [f"{number}-{item}" for number in range(acknowledged) for item in range(100)]
    found = index.get_version("v1", "image", asked)
    assert [vector[0] for vector in found] == [number for number in range(acknowledged) for _ in range(100)]
    index.close()


def test_goes_on_after_a_restart_and_says_so_meanwhile(start: Start) -> None:
    server = start()
    index = RedisEmbeddingIndex(server.url)
    index.put("v1", "image", {"a": np.ones(2, np.float32), "bare": None})
    index.serve("image", "v1")
    server.kill()
    for ask in (
        lambda: index.get("image", ["a"]),
        lambda: index.known("v1", "image", ["a"]),
        lambda: index.put("v1", "image", {"a": None}),
        lambda: index.serve("image", "v1"),
        lambda: index.served_version("image"),
        lambda: index.versions("image"),
        lambda: index.changes("image", "v1", 0, 1),
        lambda: index.scan("image", "v1"),
    ):
        with pytest.raises(IndexUnavailable, match="^Redis: "):
            ask()
    with pytest.raises(IndexUnavailable):
        RedisEmbeddingIndex(server.url)
    server.start()
    assert index.get("image", ["a"])[0].tolist() == [1, 1]
    assert index.known("v1", "image", ["bare"]) == [True]
    index.close()


def test_every_client_sees_a_switch_at_once(start: Start) -> None:
    server = start()
    one, two = RedisEmbeddingIndex(server.url), RedisEmbeddingIndex(server.url)
    for number in (1, 2):
        one.put(f"v{number}", "image", {"a": np.full(number, number, np.float32)})
    one.serve("image", "v1")
    assert two.get("image", ["a"])[0].tolist() == [1]
    one.serve("image", "v2")
    one.drop("image", "v1")
    assert two.get("image", ["a"])[0].tolist() == [2, 2]
    # The writer that remembers nothing of a dropped version makes it anew.
    two.put("v1", "image", {"a": np.zeros(3, np.float32)})
    assert one.get_version("v1", "image", ["a"])[0].tolist() == [0, 0, 0]
    for index in (one, two):
        index.close()


def test_prefixes_keep_indexes_apart_and_other_keys_are_let_be(start: Start) -> None:
    server = start()
    client = redis.Redis.from_url(server.url)
    client.set("own", "kept")
    one, two = RedisEmbeddingIndex(server.url, prefix="one"), RedisEmbeddingIndex(server.url, prefix="two")
    one.put("v1", "image", {"a": None})
    two.put("v2", "image", {"a": None})
    assert (one.versions("image"), two.versions("image")) == (["v1"], ["v2"])
    one.drop("image", "v1")
    two.drop("image", "v2")
    assert client.keys() == [b"own"]
    for open_one in (one, two, client):
        open_one.close()


def test_a_broken_entry_is_an_error(start: Start) -> None:
    server = start()
    index = RedisEmbeddingIndex(server.url)
    index.put("v1", "image", {"a": np.ones(2, np.float32), "b": None})
    with redis.Redis.from_url(server.url) as client:
        client.hset("adlens:{image}:entries:v1", "a", b"\x80\x04N.")  # a pickle, which nobody opens
    with pytest.raises(CorruptEntry, match="item 'a': expected at least 8 bytes, got 4"):
        index.get_version("v1", "image", ["b", "a"])
    assert index.get_version("v1", "image", ["b"]) == [None]
    assert list(index.scan("image", "v1")) == [(["b"], [None])]
    index.close()


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "", "redis://:secret@host:port"])
def test_addresses_that_cannot_be(url: str) -> None:
    with pytest.raises(InputError, match="expected the URL of a Redis") as error:
        RedisEmbeddingIndex(url)
    assert "secret" not in str(error.value)


def test_arguments_that_cannot_be() -> None:
    with pytest.raises(InputError, match="expected a prefix of"):
        RedisEmbeddingIndex("redis://localhost", prefix="{x}")
    with pytest.raises(InputError, match="expected timeout_seconds above 0, got 0"):
        RedisEmbeddingIndex("redis://localhost", timeout_seconds=0)


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(IndexUnavailable, match="Redis: "):
        RedisEmbeddingIndex("unix:///nowhere/redis.sock")
