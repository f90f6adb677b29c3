"""The index that is searched, added to, saved and loaded."""

import dataclasses
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from serving.retrieval.added_items import AddedItems
from serving.retrieval.config import IndexConfig
from serving.retrieval.exact_search import exact_search, sort_by_score
from serving.retrieval.filtered_search import search_allowed
from serving.retrieval.index_description import DESCRIPTION_FILE, IndexDescription
from serving.retrieval.index_files import ITEMS_FILE, ItemIds, check_items, read_items, write_items
from serving.retrieval.scann_searcher import ScannSearcher
from transforms.input_error import InputError

_ADDED = "added_"


class VectorIndex:
    """Brings the items whose vectors have the highest inner products with a query's.

    Each item has a place, a number from 0 on that stays the same as long as the index lives: built items come
    first, in the order in which they were given, then the added ones. Masks are by place.

    `build_index` makes one, `load` opens one. Searching and adding from several threads at once is fine: a search sees
    all of an addition or nothing of it.

    Args:
        item_ids: object `[items]`, distinct.
        vectors: float32 `[items, dim]`; may be memory-mapped.
        description: how it was built.
        searcher: ScaNN over the same vectors; None: search is exact.
    """

    def __init__(
        self,
        item_ids: np.ndarray,
        vectors: np.ndarray,
        description: IndexDescription,
        searcher: ScannSearcher | None = None,
    ) -> None:
        self.description = description
        self._item_ids = item_ids
        self._vectors = vectors
        self._searcher = searcher
        self._place_of = dict(zip(item_ids, range(len(item_ids)), strict=True))
        # Replaced as a whole, so that who reads it needs no lock.
        self._added = AddedItems(np.empty((0, description.dim), np.float32))
        self._adding = threading.Lock()

    def __len__(self) -> int:
        """How many items there are, with the added ones."""
        return len(self._item_ids) + len(self._added.new_ids)

    @property
    def item_ids(self) -> np.ndarray:
        """object `[places]`: the id at each place."""
        return np.concatenate([self._item_ids, self._added.new_ids])

    def places(self, item_ids: Sequence[str]) -> np.ndarray:
        """int64 `[ids]`: the place of each item; -1 where there is no such item."""
        new = self._added.place_of
        return np.array([self._place_of.get(one, new.get(one, -1)) for one in item_ids], np.int64)

    def vectors(self, places: np.ndarray) -> np.ndarray:
        """float32 `[places, dim]`: what is at each of these distinct places, int64 `[places]`, from 0 on."""
        added = self._added
        vectors = np.empty((len(places), self.description.dim), np.float32)
        is_built = places < len(self._vectors)
        vectors[is_built] = self._vectors[places[is_built]]
        _, rows, added_rows = np.intersect1d(places, added.places, return_indices=True)
        vectors[rows] = added.vectors[added_rows]
        return vectors

    def added_ids(self) -> list[str]:
        """The items that were added after the index was built, and those that got a new vector."""
        return self._ids_at(self._added.places).tolist()

    def search(
        self,
        queries: np.ndarray,
        k: int,
        blocked: np.ndarray | None = None,
        blocked_ids: Sequence[Sequence[str]] | None = None,
    ) -> tuple[list[list[str]], list[np.ndarray]]:
        """The k best items of each query that are allowed.

        Args:
            queries: float32 `[batch, dim]`.
            k: int >= 1.
            blocked: bool `[places]`, True for what no query may get (sold out, of a blocked category). Places beyond
                its end, of items that were added after it was made, are allowed.
            blocked_ids: for each query the items that it may not get (already bought); unknown ids do no harm.
        Returns:
            item_ids: by query, the best first; fewer than k only where fewer are allowed.
            scores: float32 of the same lengths, the inner products.
        Raises:
            InputError: queries of another shape, k below 1, a mask that is too long, another number of `blocked_ids`.
        """
        places, scores = self.search_places(queries, k, blocked, blocked_ids)
        ids = self._ids_at(places)
        counts = (places >= 0).sum(axis=1)
        found = [row[:count].tolist() for row, count in zip(ids, counts, strict=True)]
        return found, [row[:count] for row, count in zip(scores, counts, strict=True)]

    def search_places(
        self,
        queries: np.ndarray,
        k: int,
        blocked: np.ndarray | None = None,
        blocked_ids: Sequence[Sequence[str]] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `search`, with places instead of ids.

        Returns:
            places: int64 `[batch, at most k]`, by descending score; -1 behind the last one.
            scores: float32, of the same shape; -inf there.
        """
        queries = self._check_queries(queries, k, blocked_ids)
        added = self._added
        own = [np.unique(self.places(ids)) for ids in blocked_ids or ()]
        # A query's own blocked items may all be among its best.
        wanted = k + max(map(len, own), default=0)
        is_blocked = self._mask(blocked, added)
        is_hidden = is_blocked[: len(self._vectors)].copy()
        is_hidden[added.places[added.places < len(is_hidden)]] = True
        built_places, built_scores = search_allowed(
            queries,
            wanted,
            self._vectors,
            self._searcher,
            is_hidden if is_hidden.any() else None,
            self.description.config.exact_below,
        )
        allowed = np.flatnonzero(~is_blocked[added.places])
        rows, added_scores = exact_search(queries, added.vectors, wanted, allowed)
        places = np.concatenate([built_places, added.places[rows]], axis=1)
        scores = np.concatenate([built_scores, added_scores], axis=1)
        for row, not_allowed in enumerate(own):
            is_own = np.isin(places[row], not_allowed)
            places[row, is_own], scores[row, is_own] = -1, -np.inf
        return sort_by_score(places, scores, k)

    def add(self, item_ids: ItemIds, vectors: np.ndarray) -> None:
        """Adds items, and replaces the vectors of those that are there; the next search sees it.

        Added vectors are compared exactly at every search; the next build takes them in (`items`).

        Args:
            item_ids: distinct texts, `[items]`.
            vectors: float32 `[items, dim]`.
        Raises:
            InputError: items that do not fit the index, or more than `max_added_items` with those added before;
                nothing is added then.
        """
        ids, vectors = check_items(item_ids, vectors, self.description.dim)
        with self._adding:
            added = self._added.with_items(ids, vectors, self._place_of)
            most = self.description.config.max_added_items
            if len(added.places) > most:
                raise InputError(
                    f"expected at most {most} added items (max_added_items), got {len(added.places)}:"
                    " build the index anew"
                )
            self._added = added

    def items(self) -> tuple[np.ndarray, np.ndarray]:
        """All item ids, object `[places]`, and their vectors, float32 `[places, dim]`: what to build the next of."""
        added = self._added
        ids = np.concatenate([self._item_ids, added.new_ids])
        vectors = np.empty((len(ids), self.description.dim), np.float32)
        vectors[: len(self._vectors)] = self._vectors
        vectors[added.places] = added.vectors
        return ids, vectors

    def save(self, folder: str | Path) -> None:
        """Writes the index, with what was added, into a local folder, which is made if it is not there.

        Raises:
            InputError: the folder has an index, which may be open, this one even.
        """
        folder = Path(folder)
        if (folder / DESCRIPTION_FILE).exists():
            raise InputError(f"{folder}: expected a folder without an index, got one with {DESCRIPTION_FILE}")
        folder.mkdir(parents=True, exist_ok=True)
        added = self._added
        write_items(folder, self._item_ids, self._vectors)
        if len(added.places):
            ids = np.concatenate([self._item_ids, added.new_ids])
            write_items(folder, ids[added.places], added.vectors, _ADDED)
        digest = self._searcher.save(folder) if self._searcher else None
        # Last, so that a folder that has it is whole.
        dataclasses.replace(self.description, scann_sha256=digest).write(folder)

    @classmethod
    def load(cls, folder: str | Path, num_threads: int | None = None) -> "VectorIndex":
        """Opens what `save` wrote; the folder must stay as long as the index is used.

        Args:
            folder: a local one.
            num_threads: of searching; None: one for each core that the process may use.
        Raises:
            InputError: a file is missing or broken, or they do not belong together.
        """
        folder = Path(folder)
        description = IndexDescription.read(folder)
        item_ids, vectors = read_items(folder, description.dim, description.num_items)
        if len(vectors) != description.num_items:
            raise InputError(f"{folder}: expected {description.num_items} vectors, got {len(vectors)}")
        searcher = None
        if description.parameters:
            threads = num_threads or IndexConfig().threads()
            searcher = ScannSearcher.load(folder, description, threads)
        index = cls(item_ids, vectors, description, searcher)
        if len(index._place_of) < len(item_ids):
            raise InputError(f"{folder}: expected distinct item ids, got doubles")
        if (folder / f"{_ADDED}{ITEMS_FILE}").exists():
            index.add(*read_items(folder, description.dim, description.config.max_added_items, _ADDED))
        return index

    def _ids_at(self, places: np.ndarray) -> np.ndarray:
        """object, of the same shape; None at -1."""
        # An item's place is known no sooner than its id is here.
        new_ids, num_built = self._added.new_ids, len(self._item_ids)
        ids = np.full(places.shape, None, object)
        is_built, is_new = (places >= 0) & (places < num_built), places >= num_built
        ids[is_built] = self._item_ids[places[is_built]]
        ids[is_new] = new_ids[places[is_new] - num_built]
        return ids

    def _check_queries(
        self, queries: np.ndarray, k: int, blocked_ids: Sequence[Sequence[str]] | None
    ) -> np.ndarray:
        queries = np.ascontiguousarray(queries, np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.description.dim:
            raise InputError(f"expected queries [batch, {self.description.dim}], got {list(queries.shape)}")
        if not np.isfinite(queries).all():
            raise InputError("expected queries of finite numbers, got NaN or infinity")
        if k < 1:
            raise InputError(f"expected k of at least 1, got {k}")
        if blocked_ids is not None and len(blocked_ids) != len(queries):
            raise InputError(f"expected blocked_ids of {len(queries)} queries, got {len(blocked_ids)}")
        return queries

    def _mask(self, blocked: np.ndarray | None, added: AddedItems) -> np.ndarray:
        """bool `[places]`."""
        mask = np.zeros(len(self._item_ids) + len(added.new_ids), bool)
        if blocked is not None:
            if blocked.dtype != bool or blocked.ndim != 1 or len(blocked) > len(self):
                raise InputError(
                    f"expected blocked as bool [at most {len(self)}], got {blocked.dtype} {list(blocked.shape)}"
                )
            # Longer where items came between.
            mask[: len(blocked)] = blocked[: len(mask)]
        return mask
