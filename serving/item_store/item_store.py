"""The store of what is known of items: their columns, titles and pictures."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from serving.item_store.stored_item import StoredItem


class ItemStore(Protocol):
    """What the gateway knows of items besides their vectors.

    It fills in the columns of candidates and behaviors for ranking, and shows titles and pictures. The catalog
    of a release and the items that shops add are both in it.

    All methods may be called from several threads, and several processes may share one store, as readers and as
    writers.

    Bounds, beyond which each method raises InputError: those of `StoredItem`; a picture has at most 20 MB; a call
    at most 10,000 items, and a put at most 128 MiB.

    Raises:
        ItemStoreError: of every method, if the store fails: ItemStoreUnavailable, ItemStoreFull or CorruptItem.
    """

    def put(
        self, items: Sequence[StoredItem], images: Mapping[str, bytes | None], of_catalog: bool = False
    ) -> int:
        """Stores items, all or none; when it returns, they are durable. Doing it again changes nothing.

        Args:
            items: with distinct ids.
            images: a picture's file by item_id, of these items alone; None removes the picture, and an item that
                is not in it keeps the one it has.
            of_catalog: whether they are of a catalog rather than of a shop that adds or changes them. A catalog
                is as old as its run of the pipeline, so an item that a shop has put is left alone from then on,
                its picture too; that of an older catalog is replaced.
        Returns:
            How many of them are stored now; fewer than were given where some were left alone.
        Raises:
            InputError: an item, a picture or their number is beyond the bounds; an id comes twice.
        """

    def get(self, item_ids: Sequence[str]) -> list[StoredItem | None]:
        """The items, in one batched read of one state; None for an unknown one."""

    def image(self, item_id: str) -> bytes | None:
        """An item's picture as it was put; None where it has none, or is unknown."""

    def count(self) -> int:
        """How many items there are."""

    def first(self, limit: int, after: str = "") -> list[StoredItem]:
        """The first items by the bytes of their ids.

        Args:
            limit: 1 to 10,000, so many at most.
            after: the items' ids come after this one, which need not be there; "": from the beginning.
        """

    def set_mark(self, name: str, value: str) -> None:
        """Sets what whoever shares the store may ask for, such as what was published last; then it is durable.

        Args:
            name: 1 to 128 letters, digits, "_", "-", "." and ":".
            value: 1 to 256 bytes as UTF-8.
        """

    def mark(self, name: str) -> str | None:
        """What a mark was set to last; None if it never was."""

    def close(self) -> None:
        """Lets go of the store; no method may be called after it."""
