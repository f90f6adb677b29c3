"""One version of the recall model, and the items that it recalls."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

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


class _Feed(NamedTuple):
    """What is announced of an encoder version, and whether the model was made with its vectors."""

    modality: str
    encoder: str
    fits: bool


class RecallVersion:
    """The index of one version's item vectors, which takes in newly encoded items.

    It follows the served encoder versions, also such whose vectors the model does not take: from them it learns of
    items that it does not have, and makes their vectors without content. What it has is left alone then.

    Args:
        version: of the recall model.
        folder: the version's.
        served: gives the encoder versions that are served, by modality.
        fits: whether a version of the model takes, of a modality, an encoder version's vectors.
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
        served: Callable[[], Mapping[str, str]],
        fits: Callable[[str, str, str], bool],
        models: ModelClient,
        index: EmbeddingIndex,
        items: ItemStore,
        config: GatewayConfig,
        arrivals: Arrivals,
    ) -> None:
        self.version = version
        self.growing = GrowingIndex(VectorIndex.load(folder / INDEX_FOLDER))
        self.refused = 0
        self._served, self._fits = served, fits
        self._models, self._index, self._items = models, index, items
        self._config, self._arrivals = config, arrivals
        self._seen: dict[_Feed, int] = {}

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
        feeds = [_Feed(*each, self._fits(self.version, *each)) for each in self._served().items()]
        changes = {
            feed: self._index.changes(feed.modality, feed.encoder, self._seen.get(feed, 0), limit)
            for feed in feeds
        }
        item_ids = list(dict.fromkeys(change.item_id for each in changes.values() for change in each))
        missing = self._take(item_ids, feeds)
        for feed, each in changes.items():
            if each:
                self._seen[feed] = each[-1].sequence
                there = {change.item_id for change in each} - missing
                self._arrivals.arrived("recallable", feed.modality, there)
        return any(len(each) == limit for each in changes.values())

    def _take(self, item_ids: list[str], feeds: Sequence[_Feed]) -> set[str]:
        """Takes in items; gives those that cannot be recalled."""
        if not all(feed.fits for feed in feeds):
            # Vectors that were made of all their content are better than what could be made now.
            item_ids = [each for each in item_ids if not self.has(each)]
        if not item_ids:
            return set()
        vectors = {
            feed.modality: read_sound(
                functools.partial(self._index.get_version, feed.encoder, feed.modality), item_ids
            )
            for feed in feeds
            if feed.fits
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
