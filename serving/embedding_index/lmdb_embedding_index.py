"""The embedding index in one folder."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import lmdb
import numpy as np

from serving.checked_arguments import MAX_BATCH, check_limit, check_names, encode_ids
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
from serving.lmdb_environment import LmdbEnvironment
from transforms.input_error import InputError

# All but the first have keys that begin with a generation. A version's feed is there twice: items by sequence,
# for readers, and sequences by item, to find an item's old place.
_STATE, _ENTRIES, _CHANGES, _SEQUENCES = "state", "entries", "changes", "sequences"
_NEXT_GENERATION, _LAST_SEQUENCE, _DROPPED = b"next_generation", b"last_sequence", b"dropped/"
_SCAN_BATCH = 1_000


class LmdbEmbeddingIndex:
    """`EmbeddingIndex` in one folder, without a server.

    A put is one transaction that is on disk when it returns; a get is one transaction too, which waits for no
    writer. Writers, in whatever process, take turns. Entries of a version stand under a generation, a number
    that is used once, so that a version that is dropped and made again has nothing of its former entries.

    A process opens a folder once, and all its threads share that index; a process that forks opens it after
    the fork. The folder must lie on a local disk, since LMDB's locks do not hold over a network.

    Args:
        folder: made where it is absent, unless `readonly`.
        max_bytes: what the index may grow to; the same for all processes. By default 64 GiB.
        max_readers: reads at once, over all processes.
        readonly: whether this process only reads.
    Raises:
        InputError: the folder cannot be opened, or a limit is too small.
    """

    def __init__(
        self,
        folder: str | Path,
        max_bytes: int = 64 * 2**30,
        max_readers: int = 512,
        readonly: bool = False,
    ) -> None:
        names = [_STATE, _ENTRIES, _CHANGES, _SEQUENCES]
        self._environment = LmdbEnvironment(folder, max_bytes, max_readers, readonly, names, EMBEDDING_INDEX)
        databases = self._environment.databases
        self._state, self._entries, self._changes, self._sequences = (databases[name] for name in names)

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

        def change(transaction: lmdb.Transaction) -> None:
            before = self._find(transaction, modality, version) or self._new_version(transaction)
            agreed = agree_on_dim(modality, version, before.dim, dim)
            own = self._unannounced(transaction, before.prefix, entries) if unless_announced else entries
            added = self._store(transaction, before.prefix, own, replace)
            if announce:
                self._announce(transaction, before.prefix, entries)
            after = _Version(before.generation, agreed, before.count + added)
            if after != before or not entries:
                transaction.put(_version_key(modality, version), after.to_bytes(), db=self._state)

        self._environment.write(change)

    def get(self, modality: str, item_ids: Sequence[str]) -> list[np.ndarray | None]:
        """See `EmbeddingIndex.get`."""
        check_names(modality=modality)
        keys = encode_ids(item_ids)

        def look(transaction: lmdb.Transaction) -> list[np.ndarray | None]:
            version = self._served(transaction, modality)
            if version is None:
                raise IndexUnavailable(f"no version of {modality} is served yet")
            return self._read(transaction, modality, version, keys)

        return self._environment.read(look)

    def get_version(self, version: str, modality: str, item_ids: Sequence[str]) -> list[np.ndarray | None]:
        """See `EmbeddingIndex.get_version`."""
        check_names(modality=modality, version=version)
        keys = encode_ids(item_ids)
        return self._environment.read(lambda transaction: self._read(transaction, modality, version, keys))

    def known(self, version: str, modality: str, item_ids: Sequence[str]) -> list[bool]:
        """See `EmbeddingIndex.known`."""
        check_names(modality=modality, version=version)
        keys = encode_ids(item_ids)

        def look(transaction: lmdb.Transaction) -> list[bool]:
            found = self._find(transaction, modality, version)
            if found is None:
                return [False] * len(keys)
            return [transaction.get(found.prefix + key, db=self._entries) is not None for key in keys]

        return self._environment.read(look)

    def changes(self, modality: str, version: str, after: int, limit: int) -> list[Change]:
        """See `EmbeddingIndex.changes`."""
        check_names(modality=modality, version=version)
        check_after(after)
        check_limit(limit)

        def look(transaction: lmdb.Transaction) -> list[Change]:
            found = self._find(transaction, modality, version)
            if found is None:
                return []
            start = found.prefix + _sequence_key(after + 1)
            feed = self._items(transaction, self._changes, found.prefix, start)
            return [
                Change(int.from_bytes(key[len(found.prefix) :], "big"), bytes(item_id).decode())
                for key, item_id in islice(feed, limit)
            ]

        return self._environment.read(look)

    def scan(self, modality: str, version: str) -> Iterator[tuple[list[str], list[np.ndarray | None]]]:
        """See `EmbeddingIndex.scan`."""
        # Counting says at the call, and not at the first batch, that there is no such version.
        self.count(modality, version)
        return self._scan(modality, version)

    def serve(self, modality: str, version: str) -> None:
        """See `EmbeddingIndex.serve`."""
        check_names(modality=modality, version=version)

        def change(transaction: lmdb.Transaction) -> None:
            self._find_existing(transaction, modality, version)
            transaction.put(_served_key(modality), version.encode(), db=self._state)

        self._environment.write(change)

    def served_version(self, modality: str) -> str | None:
        """See `EmbeddingIndex.served_version`."""
        check_names(modality=modality)
        return self._environment.read(lambda transaction: self._served(transaction, modality))

    def versions(self, modality: str) -> list[str]:
        """See `EmbeddingIndex.versions`."""
        check_names(modality=modality)
        prefix = _version_key(modality, "")

        def look(transaction: lmdb.Transaction) -> list[str]:
            return [key[len(prefix) :].decode() for key in self._keys(transaction, self._state, prefix)]

        return self._environment.read(look)

    def count(self, modality: str, version: str) -> int:
        """See `EmbeddingIndex.count`."""
        check_names(modality=modality, version=version)
        return self._environment.read(
            lambda transaction: self._find_existing(transaction, modality, version).count
        )

    def drop(self, modality: str, version: str) -> None:
        """See `EmbeddingIndex.drop`.

        Entries are deleted some thousands at a time, so that other writers get their turns. What a crash
        leaves of them is deleted by the next drop.
        """
        check_names(modality=modality, version=version)

        def change(transaction: lmdb.Transaction) -> None:
            found = self._find_existing(transaction, modality, version)
            if self._served(transaction, modality) == version:
                raise InputError(f"{modality} version {version} is being served; serve another one first")
            transaction.delete(_version_key(modality, version), db=self._state)
            transaction.put(_DROPPED + found.prefix, b"", db=self._state)

        self._environment.write(change)
        while self._environment.write(self._sweep):
            pass

    def close(self) -> None:
        """See `EmbeddingIndex.close`."""
        self._environment.close()

    def _served(self, transaction: lmdb.Transaction, modality: str) -> str | None:
        version = transaction.get(_served_key(modality), db=self._state)
        return None if version is None else bytes(version).decode()

    def _find(self, transaction: lmdb.Transaction, modality: str, version: str) -> "_Version | None":
        found = transaction.get(_version_key(modality, version), db=self._state)
        return None if found is None else _Version(**json.loads(bytes(found)))

    def _find_existing(self, transaction: lmdb.Transaction, modality: str, version: str) -> "_Version":
        found = self._find(transaction, modality, version)
        if found is None:
            raise unknown_version(modality, version)
        return found

    def _new_version(self, transaction: lmdb.Transaction) -> "_Version":
        generation = int(bytes(transaction.get(_NEXT_GENERATION, b"0", db=self._state)))
        transaction.put(_NEXT_GENERATION, b"%d" % (generation + 1), db=self._state)
        return _Version(generation, dim=0, count=0)

    def _store(
        self, transaction: lmdb.Transaction, prefix: bytes, entries: Mapping[bytes, bytes], replace: bool
    ) -> int:
        """Writes entries in the order of their keys, which are pages' neighbors; how many are new."""
        before = transaction.stat(self._entries)["entries"]
        with transaction.cursor(self._entries) as cursor:
            cursor.putmulti(
                [(prefix + key, entry) for key, entry in sorted(entries.items())], overwrite=replace
            )
        return transaction.stat(self._entries)["entries"] - before

    def _unannounced(
        self, transaction: lmdb.Transaction, prefix: bytes, entries: Mapping[bytes, bytes]
    ) -> dict[bytes, bytes]:
        """Those of the entries whose items are not in a version's feed."""
        return {
            key: entry
            for key, entry in entries.items()
            if transaction.get(prefix + key, db=self._sequences) is None
        }

    def _announce(self, transaction: lmdb.Transaction, prefix: bytes, keys: Iterable[bytes]) -> None:
        """Moves items to the end of a version's feed."""
        sequence = int(bytes(transaction.get(_LAST_SEQUENCE, b"0", db=self._state)))
        for key in keys:
            sequence += 1
            new = _sequence_key(sequence)
            old = transaction.get(prefix + key, db=self._sequences)
            if old is not None:
                transaction.delete(prefix + bytes(old), db=self._changes)
            transaction.put(prefix + key, new, db=self._sequences)
            transaction.put(prefix + new, key, db=self._changes)
        transaction.put(_LAST_SEQUENCE, b"%d" % sequence, db=self._state)

    def _scan(self, modality: str, version: str) -> Iterator[tuple[list[str], list[np.ndarray | None]]]:
        last = b""
        while True:
            # What a batch takes longest for, decoding, is done outside the read.
            read_on = partial(self._entries_after, modality=modality, version=version, last=last)
            entries = self._environment.read(read_on)
            if not entries:
                return
            yield decode_whole(entries)
            last = entries[-1][0]

    def _entries_after(
        self, transaction: lmdb.Transaction, modality: str, version: str, last: bytes
    ) -> list[tuple[bytes, bytes]]:
        """The next entries by item id; all come after b""."""
        prefix = self._find_existing(transaction, modality, version).prefix
        # No key is between one and the same with a zero byte.
        found = self._items(transaction, self._entries, prefix, prefix + last + b"\0")
        return [(key[len(prefix) :], bytes(entry)) for key, entry in islice(found, _SCAN_BATCH)]

    def _read(
        self, transaction: lmdb.Transaction, modality: str, version: str, keys: Sequence[bytes]
    ) -> list[np.ndarray | None]:
        prefix = self._find_existing(transaction, modality, version).prefix
        found = (transaction.get(prefix + key, db=self._entries) for key in keys)
        return [
            None if entry is None else decode_entry(key, entry)
            for key, entry in zip(keys, found, strict=True)
        ]

    def _sweep(self, transaction: lmdb.Transaction) -> bool:
        """Deletes some of what a dropped version had; whether there may be more."""
        dropped = self._keys(transaction, self._state, _DROPPED, limit=1)
        if not dropped:
            return False
        prefix = dropped[0][len(_DROPPED) :]
        for database in (self._entries, self._changes, self._sequences):
            keys = self._keys(transaction, database, prefix, limit=MAX_BATCH)
            for key in keys:
                transaction.delete(key, db=database)
            if keys:
                return True
        transaction.delete(dropped[0], db=self._state)
        return True

    def _keys(
        self, transaction: lmdb.Transaction, database: Any, prefix: bytes, limit: int | None = None
    ) -> list[bytes]:
        """The first keys that begin with a prefix, sorted."""
        return [key for key, _ in islice(self._items(transaction, database, prefix, prefix), limit)]

    @staticmethod
    def _items(
        transaction: lmdb.Transaction, database: Any, prefix: bytes, start: bytes
    ) -> Iterator[tuple[bytes, bytes | memoryview]]:
        """The keys from `start` on that begin with a prefix, sorted, and their values, which are the map's."""
        with transaction.cursor(database) as cursor:
            if not cursor.set_range(start):
                return
            for view, value in cursor:
                key = bytes(view)
                if not key.startswith(prefix):
                    return
                yield key, value


@dataclass(frozen=True)
class _Version:
    """What the store knows of a version: its entries' generation, its dim (0: no vector yet) and how many."""

    generation: int
    dim: int
    count: int

    @property
    def prefix(self) -> bytes:
        return self.generation.to_bytes(4, "big")

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()


# Names have no "/", so that no key is the beginning of another one's names.
def _version_key(modality: str, version: str) -> bytes:
    return f"version/{modality}/{version}".encode()


def _served_key(modality: str) -> bytes:
    return f"served/{modality}".encode()


def _sequence_key(sequence: int) -> bytes:
    return sequence.to_bytes(8, "big")
