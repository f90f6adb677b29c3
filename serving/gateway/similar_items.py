"""The items whose pictures, or titles, are most alike."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from serving.embedding_index.change import Change
from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.gateway.arrivals import Arrivals
from serving.gateway.config import GatewayConfig
from serving.gateway.growing_index import GrowingIndex
from serving.gateway.sound_entries import read_sound
from serving.retrieval.build_index import build_index
from serving.retrieval.config import IndexConfig

_LOG = logging.getLogger(__name__)

# Comparing so many vectors takes some milliseconds, and building ScaNN's index takes minutes of a core.
_EXACT_BELOW = 200_000
# Of the room for new items; what is left has to do while the index is built anew.
_MOST_ADDED = 0.8


@dataclass
class _Loaded:
    """What is known of one encoder version.

    Attributes:
        version: of the encoder.
        index: unit vectors; None before the first one came.
        new: vectors of announced items, as the encoder gave them, the latest last.
        gone: items in the index that have no content any more.
        seen: sequence of the last change that is in.
        published: what `refresh` was told of the catalog when it was read.
        turned_away: announced items for which there was no room.
    """

    version: str
    index: GrowingIndex | None
    new: dict[str, np.ndarray] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    seen: int = 0
    published: str | None = None
    turned_away: set[str] = field(default_factory=set)

    def has(self, item_id: str) -> bool:
        if self.index is None or item_id in self.gone:
            return False
        return bool(self.index.index.places([item_id])[0] >= 0)


class SimilarItems:
    """Finds the items of one modality whose vectors have the highest cosine with a given one.

    It has all vectors of the served encoder version in memory and follows what is announced of it. When another
    version is served, another catalog is published, or there is little room left for new items, the vectors are
    read while the old ones still answer. `refresh` and `follow` are each called by one thread.

    Args:
        modality: "image" or "text".
        index: the embeddings.
        config: how many new items are taken in.
        arrivals: is told of items that can be found.
    """

    def __init__(
        self, modality: str, index: EmbeddingIndex, config: GatewayConfig, arrivals: Arrivals
    ) -> None:
        self.modality = modality
        self._index = index
        self._config = config
        self._arrivals = arrivals
        self._loaded: _Loaded | None = None

    @property
    def version(self) -> str | None:
        """The encoder version whose vectors are compared; None before there are any."""
        return self._loaded.version if self._loaded else None

    def refresh(self, served: str | None, published: str | None = None) -> None:
        """Reads all vectors of the served version, if what is at hand is another one or has become old.

        Args:
            served: the served version.
            published: names the catalog whose vectors were published last; these are not announced.
        Raises:
            EmbeddingIndexError: the index fails.
            InputError: the version was dropped meanwhile.
        """
        if served is None or self._is_fresh(served, published):
            return
        # What was announced before is read now, and what comes while it is read is followed then.
        before = self._loaded
        seen, new = (before.seen, before.new) if before and before.version == served else (0, {})
        vectors = {
            item_id: vector
            for item_ids, batch in self._index.scan(self.modality, served)
            for item_id, vector in zip(item_ids, batch, strict=True)
            if vector is not None
        }
        index = self._build(served, list(vectors), list(vectors.values())) if vectors else None
        self._loaded = _Loaded(served, index, new, seen=seen, published=published)
        if before and before.version == served:
            self._arrivals.arrived("searchable", self.modality, set(before.turned_away))
        _LOG.info("%d vectors of %s encoder version %s", len(vectors), self.modality, served)

    def _is_fresh(self, served: str, published: str | None) -> bool:
        loaded = self._loaded
        if loaded is None or (loaded.version, loaded.published) != (served, published):
            return False
        return loaded.index is None or loaded.index.added <= _MOST_ADDED * self._config.max_added_items

    def follow(self) -> bool:
        """Takes in what was announced since the last time; whether there may be more.

        Raises:
            EmbeddingIndexError: the index fails; what it told of comes again.
            InputError: the version was dropped meanwhile.
        """
        loaded, limit = self._loaded, self._config.feed_batch
        if loaded is None:
            return False
        changes = self._index.changes(self.modality, loaded.version, loaded.seen, limit)
        if changes:
            self._take(loaded, changes)
            loaded.seen = changes[-1].sequence
        return len(changes) == limit

    def search(
        self, vector: np.ndarray, k: int, without: Sequence[str] = (), version: str | None = None
    ) -> list[tuple[str, float]] | None:
        """The nearest items and their cosines, the nearest first; None if the vector's version is not at hand.

        Args:
            vector: float32 `[dim]`, of the version's encoder.
            k: how many, at most.
            without: items that are left out.
            version: of the encoder that the vector is of; None: of the one at hand.
        Raises:
            InputError: a vector of another dim, or that is not finite.
        """
        loaded = self._loaded
        if version is not None and (loaded is None or loaded.version != version):
            return None
        if loaded is None or loaded.index is None:
            return []
        ids, scores = loaded.index.index.search(
            _unit(vector[None]), k, blocked_ids=[[*loaded.gone, *without]]
        )
        return list(zip(ids[0], np.clip(scores[0], -1, 1).tolist(), strict=True))

    def new_vectors(self, item_ids: Iterable[str]) -> tuple[str, dict[str, np.ndarray]]:
        """The encoder version, and the vectors, float32 `[dim]`, of those items that were announced lately."""
        loaded = self._loaded
        if loaded is None:
            return "", {}
        found = {item_id: each for item_id in item_ids if (each := loaded.new.get(item_id)) is not None}
        return loaded.version, found

    def has(self, item_id: str) -> bool:
        """Whether the item can be found."""
        return self._loaded is not None and self._loaded.has(item_id)

    def status(self) -> dict[str, int]:
        """`items` that can be found, `added` of them, and those `not_added` for which there was no room."""
        loaded = self._loaded
        if loaded is None or loaded.index is None:
            return {"items": 0, "added": 0, "not_added": 0}
        index = loaded.index
        return {
            "items": len(index.index) - len(loaded.gone),
            "added": index.added,
            "not_added": index.not_added,
        }

    def _take(self, loaded: _Loaded, changes: Sequence[Change]) -> None:
        item_ids = [change.item_id for change in changes]
        found = read_sound(
            lambda some: self._index.get_version(loaded.version, self.modality, some), item_ids
        )
        vectors = {item_id: each for item_id, each in zip(item_ids, found, strict=True) if each is not None}
        turned_away: set[str] = set()
        if vectors and loaded.index is None:
            loaded.index = self._build(loaded.version, list(vectors), list(vectors.values()))
        elif vectors and loaded.index is not None:
            turned_away = loaded.index.add(list(vectors), _unit(np.stack(list(vectors.values()))))
        lost = [item_id for item_id in item_ids if item_id not in vectors and loaded.has(item_id)]
        if lost or not loaded.gone.isdisjoint(vectors):
            loaded.gone = loaded.gone.difference(vectors).union(lost)
        self._remember(loaded, item_ids, vectors)
        loaded.turned_away |= turned_away
        self._arrivals.arrived("searchable", self.modality, vectors.keys() - turned_away)

    def _remember(self, loaded: _Loaded, item_ids: Sequence[str], vectors: dict[str, np.ndarray]) -> None:
        for item_id in item_ids:
            loaded.new.pop(item_id, None)
        loaded.new.update(vectors)
        while len(loaded.new) > self._config.max_added_items:
            del loaded.new[next(iter(loaded.new))]

    def _build(self, version: str, item_ids: list[str], vectors: list[np.ndarray]) -> GrowingIndex:
        config = IndexConfig(exact_below=_EXACT_BELOW, max_added_items=self._config.max_added_items)
        return GrowingIndex(build_index(item_ids, _unit(np.stack(vectors)), version, config))


def _unit(vectors: np.ndarray) -> np.ndarray:
    """The vectors at length 1, float32 `[vectors, dim]`; one of zeros stays so."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
