"""What the item store in Redis does beyond what every item store does."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from redis_server import RedisServer

from serving.item_store.errors import CorruptItem, ItemStoreFull, ItemStoreUnavailable
from serving.item_store.redis_item_store import RedisItemStore
from serving.item_store.stored_item import StoredItem
from transforms.input_error import InputError

Start = Callable[..., RedisServer]
A = StoredItem("a", "shoes", "shop_1", "red shoe", {"price": 9.5})


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a server with options."""
    servers: list[RedisServer] = []

    def start_server(**options: str) -> RedisServer:
        servers.append(RedisServer(tmp_path, options))
        servers[-1].start()
        return servers[-1]

    yield start_server
    for server in servers:
        server.stop()


def test_a_server_that_may_lose_items_is_refused(start: Start) -> None:
    server = start(appendonly="no")
    with pytest.raises(InputError, match=r"\(appendonly yes\), got one without"):
        RedisItemStore(server.url)
    store = RedisItemStore(server.url, allow_volatile=True)
    store.put([A], {})
    assert store.get(["a"]) == [A]
    store.close()


def test_a_full_server_keeps_what_it_acknowledged(start: Start) -> None:
    store = RedisItemStore(start(maxmemory="6mb").url)
    acknowledged = 0
    with pytest.raises(ItemStoreFull, match="^Redis: .*OOM|^Redis: .*maxmemory"):
        for number in range(10_000):
            names = [f"{number:04}-{part}" for part in range(10)]
            pictures = {name: name.encode() * 1_000 for name in names}
            store.put([StoredItem(name, "", "", None, {}) for name in names], pictures)
            acknowledged += 1
    assert acknowledged > 5
    names = [f"{number:04}-{part}" for number in range(acknowledged) for part in range(10)]
    assert [item.item_id for item in store.first(10_000)] == names
    assert store.count() == len(names)
    assert all(store.image(name) == name.encode() * 1_000 for name in names)
    store.close()


def test_goes_on_after_a_restart_and_says_so_meanwhile(start: Start) -> None:
    server = start()
    store = RedisItemStore(server.url)
    store.put([A], {"a": b"picture"})
    server.kill()
    for ask in (
        lambda: store.put([A], {}),
        lambda: store.get(["a"]),
        lambda: store.image("a"),
        lambda: store.count(),
        lambda: store.first(1),
    ):
        with pytest.raises(ItemStoreUnavailable, match="^Redis: "):
            ask()
    server.start()
    assert (store.get(["a"]), store.image("a"), store.first(1)) == ([A], b"picture", [A])
    store.close()


def test_prefixes_keep_stores_apart_and_other_keys_are_let_be(start: Start) -> None:
    server = start()
    one, two = RedisItemStore(server.url, prefix="one"), RedisItemStore(server.url, prefix="two")
    one.put([A], {"a": b"picture"})
    assert (one.count(), two.count(), two.get(["a"]), two.image("a")) == (1, 0, [None], None)
    with redis.Redis.from_url(server.url) as client:
        # One hash tag, so that a cluster has them on one node.
        assert sorted(client.keys()) == [
            b"{one:catalog}:ids",
            b"{one:catalog}:images",
            b"{one:catalog}:items",
            b"{one:catalog}:shops",
        ]
    for store in (one, two):
        store.close()


def test_a_broken_item_is_an_error(start: Start) -> None:
    server = start()
    store = RedisItemStore(server.url)
    store.put([A], {"a": b"picture"})
    with redis.Redis.from_url(server.url) as client:
        client.hset("{adlens:catalog}:items", "a", b"\x80\x04N.")  # a pickle, which nobody opens
        client.hset("{adlens:catalog}:images", "a", b"\x80")
    with pytest.raises(CorruptItem, match="item 'a': expected checksum"):
        store.get(["a"])
    with pytest.raises(CorruptItem, match="item 'a': expected at least 4 bytes, got 1"):
        store.image("a")
    store.close()


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis://:secret@host:port"])
def test_addresses_that_cannot_be(url: str) -> None:
    with pytest.raises(InputError, match="expected the URL of a Redis") as error:
        RedisItemStore(url)
    assert "secret" not in str(error.value)


def test_arguments_that_cannot_be() -> None:
    with pytest.raises(InputError, match="expected a prefix of"):
        RedisItemStore("redis://localhost", prefix="{x}")
    with pytest.raises(InputError, match="expected timeout_seconds above 0, got 0"):
        RedisItemStore("redis://localhost", timeout_seconds=0)
