"""Items that came after an index was built."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class AddedItems:
    """New items, and new vectors of known items, never changed: `with_items` makes another.

    Attributes:
        vectors: float32 `[added, dim]`.
        places: int64 `[added]`, the item's place; those of new items follow the built ones.
        new_ids: object `[new]`, ids of the new items by place.
        place_of: the places of the new items.
    """

    vectors: np.ndarray
    places: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    new_ids: np.ndarray = field(default_factory=lambda: np.empty(0, object))
    place_of: Mapping[str, int] = field(default_factory=dict)

    def with_items(self, item_ids: np.ndarray, vectors: np.ndarray, built: Mapping[str, int]) -> "AddedItems":
        """These and others; of an item that is added again the later vector counts.

        Args:
            item_ids: object `[items]`, distinct.
            vectors: float32 `[items, dim]`.
            built: the places of the items that the index was built of.
        """
        place_of = dict(self.place_of)
        places = np.empty(len(item_ids), np.int64)
        for number, item_id in enumerate(item_ids):
            place = built.get(item_id)
            places[number] = (
                place_of.setdefault(item_id, len(built) + len(place_of)) if place is None else place
            )
        stays = ~np.isin(self.places, places)
        return AddedItems(
            np.concatenate([self.vectors[stays], vectors]),
            np.concatenate([self.places[stays], places]),
            np.array(list(place_of), object),
            place_of,
        )
