"""The sampled softmax, worked by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from models.recall.config import RecallConfig
from models.recall.sampled_softmax import reorder_loss, retrieval_loss

# Two clicks and one earlier item. Scores are the products
#            item 7   item 8   item 9
#   user 0      1        2        3
#   user 1      4        5        6
USERS = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
ITEMS = np.array([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]], np.float32)


def _minus_log_softmax(logits: list[float], positive: int) -> float:
    return -math.log(math.exp(logits[positive]) / sum(map(math.exp, logits)))


def _loss(ids: list[int], clicks: list[int], **settings: object) -> np.ndarray:
    config = RecallConfig(**({"temperature": 1.0} | settings))
    return retrieval_loss(
        USERS, ITEMS, tf.constant(ids, tf.int64), tf.constant(clicks, tf.int64), config
    ).numpy()


def test_items_clicked_equally_often() -> None:
    expected = [_minus_log_softmax([1, 2, 3], 0), _minus_log_softmax([4, 5, 6], 1)]
    np.testing.assert_allclose(_loss([7, 8, 9], [5, 5, 5]), expected, rtol=1e-5)


def test_temperature() -> None:
    expected = [_minus_log_softmax([2, 4, 6], 0), _minus_log_softmax([8, 10, 12], 1)]
    np.testing.assert_allclose(_loss([7, 8, 9], [5, 5, 5], temperature=0.5), expected, rtol=1e-5)


def test_correction_for_how_often_items_are_drawn() -> None:
    # Shares of the clicks 1/8, 5/8, 2/8; what all have in common falls out of the softmax.
    off = [math.log(share) for share in (1 / 8, 5 / 8, 2 / 8)]
    expected = [
        _minus_log_softmax([1 - off[0], 2 - off[1], 3 - off[2]], 0),
        _minus_log_softmax([4 - off[0], 5 - off[1], 6 - off[2]], 1),
    ]
    np.testing.assert_allclose(_loss([7, 8, 9], [1, 5, 2]), expected, rtol=1e-5)


def test_rare_items_of_a_large_log_keep_their_own_correction() -> None:
    # As shares of the log, 1e-9 and 3e-9, both would be clipped at 1e-6.
    off = [math.log(1), math.log(3), math.log(1)]
    expected = _minus_log_softmax([1 - off[0], 2 - off[1], 3 - off[2]], 0)
    assert _loss([7, 8, 9], [1, 3, 1])[0] == pytest.approx(expected, rel=1e-5)


def test_an_earlier_item_that_is_the_positive_is_no_negative() -> None:
    # The earlier item is user 0's own; to user 1 it is a negative like any other.
    expected = [_minus_log_softmax([1, 2], 0), _minus_log_softmax([4, 5, 6], 1)]
    np.testing.assert_allclose(_loss([7, 8, 7], [5, 5, 5]), expected, rtol=1e-5)


def test_another_users_click_on_the_same_item_is_no_negative() -> None:
    expected = [_minus_log_softmax([1, 3], 0), _minus_log_softmax([5, 6], 0)]
    np.testing.assert_allclose(_loss([7, 7, 9], [5, 5, 5]), expected, rtol=1e-5)
    kept = [_minus_log_softmax([1, 2, 3], 0), _minus_log_softmax([4, 5, 6], 1)]
    np.testing.assert_allclose(_loss([7, 7, 9], [5, 5, 5], remove_accidental_hits=False), kept, rtol=1e-5)


def test_hardest_negative_alone() -> None:
    expected = [_minus_log_softmax([1, 3], 0), _minus_log_softmax([5, 6], 0)]
    np.testing.assert_allclose(_loss([7, 8, 9], [5, 5, 5], num_hard_negatives=1), expected, rtol=1e-5)


def test_a_single_click_without_negatives() -> None:
    loss = retrieval_loss(USERS[:1], ITEMS[:1], tf.constant([7]), tf.constant([3]), RecallConfig())
    np.testing.assert_allclose(loss, [0.0], atol=1e-6)


def test_scores_that_are_no_products() -> None:
    scores = tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 8.0]])
    # Items of 1, 2 and 1 clicks; the first and the last are the same.
    off = [0.0, math.log(2), 0.0]
    expected = [
        _minus_log_softmax([2 * 1 - off[0], 2 * 2 - off[1]], 0),
        _minus_log_softmax([2 * 4 - off[0], 2 * 5 - off[1], 2 * 6 - off[2]], 1),
        _minus_log_softmax([2 * 8 - off[1], 2 * 8 - off[2]], 1),
    ]
    config = RecallConfig(temperature=0.5)
    loss = reorder_loss(scores, tf.constant([7, 8, 7]), tf.constant([1, 2, 1]), config)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
