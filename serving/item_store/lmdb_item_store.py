"""The item store in one folder."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import lmdb

from serving.checked_arguments import check_limit, check_names, encode_id, encode_ids
from serving.item_store.checked_put import encode_mark, encode_put
from serving.item_store.errors import ITEM_STORE
from serving.item_store.item_format import decode_image, decode_items
from serving.item_store.stored_item import StoredItem
from serving.lmdb_environment import LmdbEnvironment

_ITEMS, _IMAGES, _SHOPS, _MARKS = "items", "images", "shops", "marks"


class LmdbItemStore:
    """`ItemStore` in one folder, without a server.

    A put is one transaction that is on disk when it returns; a get is one transaction too, which waits for no
    writer. Writers, in whatever process, take turns. Pictures lie in a database of their own, so that the pages
    of the items, which every request reads, stay together.

    A process opens a folder once, and all its threads share that store; a process that forks opens it after the
    fork. The folder must lie on a local disk, since LMDB's locks do not hold over a network.

    Args:
        folder: made where it is absent, unless `readonly`.
        max_bytes: what the store may grow to; the same for all processes. By default 256 GiB.
        max_readers: reads at once, over all processes.
        readonly: whether this process only reads.
    Raises:
        InputError: the folder cannot be opened, or a limit is too small.
    """

    def __init__(
        self,
        folder: str | Path,
        max_bytes: int = 256 * 2**30,
        max_readers: int = 512,
        readonly: bool = False,
    ) -> None:
        names = [_ITEMS, _IMAGES, _SHOPS, _MARKS]
        self._environment = LmdbEnvironment(folder, max_bytes, max_readers, readonly, names, ITEM_STORE)
        databases = self._environment.databases
        self._items, self._images, self._shops, self._marks = (databases[name] for name in names)

    def put(
        self, items: Sequence[StoredItem], images: Mapping[str, bytes | None], of_catalog: bool = False
    ) -> int:
        """See `ItemStore.put`."""
        encoded = encode_put(items, images)

        def change(transaction: lmdb.Transaction) -> int:
            stored = 0
            for item in encoded:
                if not of_catalog:
                    transaction.put(item.key, b"", db=self._shops)
                elif transaction.get(item.key, db=self._shops) is not None:
                    continue
                transaction.put(item.key, item.entry, db=self._items)
                if item.image is not None:
                    transaction.put(item.key, item.image, db=self._images)
                elif item.has_new_image:
                    transaction.delete(item.key, db=self._images)
                stored += 1
            return stored

        return self._environment.write(change)

    def get(self, item_ids: Sequence[str]) -> list[StoredItem | None]:
        """See `ItemStore.get`."""
        keys = encode_ids(item_ids)

        def look(transaction: lmdb.Transaction) -> list[StoredItem | None]:
            return decode_items(keys, [transaction.get(key, db=self._items) for key in keys])

        return self._environment.read(look)

    def image(self, item_id: str) -> bytes | None:
        """See `ItemStore.image`."""
        key = encode_id(item_id)

        def look(transaction: lmdb.Transaction) -> bytes | None:
            entry = transaction.get(key, db=self._images)
            return None if entry is None else decode_image(key, entry)

        return self._environment.read(look)

    def count(self) -> int:
        """See `ItemStore.count`."""
        return self._environment.read(lambda transaction: transaction.stat(self._items)["entries"])

    def first(self, limit: int, after: str = "") -> list[StoredItem]:
        """See `ItemStore.first`."""
        check_limit(limit)
        # No key is between one and the same with a zero byte.
        start = encode_id(after) + b"\0" if after else b""

        def look(transaction: lmdb.Transaction) -> list[StoredItem]:
            with transaction.cursor(self._items) as cursor:
                found = list(islice(cursor, limit)) if cursor.set_range(start) else []
            items = decode_items([bytes(key) for key, _ in found], [entry for _, entry in found])
            return [item for item in items if item is not None]

        return self._environment.read(look)

    def set_mark(self, name: str, value: str) -> None:
        """See `ItemStore.set_mark`."""
        key, entry = encode_mark(name, value)
        self._environment.write(lambda transaction: transaction.put(key, entry, db=self._marks))

    def mark(self, name: str) -> str | None:
        """See `ItemStore.mark`."""
        check_names(name=name)

        def look(transaction: lmdb.Transaction) -> str | None:
            value = transaction.get(name.encode(), db=self._marks)
            return None if value is None else bytes(value).decode()

        return self._environment.read(look)

    def close(self) -> None:
        """See `ItemStore.close`."""
        self._environment.close()
