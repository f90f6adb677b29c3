"""What the gateway reads from the item store and the embedding index, each read within its time."""

from collections.abc import Sequence

import numpy as np

from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.embedding_index.errors import EmbeddingIndexError
from serving.gateway.bounded_calls import BoundedCall, BoundedCalls
from serving.gateway.config import GatewayConfig
from serving.gateway.deadline import Deadline
from serving.gateway.sound_entries import read_sound
from serving.item_store.errors import ItemStoreError
from serving.item_store.item_store import ItemStore
from serving.item_store.stored_item import StoredItem
from transforms.input_error import InputError

MODALITIES = ("image", "text")
# Of each store: more wait in a request's way than work, where it is behind a network.
_THREADS = 32

Vectors = list[np.ndarray | None]


class Stores:
    """The item store and the embedding index behind time limits.

    All that a request reads of a modality is of one encoder version: the one that was served when the feed last
    looked (`look`), several times a second.

    Args:
        config: timeouts.
        index: the embeddings.
        items: the items' columns.
    Attributes:
        index_calls: runs calls of the index within their time.
        items_calls: runs calls of the item store within their time.
    """

    def __init__(self, config: GatewayConfig, index: EmbeddingIndex, items: ItemStore) -> None:
        limits = _THREADS, config.store_timeout_seconds, config.outage_seconds
        self.index, self.items = index, items
        self.index_calls = BoundedCalls("the embedding index", (EmbeddingIndexError,), *limits)
        self.items_calls = BoundedCalls("the item store", (ItemStoreError,), *limits)
        self._served: dict[str, str | None] = {}

    def look(self) -> dict[str, str]:
        """Asks which encoder versions are served, by modality.

        Raises:
            PartUnavailable: the index does not answer.
        """
        self._served = self.index_calls.run(
            lambda: {each: self.index.served_version(each) for each in MODALITIES}
        )
        return self.served()

    def served(self) -> dict[str, str]:
        """The served encoder versions by modality, as far as is known."""
        return {modality: version for modality, version in self._served.items() if version is not None}

    def start_items(self, item_ids: Sequence[str]) -> BoundedCall[list[StoredItem | None]]:
        """Begins to read items. Raises PartUnavailable, now or when it is waited for."""
        return self.items_calls.start(lambda: read_sound(self.items.get, item_ids))

    def start_vectors(
        self, modality: str, item_ids: Sequence[str]
    ) -> BoundedCall[tuple[str | None, Vectors]]:
        """Begins to read vectors, and which version they are of; None where none is served.

        Raises:
            PartUnavailable: now or when it is waited for.
        """
        return self.index_calls.start(lambda: self._read(modality, item_ids))

    def vector(
        self, modality: str, version: str, item_id: str, deadline: Deadline | None = None
    ) -> np.ndarray | None:
        """One item's vector; None without one. Raises PartUnavailable."""
        return self.index_calls.run(lambda: self.index.get_version(version, modality, [item_id])[0], deadline)

    def known(self, modality: str, version: str, item_ids: Sequence[str], deadline: Deadline) -> list[bool]:
        """Whether each item has an entry, be it a vector or none. Raises PartUnavailable."""
        return self.index_calls.run(lambda: self.index.known(version, modality, item_ids), deadline)

    def _read(self, modality: str, item_ids: Sequence[str]) -> tuple[str | None, Vectors]:
        version = self._served.get(modality)
        if version is not None:
            try:
                return version, self._vectors(version, modality, item_ids)
            except InputError:
                # It was dropped since the feed last looked; ids that cannot be fail below too.
                pass
        version = self._served[modality] = self.index.served_version(modality)
        if version is None:
            return None, [None] * len(item_ids)
        return version, self._vectors(version, modality, item_ids)

    def _vectors(self, version: str, modality: str, item_ids: Sequence[str]) -> Vectors:
        return read_sound(lambda some: self.index.get_version(version, modality, some), item_ids)

    def close(self) -> None:
        """Ends the threads."""
        self.index_calls.close()
        self.items_calls.close()
