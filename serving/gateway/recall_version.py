"""One version of the recall model, and the items that it recalls."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.gateway.arrivals import Arrivals
from serving.gateway.config import GatewayConfig
from serving.gateway.errors import ModelRefused
from serving.gateway.growing_index import GrowingIndex
from serving.gateway.model_client import Inputs, ModelClient
from serving.gateway.model_inputs import item_inputs, matrix
from serving.gateway.signature import Signature
from serving.gateway.sound_entries import read_sound
from serving.item_store.item_store import ItemStore
from serving.item_store.stored_item import StoredItem
from serving.recall_names import ITEM_VECTOR, ITEM_VECTORS
from serving.retrieval.vector_index import VectorIndex

# Where the pipeline puts the index that was built of a version's item vectors, below the version's folder.
INDEX_FOLDER = Path("assets.extra", "index")


class RecallVersion:
    """The index of one version's item vectors, which takes in newly encoded items.

    Args:
        version: of the recall model.
        folder: the version's.
        encoders: the encoder versions whose vectors it takes, by modality.
        models: computes item vectors.
        index: the embeddings of new items.
        items: their columns.
        config: sizes and timeouts.
        arrivals: is told of items that can be recalled.
    Attributes:
        refused: how many new items the model could not compute a vector of.
    Raises:
        InputError: there is no index in the folder, or a broken one.
    """

    def __init__(
        self,
        version: str,
        folder: Path,
        encoders: Mapping[str, str],
        models: ModelClient,
        index: EmbeddingIndex,
        items: ItemStore,
        config: GatewayConfig,
        arrivals: Arrivals,
    ) -> None:
        self.version = version
        self.encoders = dict(encoders)
        self.growing = GrowingIndex(VectorIndex.load(folder / INDEX_FOLDER))
        self.refused = 0
        self._models, self._index, self._items = models, index, items
        self._config, self._arrivals = config, arrivals
        self._seen = dict.fromkeys(encoders, 0)

    def search(
        self, user_vector: np.ndarray, k: int, blocked_item_ids: Sequence[str]
    ) -> tuple[list[str], np.ndarray]:
        """The items of the highest scores and these, float32, the highest first; `user_vector` is `[dim]`."""
        ids, scores = self.growing.index.search(user_vector[None], k, blocked_ids=[blocked_item_ids])
        return ids[0], scores[0]

    def has(self, item_id: str) -> bool:
        """Whether the item can be recalled."""
        return bool(self.growing.index.places([item_id])[0] >= 0)

    def status(self) -> dict[str, int]:
        """`items` that can be recalled, `added` of them, and those `not_added`."""
        growing = self.growing
        return {
            "items": len(growing.index),
            "added": growing.added,
            "not_added": growing.not_added + self.refused,
        }

    def follow(self) -> bool:
        """Takes in what was announced since the last time; whether there may be more.

        Raises:
            EmbeddingIndexError, ItemStoreError, PartUnavailable: a part fails; what was announced comes again.
            InputError: an encoder version was dropped meanwhile.
        """
        limit = self._config.feed_batch
        changes = {
            modality: self._index.changes(modality, encoder, self._seen[modality], limit)
            for modality, encoder in self.encoders.items()
        }
        item_ids = list(dict.fromkeys(change.item_id for each in changes.values() for change in each))
        missing = self._take(item_ids) if item_ids else set()
        for modality, each in changes.items():
            if each:
                self._seen[modality] = each[-1].sequence
                there = {change.item_id for change in each} - missing
                self._arrivals.arrived("recallable", modality, there)
        return any(len(each) == limit for each in changes.values())

    def _take(self, item_ids: list[str]) -> set[str]:
        """Takes in items; gives those that cannot be recalled."""
        vectors = {
            modality: read_sound(functools.partial(self._index.get_version, encoder, modality), item_ids)
            for modality, encoder in self.encoders.items()
        }
        return self._add(item_ids, read_sound(self._items.get, item_ids), vectors)

    def _add(
        self,
        item_ids: list[str],
        items: Sequence[StoredItem | None],
        vectors: Mapping[str, Sequence[np.ndarray | None]],
    ) -> set[str]:
        def inputs(signature: Signature) -> Inputs:
            embeddings = {
                f"{modality}_embedding": matrix(vectors.get(modality, [None] * len(item_ids)), dim)
                for modality, dim in signature.embeddings().items()
            }
            return item_inputs(signature, item_ids, items) | embeddings

        timeout = self._config.recall_timeout_seconds
        try:
            answer = self._models.ask(self._config.recall_model, ITEM_VECTORS, inputs, timeout, self.version)
        except ModelRefused:
            if len(item_ids) > 1:
                return self._add_each(item_ids, items, vectors)
            self.refused += 1
            return set(item_ids)
        found = answer.outputs[ITEM_VECTOR]
        is_finite = np.isfinite(found).all(axis=1)
        self.refused += int((~is_finite).sum())
        rows = np.flatnonzero(is_finite).tolist()
        turned_away = self.growing.add([item_ids[row] for row in rows], found[rows])
        return turned_away.union(item_ids[row] for row in np.flatnonzero(~is_finite).tolist())

    def _add_each(
        self,
        item_ids: list[str],
        items: Sequence[StoredItem | None],
        vectors: Mapping[str, Sequence[np.ndarray | None]],
    ) -> set[str]:
        """One that the model fails at is not to cost the others."""
        missing: set[str] = set()
        for row, item_id in enumerate(item_ids):
            own = {modality: [found[row]] for modality, found in vectors.items()}
            missing |= self._add([item_id], [items[row]], own)
        return missing
