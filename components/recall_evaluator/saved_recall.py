"""Asks a recall model by its signatures."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from components.recall_evaluator.recall_inputs import CatalogItems, Columns, HeldOutUsers, Specs
from serving.recall_signatures import ITEM_VECTOR, ITEM_VECTORS, REORDER, SCORE, USER_VECTOR

USERS_AT_ONCE = 256
ITEMS_AT_ONCE = 4_096


class SavedRecall:
    """Asks a recall model by its signatures: what is measured is what is served.

    Args:
        signatures: of a loaded SavedModel, or of a `RecallModule`.
    """

    def __init__(self, signatures: Mapping[str, tf.types.experimental.ConcreteFunction]) -> None:
        self._signatures = signatures

    @property
    def user_specs(self) -> Specs:
        """The columns of the user's side and the behaviors, by name."""
        return {
            name: spec for name, spec in self._specs("serving_default").items() if not name.startswith("new_")
        }

    @property
    def item_specs(self) -> Specs:
        """The columns of the item's side, by name."""
        return {
            name: spec for name, spec in self._specs(ITEM_VECTORS).items() if not name.endswith("_embedding")
        }

    @property
    def reorders(self) -> bool:
        """Whether there is a second stage."""
        return REORDER in self._signatures

    def user_vectors(self, users: HeldOutUsers) -> np.ndarray:
        """float32 `[users, dim]`."""
        found = [
            self._call("serving_default", columns, USER_VECTOR) for columns in users.batches(USERS_AT_ONCE)
        ]
        return np.concatenate(found) if found else np.zeros((0, self._dim), np.float32)

    def item_vectors(self, items: CatalogItems) -> np.ndarray:
        """float32 `[items, dim]`, of the embeddings that the model was saved with."""
        found = []
        for start in range(0, len(items), ITEMS_AT_ONCE):
            columns = {name: column[start : start + ITEMS_AT_ONCE] for name, column in items.columns.items()}
            found.append(self._call(ITEM_VECTORS, columns, ITEM_VECTOR))
        return np.concatenate(found)

    def reorder(self, behavior_item_ids: np.ndarray, item_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """What the second stage makes of candidates' scores.

        Args:
            behavior_item_ids: bytes `[behaviors]`, of one user.
            item_ids: bytes `[candidates]`.
            scores: float32 `[candidates]`, inner products.
        Returns:
            float32 `[candidates]`.
        """
        columns = {"behavior_item_id": behavior_item_ids[None], "item_id": item_ids, SCORE: scores}
        return self._call(REORDER, columns, SCORE)

    def _call(self, name: str, columns: Columns, output: str) -> np.ndarray:
        """Calls a signature; what is not given is given as nothing, of no item or of all."""
        rows = len(next(iter(columns.values())))
        inputs = {}
        for column, spec in self._specs(name).items():
            if column in columns:
                inputs[column] = tf.constant(columns[column], spec.dtype)
            else:
                count = 0 if column.startswith("new_") else rows
                inputs[column] = tf.zeros([count, *spec.shape[1:]], spec.dtype)
        return self._signatures[name](**inputs)[output].numpy()

    def _specs(self, name: str) -> Specs:
        return self._signatures[name].structured_input_signature[1]

    @property
    def _dim(self) -> int:
        return int(self._signatures["serving_default"].structured_outputs[USER_VECTOR].shape[-1])
