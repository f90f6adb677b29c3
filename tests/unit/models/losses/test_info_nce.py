"""The contrastive loss, and its negatives where they are those of the batch."""

import math

import numpy as np
import tensorflow as tf

from models.losses.info_nce import in_batch_negative_terms, info_nce


def test_by_hand() -> None:
    # exp(positive) = 3 against Σ exp(negative) = 1: -ln(3 / 4). exp(positive) = 1 against 3: -ln(1 / 4).
    losses = info_nce(np.array([math.log(3), 0], np.float32), np.array([0, math.log(3)], np.float32))
    np.testing.assert_allclose(losses, [math.log(4 / 3), math.log(4)], rtol=1e-6)


def test_no_negative_costs_nothing_and_pulls_nothing() -> None:
    positives = tf.constant([-5.0, 5.0])
    for missing in (-np.inf, -1e9):
        with tf.GradientTape() as tape:
            tape.watch(positives)
            losses = info_nce(positives, tf.fill([2], np.float32(missing)))
        np.testing.assert_array_equal(losses, [0, 0])
        np.testing.assert_array_equal(tape.gradient(losses, positives), [0, 0])


def test_large_logits_stay_finite() -> None:
    # ln(1 + exp(80 - -80)) = 160 to every digit that float32 has.
    losses = info_nce(np.array([-80, 80], np.float32), np.array([80, -80], np.float32))
    np.testing.assert_allclose(losses, [160, 0], atol=1e-6)


def test_in_batch_terms_by_hand() -> None:
    # Items 7, 8, 7, so query 0 has only key 1 as a negative, query 1 has keys 0 and 2, query 2 only key 1.
    # query 0: (2, 0) · (0, 1) = 0; query 1: (0, 3) · (1, 0) = 0 and (0, 3) · (0.6, 0.8) = 2.4, together
    # ln(1 + exp 2.4); query 2: (1, 1) · (0, 1) = 1.
    queries = np.array([[2, 0], [0, 3], [1, 1]], np.float32)
    keys = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    terms = in_batch_negative_terms(queries, keys, np.array([7, 8, 7], np.int32))
    np.testing.assert_allclose(terms, [0, math.log(1 + math.exp(2.4)), 1], rtol=1e-6)


def test_in_batch_gradients_reach_queries_and_keys_but_not_the_same_item() -> None:
    # Two queries of two items: each has one negative, whose share is 1. The gradient of query i is the other
    # key, that of key i the other query.
    queries = tf.constant([[2.0, 1.0], [0.5, 3.0]])
    keys = tf.constant([[0.6, 0.8], [1.0, 0.0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([queries, keys])
        total = tf.reduce_sum(in_batch_negative_terms(queries, keys, tf.constant([3, 4])))
        of_one_item = tf.reduce_sum(
            info_nce(tf.zeros(2), in_batch_negative_terms(queries, keys, tf.constant([3, 3])))
        )
    np.testing.assert_allclose(tape.gradient(total, queries), [[1, 0], [0.6, 0.8]], rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(total, keys), [[0.5, 3], [2, 1]], rtol=1e-6)
    assert float(of_one_item) == 0
    np.testing.assert_array_equal(tape.gradient(of_one_item, queries), np.zeros((2, 2)))
    np.testing.assert_array_equal(tape.gradient(of_one_item, keys), np.zeros((2, 2)))
