"""What the encoders made of some items."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from serving.encoder_service.batch_encoder import Encoded, Refusal


@dataclass
class EncodedItems:
    """What the encoders made of one modality of some items.

    Attributes:
        vectors: by version and item_id, float32 `[dim]`; None of an item that has nothing to encode.
        refusals: by item_id, of those that the latest encoder does not encode.
    """

    vectors: dict[str, dict[str, np.ndarray | None]] = field(default_factory=dict)
    refusals: dict[str, Refusal] = field(default_factory=dict)

    def add(self, answers: Mapping[str, Encoded | Refusal]) -> None:
        """Adds the vectors among answers, each to the version that gave it."""
        for item_id, answer in answers.items():
            if isinstance(answer, Encoded):
                self.vectors.setdefault(answer.version, {})[item_id] = answer.vector

    def of(self, item_ids: set[str]) -> dict[str, dict[str, np.ndarray | None]]:
        """The vectors of some items alone, without versions that have none of them."""
        chosen = {
            version: {item_id: vector for item_id, vector in vectors.items() if item_id in item_ids}
            for version, vectors in self.vectors.items()
        }
        return {version: vectors for version, vectors in chosen.items() if vectors}
