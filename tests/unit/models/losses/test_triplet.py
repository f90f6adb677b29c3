"""The triplet loss."""

import numpy as np
import tensorflow as tf

from models.losses.triplet import triplet_loss

QUERIES = tf.constant([[1.0, 0.0]] * 3)
POSITIVES = tf.constant([[0.6, 0.8], [0.0, 1.0], [0.0, 1.0]])
NEGATIVES = tf.constant([[0.0, 1.0], [0.6, 0.8], [np.nan, np.nan]])
HAS_NEGATIVE = tf.constant([1.0, 1.0, 0.0])


def test_by_hand() -> None:
    # |q - (0.6, 0.8)|² = 0.16 + 0.64 = 0.8 and |q - (0, 1)|² = 2.
    # Pair 0: 0.8 - 2 + 0.2 < 0, so 0. Pair 1: 2 - 0.8 + 0.2 = 1.4. Pair 2 has no negative. Mean 1.4 / 3.
    loss = triplet_loss(QUERIES, POSITIVES, NEGATIVES, HAS_NEGATIVE, 0.2)
    np.testing.assert_allclose(loss, 1.4 / 3, rtol=1e-6)
    # Margin 1.5: 0.3 and 2.7.
    loss = triplet_loss(QUERIES, POSITIVES, NEGATIVES, HAS_NEGATIVE, 1.5)
    np.testing.assert_allclose(loss, 3 / 3, rtol=1e-6)


def test_gradient_by_hand() -> None:
    # Of pair 1 alone: 2 (n - p) / 3 by the query, -2 q / 3 by the positive, 2 q / 3 by the negative.
    with tf.GradientTape() as tape:
        tape.watch([QUERIES, POSITIVES, NEGATIVES])
        loss = triplet_loss(QUERIES, POSITIVES, NEGATIVES, HAS_NEGATIVE, 0.2)
    by_query, by_positive, by_negative = tape.gradient(loss, [QUERIES, POSITIVES, NEGATIVES])
    np.testing.assert_allclose(by_query, [[0, 0], [0.4, -2 / 15], [0, 0]], atol=1e-6)
    np.testing.assert_allclose(by_positive, [[0, 0], [-2 / 3, 0], [0, 0]], atol=1e-6)
    np.testing.assert_allclose(by_negative, [[0, 0], [2 / 3, 0], [0, 0]], atol=1e-6)


def test_no_hard_negative_at_all() -> None:
    assert float(triplet_loss(QUERIES, POSITIVES, NEGATIVES, tf.zeros(3), 0.2)) == 0
