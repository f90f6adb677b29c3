"""How much of what tells users apart comes from content."""

from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from models.recall.content_share import content_shares

CLICKS = tf.constant([9, 9], tf.int64)


class Model:
    """Vectors of one number each: the ID's, then the content's."""

    gate = SimpleNamespace(num_buckets=3)
    config = SimpleNamespace(embedding_dim=1)

    def __init__(self, users: list[list[float]], items: list[list[float]]) -> None:
        self.users, self.items = tf.constant(users), tf.constant(items)
        self.known: list[list[int]] = []

    def user_vector(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return self.users

    def item_vector(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        clicks = inputs["item_clicks"]
        self.known.append(clicks.numpy().tolist())
        # The gate: IDs count as much as there are clicks.
        weights = tf.stack([tf.cast(clicks, tf.float32), tf.ones_like(clicks, tf.float32)], axis=1)
        return self.items * weights


def test_by_hand() -> None:
    # IDs of the users are 1 and 3, of the items 1 and 2: an item's scores differ by a deviation of 1 and of 2, in the
    # mean 1.5, times the clicks. Contents are 0 and 4, and 1 and 1: deviations of 2 and 2, in the mean 2.
    model = Model([[1.0, 0.0], [3.0, 4.0]], [[1.0, 1.0], [2.0, 1.0]])
    shares = content_shares(model, {"item_clicks": CLICKS})  # type: ignore[arg-type]
    # Buckets 0, 1 and 2 begin with 0, 1 and 2 clicks.
    np.testing.assert_allclose(shares, [1.0, 2 / (2 + 1.5), 2 / (2 + 3)], rtol=1e-6)
    assert model.known == [[0, 0], [1, 1], [2, 2]]


def test_users_that_are_all_alike() -> None:
    model = Model([[1.0, 2.0], [1.0, 2.0]], [[1.0, 1.0], [2.0, 1.0]])
    shares = content_shares(model, {"item_clicks": CLICKS})  # type: ignore[arg-type]
    assert np.isnan(shares).all()


@pytest.mark.parametrize("scale", [0.5, 8.0])
def test_longer_vectors_with_smaller_weights_change_nothing(scale: float) -> None:
    users, items = [[1.0, 0.0], [3.0, 4.0]], [[1.0, 1.0], [2.0, 1.0]]
    scaled = [[row[0] * scale, row[1]] for row in users], [[row[0] / scale, row[1]] for row in items]
    one, other = (
        content_shares(Model(*vectors), {"item_clicks": CLICKS})  # type: ignore[arg-type]
        for vectors in ((users, items), scaled)
    )
    np.testing.assert_allclose(one, other, rtol=1e-6)
