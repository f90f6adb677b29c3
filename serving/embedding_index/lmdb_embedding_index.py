"""The embedding index in one folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lmdb
import numpy as np

from serving.embedding_index.checked_arguments import (
    MAX_BATCH,
    agree_on_dim,
    check_names,
    encode_entries,
    encode_ids,
    unknown_version,
)
from serving.embedding_index.entry_format import decode_entry
from serving.embedding_index.errors import IndexUnavailable
from serving.embedding_index.lmdb_environment import LmdbEnvironment
from transforms.input_error import InputError

_STATE, _ENTRIES = "state", "entries"
_NEXT_GENERATION, _DROPPED = b"next_generation", b"dropped/"


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
        self._environment = LmdbEnvironment(folder, max_bytes, max_readers, readonly, [_STATE, _ENTRIES])
        self._state = self._environment.databases[_STATE]
        self._entries = self._environment.databases[_ENTRIES]

    def put(
        self, version: str, modality: str, vectors: Mapping[str, np.ndarray | None], replace: bool = True
    ) -> None:
        """See `EmbeddingIndex.put`."""
        check_names(modality=modality, version=version)
        entries, dim = encode_entries(vectors)

        def change(transaction: lmdb.Transaction) -> None:
            before = self._find(transaction, modality, version) or self._new_version(transaction)
            agreed = agree_on_dim(modality, version, before.dim, dim)
            added = self._store(transaction, before.prefix, entries, replace)
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
            return [key[len(prefix) :].decode() for key in self._keys(transaction, self._state, prefix, None)]

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
        """Deletes some entries of a dropped version; whether there may be more."""
        dropped = self._keys(transaction, self._state, _DROPPED, limit=1)
        if not dropped:
            return False
        entries = self._keys(transaction, self._entries, dropped[0][len(_DROPPED) :], limit=MAX_BATCH)
        for key in entries:
            transaction.delete(key, db=self._entries)
        if not entries:
            transaction.delete(dropped[0], db=self._state)
        return True

    @staticmethod
    def _keys(transaction: lmdb.Transaction, database: Any, prefix: bytes, limit: int | None) -> list[bytes]:
        """The first keys that begin with a prefix, sorted."""
        keys: list[bytes] = []
        with transaction.cursor(database) as cursor:
            is_there = cursor.set_range(prefix)
            while is_there and len(keys) != limit and bytes(cursor.key()).startswith(prefix):
                keys.append(bytes(cursor.key()))
                is_there = cursor.next()
        return keys


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
