"""The test split's impressions, on which all models of clicks are measured."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from models.ctr.dataset import read_examples
from models.metrics.auc import auc
from models.metrics.calibration import calibration
from models.metrics.gauc import gauc
from models.metrics.grouped_auc import grouped_auc
from models.metrics.logloss import logloss
from transforms.item_stats import NEW_ITEM_GROUP
from transforms.preprocessing import LABEL

NEW = "new"
_ROWS_AT_ONCE = 8_192
_SPEC = {
    "impression_id": tf.io.FixedLenFeature([], tf.string),
    "user_id": tf.io.FixedLenFeature([], tf.string),
    "item_frequency_group": tf.io.FixedLenFeature([], tf.int64),
    LABEL: tf.io.FixedLenFeature([], tf.int64),
}


@dataclass(frozen=True)
class HeldOutClicks:
    """The test split's impressions, in the order in which models are given them.

    Attributes:
        users: int64 `[impressions]`, a number for each user.
        clicked: bool `[impressions]`.
        groups: int64 `[impressions]`, frequency group of the item: 1 (rarest) to 8, 9 where training never
            saw it.
        impression_ids: bytes `[impressions]`.
    """

    users: np.ndarray
    clicked: np.ndarray
    groups: np.ndarray
    impression_ids: np.ndarray

    @classmethod
    def read(cls, folder: str) -> "HeldOutClicks":
        """Reads a split's raw examples.

        Args:
            folder: of the split's TFRecord files.
        Raises:
            InputError: if there is no file.
        """
        batches = list(read_examples(f"{folder}/*", _SPEC, LABEL, _ROWS_AT_ONCE).as_numpy_iterator())
        columns = {
            name: np.concatenate([features[name] for features, _ in batches])
            for name in _SPEC
            if name != LABEL
        }
        return cls(
            np.unique(columns["user_id"], return_inverse=True)[1],
            np.concatenate([label for _, label in batches]) > 0,
            columns["item_frequency_group"],
            columns["impression_id"],
        )

    def measure(self, predictions: ArrayLike) -> dict[str, Any]:
        """Measures predictions exactly, over the whole split.

        Args:
            predictions: `[impressions]`, probabilities.
        Returns:
            "auc", "gauc", "logloss", "calibration"; "impressions"; "users", those with both classes, whom GAUC
            is about; "groups": "group" (1 to 8 or "new"), "impressions", "auc" and "logloss" of each group
            that occurs. A figure that is not defined is None.
        Raises:
            ValueError: if there are not as many predictions as impressions.
        """
        predictions = np.asarray(predictions)
        return {
            "auc": _known(auc(self.clicked, predictions)),
            "gauc": _known(gauc(self.users, self.clicked, predictions)),
            "logloss": _known(logloss(self.clicked, predictions)),
            "calibration": _known(calibration(self.clicked, predictions)),
            "impressions": len(self.clicked),
            "users": len(self.user_aucs(predictions)[0]),
            "groups": [self._measure_group(group, predictions) for group in np.unique(self.groups).tolist()],
        }

    def user_aucs(self, predictions: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """What GAUC is the weighted mean of.

        Args:
            predictions: `[impressions]`, any scores.
        Returns:
            The AUCs of the users with both classes, float64 `[users]`, and their impressions, int64 `[users]`;
            the same users in the same order whatever the predictions.
        """
        found = grouped_auc(self.users, self.clicked, predictions)
        both = (found.clicks > 0) & (found.clicks < found.impressions)
        return found.auc[both], found.impressions[both]

    def _measure_group(self, group: int, predictions: np.ndarray) -> dict[str, Any]:
        rows = self.groups == group
        return {
            "group": NEW if group == NEW_ITEM_GROUP else group,
            "impressions": int(rows.sum()),
            "auc": _known(auc(self.clicked[rows], predictions[rows])),
            "logloss": _known(logloss(self.clicked[rows], predictions[rows])),
        }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
