"""The embedding index in Redis."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import redis

from serving.checked_arguments import check_limit, check_names, encode_ids
from serving.embedding_index.change import Change
from serving.embedding_index.checked_arguments import (
    agree_on_dim,
    check_after,
    check_feed,
    encode_entries,
    unknown_version,
)
from serving.embedding_index.entry_format import decode_entry, decode_whole
from serving.embedding_index.errors import EMBEDDING_INDEX, IndexUnavailable
from serving.redis_connection import RedisConnection
from transforms.input_error import InputError

# How often a change or a read starts over because somebody switched, made or dropped a version meanwhile.
_ATTEMPTS = 20
_SCAN_BATCH = 1_000
# Moves items to the end of a version's feed. As a part of a transaction no other writer's come in between.
_ANNOUNCE = """
local sequence = redis.call('INCRBY', KEYS[1], #ARGV) - #ARGV
for place, item_id in ipairs(ARGV) do
  redis.call('ZADD', KEYS[2], sequence + place, item_id)
end
"""
# Writes the entries, after the command to do so with, of items that are not in the feed.
_PUT_UNANNOUNCED = """
for place = 2, #ARGV, 2 do
  if not redis.call('ZSCORE', KEYS[2], ARGV[place]) then
    redis.call(ARGV[1], KEYS[1], ARGV[place], ARGV[place + 1])
  end
end
"""


class RedisEmbeddingIndex:
    """`EmbeddingIndex` in Redis, shared by many machines.

    A version's entries are one hash and its feed is one sorted set; another hash has each version's dim, and
    a string names the served version. All keys of a modality have its name as hash tag, so that they lie on
    one node. A put, a switch and a drop are a transaction each (WATCH, MULTI, EXEC). A get asks in one go for
    the entries of the version that was served last time and then for the served version, and asks again only
    if that has become another. Reads are no transactions, since a server whose memory is full refuses these
    even if they only read.

    An acknowledged put is as durable as the server's append-only file: with `appendfsync always` it is on
    disk, with `appendfsync everysec` a power cut or a full disk may take about the last second. So the server
    must have `appendonly yes`, and an eviction policy that evicts nothing that has no expiry.

    Args:
        url: `redis://[[user]:password@]host:port[/db]`, `rediss://…` for TLS, or `unix://…`.
        prefix: begins all keys, for several indexes in one Redis.
        timeout_seconds: for connecting and for each answer; a call that finds its connection broken connects
            once more. A put that has timed out may have been stored, and may be repeated.
        allow_volatile: whether a server may lose entries, without an append-only file or with evictions.
    Raises:
        InputError: the URL or the prefix cannot be, or the server may lose entries.
        IndexUnavailable: the server does not answer.
    """

    def __init__(
        self, url: str, prefix: str = "adlens", timeout_seconds: float = 1.0, allow_volatile: bool = False
    ) -> None:
        check_names(prefix=prefix)
        self._prefix = prefix
        # By modality. It may be out of date, which a get notices.
        self._last_served: dict[str, str] = {}
        self._redis = RedisConnection(url, timeout_seconds, allow_volatile, EMBEDDING_INDEX)

    def put(
        self,
        version: str,
        modality: str,
        vectors: Mapping[str, np.ndarray | None],
        replace: bool = True,
        announce: bool = False,
        unless_announced: bool = False,
    ) -> None:
        """See `EmbeddingIndex.put`."""
        check_names(modality=modality, version=version)
        check_feed(announce, unless_announced)
        entries, dim = encode_entries(vectors)

        def change(pipe: Any) -> None:
            before = pipe.hget(self._dims(modality), version)
            after = agree_on_dim(modality, version, int(before or 0), dim)
            pipe.multi()
            # Setting it to the same value would undo what other writers are about to do.
            if before is None or int(before) != after:
                pipe.hset(self._dims(modality), version, str(after))
            if unless_announced:
                keys = self._entries(modality, version), self._changes(modality, version)
                pairs = (part for pair in entries.items() for part in pair)
                pipe.eval(_PUT_UNANNOUNCED, len(keys), *keys, "HSET" if replace else "HSETNX", *pairs)
            elif replace and entries:
                pipe.hset(self._entries(modality, version), mapping=entries)
            elif not replace:
                for key, entry in entries.items():
                    pipe.hsetnx(self._entries(modality, version), key, entry)
            if announce and entries:
                keys = self._sequence(modality), self._changes(modality, version)
                pipe.eval(_ANNOUNCE, len(keys), *keys, *entries)

        self._change([self._dims(modality)], change)

    def get(self, modality: str, item_ids: Sequence[str]) -> list[np.ndarray | None]:
        """See `EmbeddingIndex.get`."""
        check_names(modality=modality)
        keys = encode_ids(item_ids)
        version = self._last_served.get(modality)
        for _ in range(_ATTEMPTS):
            served, found = self._read_if_served(modality, version, keys)
            if served is None:
                raise IndexUnavailable(f"no version of {modality} is served yet")
            if served == version:
                return _decode(keys, found)
            version = self._last_served[modality] = served
        raise IndexUnavailable(f"the served version of {modality} changed {_ATTEMPTS} times during a read")

    def get_version(self, version: str, modality: str, item_ids: Sequence[str]) -> list[np.ndarray | None]:
        """See `EmbeddingIndex.get_version`."""
        check_names(modality=modality, version=version)
        keys = encode_ids(item_ids)
        with self._redis.pipeline() as pipe:
            self._ask(pipe, modality, version, keys)
            pipe.hexists(self._dims(modality), version)
            *found, is_there = pipe.execute()
        if not is_there:
            raise unknown_version(modality, version)
        return _decode(keys, found)

    def known(self, version: str, modality: str, item_ids: Sequence[str]) -> list[bool]:
        """See `EmbeddingIndex.known`."""
        check_names(modality=modality, version=version)
        keys = encode_ids(item_ids)
        with self._redis.pipeline() as pipe:
            for key in keys:
                pipe.hexists(self._entries(modality, version), key)
            return [bool(is_there) for is_there in pipe.execute()]

    def changes(self, modality: str, version: str, after: int, limit: int) -> list[Change]:
        """See `EmbeddingIndex.changes`."""
        check_names(modality=modality, version=version)
        check_after(after)
        check_limit(limit)
        with self._redis.errors():
            found = self._redis.client.zrange(
                self._changes(modality, version),
                after + 1,
                "+inf",
                byscore=True,
                offset=0,
                num=limit,
                withscores=True,
            )
        return [Change(int(sequence), item_id.decode()) for item_id, sequence in found]

    def scan(self, modality: str, version: str) -> Iterator[tuple[list[str], list[np.ndarray | None]]]:
        """See `EmbeddingIndex.scan`."""
        # Counting says at the call, and not at the first batch, that there is no such version.
        self.count(modality, version)
        return self._scan(modality, version)

    def serve(self, modality: str, version: str) -> None:
        """See `EmbeddingIndex.serve`."""
        check_names(modality=modality, version=version)

        def change(pipe: Any) -> None:
            if not pipe.hexists(self._dims(modality), version):
                raise unknown_version(modality, version)
            pipe.multi()
            pipe.set(self._served(modality), version)

        self._change([self._dims(modality)], change)

    def served_version(self, modality: str) -> str | None:
        """See `EmbeddingIndex.served_version`."""
        check_names(modality=modality)
        with self._redis.errors():
            version = self._redis.client.get(self._served(modality))
        return None if version is None else version.decode()

    def versions(self, modality: str) -> list[str]:
        """See `EmbeddingIndex.versions`."""
        check_names(modality=modality)
        with self._redis.errors():
            return sorted(version.decode() for version in self._redis.client.hkeys(self._dims(modality)))

    def count(self, modality: str, version: str) -> int:
        """See `EmbeddingIndex.count`."""
        check_names(modality=modality, version=version)
        with self._redis.pipeline() as pipe:
            pipe.hlen(self._entries(modality, version))
            pipe.hexists(self._dims(modality), version)
            count, is_there = pipe.execute()
        if not is_there:
            raise unknown_version(modality, version)
        return count

    def drop(self, modality: str, version: str) -> None:
        """See `EmbeddingIndex.drop`. Redis frees the space in the background."""
        check_names(modality=modality, version=version)

        def change(pipe: Any) -> None:
            if not pipe.hexists(self._dims(modality), version):
                raise unknown_version(modality, version)
            if pipe.get(self._served(modality)) == version.encode():
                raise InputError(f"{modality} version {version} is being served; serve another one first")
            pipe.multi()
            pipe.hdel(self._dims(modality), version)
            pipe.unlink(self._entries(modality, version), self._changes(modality, version))

        self._change([self._dims(modality), self._served(modality)], change)

    def close(self) -> None:
        """See `EmbeddingIndex.close`."""
        self._redis.close()

    def _served(self, modality: str) -> str:
        return f"{self._prefix}:{{{modality}}}:served"

    def _dims(self, modality: str) -> str:
        return f"{self._prefix}:{{{modality}}}:dims"

    def _entries(self, modality: str, version: str) -> str:
        return f"{self._prefix}:{{{modality}}}:entries:{version}"

    def _changes(self, modality: str, version: str) -> str:
        return f"{self._prefix}:{{{modality}}}:changes:{version}"

    def _sequence(self, modality: str) -> str:
        return f"{self._prefix}:{{{modality}}}:sequence"

    def _scan(self, modality: str, version: str) -> Iterator[tuple[list[str], list[np.ndarray | None]]]:
        cursor = None
        while cursor != 0:
            with self._redis.pipeline() as pipe:
                pipe.hscan(self._entries(modality, version), cursor or 0, count=_SCAN_BATCH)
                pipe.hexists(self._dims(modality), version)
                (cursor, entries), is_there = pipe.execute()
            if not is_there:
                raise unknown_version(modality, version)
            if entries:
                yield decode_whole(entries.items())

    def _read_if_served(
        self, modality: str, version: str | None, keys: Sequence[bytes]
    ) -> tuple[str | None, list[list[bytes | None]]]:
        """The served version, and what a version, which may be another one, has for the keys.

        A version that is served after its entries were read was not dropped before.
        """
        with self._redis.pipeline() as pipe:
            if version is not None:
                self._ask(pipe, modality, version, keys)
            pipe.get(self._served(modality))
            *found, served = pipe.execute()
        return None if served is None else served.decode(), found

    def _ask(self, pipe: Any, modality: str, version: str, keys: Sequence[bytes]) -> None:
        # Redis takes no command without a key.
        if keys:
            pipe.hmget(self._entries(modality, version), keys)

    def _change(self, watched: Sequence[str], change: Callable[[Any], None]) -> None:
        """Runs a change that first looks, then queues commands; starts over if what it saw has changed."""
        for _ in range(_ATTEMPTS):
            with self._redis.pipeline(is_transaction=True) as pipe:
                try:
                    pipe.watch(*watched)
                    change(pipe)
                    pipe.execute()
                except redis.WatchError:
                    continue
                return
        raise IndexUnavailable(f"others changed {', '.join(watched)} {_ATTEMPTS} times during a change")


def _decode(keys: Sequence[bytes], found: list[list[bytes | None]]) -> list[np.ndarray | None]:
    entries = found[0] if found else []
    return [
        None if entry is None else decode_entry(key, entry) for key, entry in zip(keys, entries, strict=True)
    ]
