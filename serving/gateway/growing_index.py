"""An index that takes in new items as long as there is room."""

from collections.abc import Sequence

import numpy as np

from serving.retrieval.vector_index import VectorIndex

# Vectors of the same content differ by rounding, when they were computed in batches of another size.
_TOLERANCE = 1e-5


class GrowingIndex:
    """Adds items to a `VectorIndex` and counts those for which it has no room, rather than to fail.

    One thread adds; any may search.

    Args:
        index: the index; what it was built of is left alone.
    Attributes:
        added: how many items were added, or have got another vector than they were built with.
        not_added: how many were turned away.
    """

    def __init__(self, index: VectorIndex) -> None:
        self.index = index
        self.not_added = 0
        self._added: set[str] = set(index.added_ids())

    @property
    def added(self) -> int:
        return len(self._added)

    def add(self, item_ids: Sequence[str], vectors: np.ndarray) -> set[str]:
        """Adds those that differ from what the index was built of, as far as there is room.

        Args:
            item_ids: distinct.
            vectors: finite float32 `[items, dim]`.
        Returns:
            Those for which there is no room.
        """
        differs = self._differs(item_ids, vectors)
        room = self.index.description.config.max_added_items - len(self._added)
        rows: list[int] = []
        turned_away: set[str] = set()
        for row in np.flatnonzero(differs).tolist():
            is_more = item_ids[row] not in self._added
            if is_more and room <= 0:
                turned_away.add(item_ids[row])
                continue
            room -= is_more
            rows.append(row)
        if rows:
            ids = [item_ids[row] for row in rows]
            self.index.add(ids, vectors[rows])
            self._added.update(ids)
        self.not_added += len(turned_away)
        return turned_away

    def _differs(self, item_ids: Sequence[str], vectors: np.ndarray) -> np.ndarray:
        """bool `[items]`: which are not in the index with this vector."""
        places = self.index.places(item_ids)
        is_there = np.flatnonzero(places >= 0)
        differs = np.ones(len(item_ids), bool)
        before = self.index.vectors(places[is_there])
        allowed = _TOLERANCE * np.linalg.norm(vectors[is_there], axis=1, keepdims=True)
        differs[is_there] = (np.abs(before - vectors[is_there]) > allowed).any(axis=1)
        return differs
