"""The item store in Redis."""

from collections.abc import Mapping, Sequence

from serving.checked_arguments import check_limit, check_names, encode_id, encode_ids
from serving.item_store.checked_put import EncodedItem, encode_mark, encode_put
from serving.item_store.errors import ITEM_STORE
from serving.item_store.item_format import decode_image, decode_items
from serving.item_store.stored_item import StoredItem
from serving.redis_connection import RedisConnection

# Writes the items of a put, of which each has four arguments after the first; whole or not at all.
_PUT = """
local items, ids, images, shops = unpack(KEYS)
local of_catalog = ARGV[1] == '1'
local stored = 0
for place = 2, #ARGV, 4 do
  local id, entry, image_change, image = unpack(ARGV, place, place + 3)
  if not of_catalog then
    redis.call('SADD', shops, id)
  end
  if not of_catalog or redis.call('SISMEMBER', shops, id) == 0 then
    stored = stored + 1
    redis.call('HSET', items, id, entry)
    redis.call('ZADD', ids, 0, id)
    if image_change == 'put' then
      redis.call('HSET', images, id, image)
    elseif image_change == 'remove' then
      redis.call('HDEL', images, id)
    end
  end
end
return stored
"""


class RedisItemStore:
    """`ItemStore` in Redis, shared by many machines.

    Items are one hash, their pictures another and marks a third; a sorted set has the ids in order, and a set
    those that a shop has put. All keys have the same hash tag, so that they lie on one node. A put is one script,
    a get one command.

    An acknowledged put is as durable as the server's append-only file: with `appendfsync always` it is on disk,
    with `appendfsync everysec` a power cut or a full disk may take about the last second. So the server must have
    `appendonly yes`, and an eviction policy that evicts nothing that has no expiry.

    Args:
        url: `redis://[[user]:password@]host:port[/db]`, `rediss://…` for TLS, or `unix://…`.
        prefix: begins all keys, for several stores in one Redis.
        timeout_seconds: for connecting and for each answer; a call that finds its connection broken connects
            once more. A put that has timed out may have been stored, and may be repeated.
        allow_volatile: whether a server may lose items, without an append-only file or with evictions.
    Raises:
        InputError: the URL or the prefix cannot be, or the server may lose items.
        ItemStoreUnavailable: the server does not answer.
    """

    def __init__(
        self, url: str, prefix: str = "adlens", timeout_seconds: float = 2.0, allow_volatile: bool = False
    ) -> None:
        check_names(prefix=prefix)
        tag = f"{{{prefix}:catalog}}"
        self._items, self._ids, self._images = f"{tag}:items", f"{tag}:ids", f"{tag}:images"
        self._shops, self._marks = f"{tag}:shops", f"{tag}:marks"
        self._redis = RedisConnection(url, timeout_seconds, allow_volatile, ITEM_STORE)

    def put(
        self, items: Sequence[StoredItem], images: Mapping[str, bytes | None], of_catalog: bool = False
    ) -> int:
        """See `ItemStore.put`."""
        keys = self._items, self._ids, self._images, self._shops
        arguments = [argument for item in encode_put(items, images) for argument in _to_arguments(item)]
        with self._redis.errors():
            return int(self._redis.client.eval(_PUT, len(keys), *keys, int(of_catalog), *arguments))

    def get(self, item_ids: Sequence[str]) -> list[StoredItem | None]:
        """See `ItemStore.get`."""
        return self._read(encode_ids(item_ids))

    def image(self, item_id: str) -> bytes | None:
        """See `ItemStore.image`."""
        key = encode_id(item_id)
        with self._redis.errors():
            entry = self._redis.client.hget(self._images, key)
        return None if entry is None else decode_image(key, entry)

    def count(self) -> int:
        """See `ItemStore.count`."""
        with self._redis.errors():
            return int(self._redis.client.hlen(self._items))

    def first(self, limit: int, after: str = "") -> list[StoredItem]:
        """See `ItemStore.first`."""
        check_limit(limit)
        start = b"(" + encode_id(after) if after else b"-"
        with self._redis.errors():
            keys = self._redis.client.zrangebylex(self._ids, start, b"+", 0, limit)
        # Nobody removes items, so that all of them are there.
        return [item for item in self._read(keys) if item is not None]

    def set_mark(self, name: str, value: str) -> None:
        """See `ItemStore.set_mark`."""
        key, entry = encode_mark(name, value)
        with self._redis.errors():
            self._redis.client.hset(self._marks, key, entry)

    def mark(self, name: str) -> str | None:
        """See `ItemStore.mark`."""
        check_names(name=name)
        with self._redis.errors():
            value = self._redis.client.hget(self._marks, name)
        return None if value is None else value.decode()

    def close(self) -> None:
        """See `ItemStore.close`."""
        self._redis.close()

    def _read(self, keys: Sequence[bytes]) -> list[StoredItem | None]:
        # Redis takes no command without a key.
        if not keys:
            return []
        with self._redis.errors():
            entries = self._redis.client.hmget(self._items, keys)
        return decode_items(keys, entries)


def _to_arguments(item: EncodedItem) -> tuple[bytes, bytes, str, bytes]:
    image_change = "keep" if not item.has_new_image else "remove" if item.image is None else "put"
    return item.key, item.entry, image_change, item.image or b""
