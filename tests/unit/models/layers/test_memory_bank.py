"""The memory bank: what it holds, and the sum over it."""

import math

import numpy as np
import pytest
import tensorflow as tf

from models.layers import memory_bank
from models.layers.memory_bank import MemoryBank

DIM = 4


def _bank(queue_size: int, dim: int = DIM) -> MemoryBank:
    bank = MemoryBank(queue_size, dim)
    bank.build()
    return bank


def _unit_vectors(count: int, seed: int = 0, dim: int = DIM) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _enqueue(bank: MemoryBank, item_ids: range | list[int]) -> None:
    """Keys that name their item: its number in each coordinate."""
    ids = np.array(item_ids, np.int32)
    bank.enqueue(tf.constant(np.repeat(ids[:, None], DIM, 1), tf.float32), tf.constant(ids))


def _held(bank: MemoryBank) -> list[int]:
    """The items of the bank's rows, after a look that each stands beside its own key."""
    item_ids = bank.item_ids.numpy()
    expected = np.where(item_ids == -1, 0, item_ids)
    np.testing.assert_array_equal(bank.keys.numpy(), np.repeat(expected[:, None], DIM, 1))
    return item_ids.tolist()


def test_order_over_wrap_around() -> None:
    # Item i lies in row i modulo 5: the queue is no multiple of the batch.
    bank = _bank(5)
    assert _held(bank) == [-1, -1, -1, -1, -1]
    _enqueue(bank, [0, 1])
    assert _held(bank) == [0, 1, -1, -1, -1]
    _enqueue(bank, [2, 3])
    _enqueue(bank, [4, 5])
    assert _held(bank) == [5, 1, 2, 3, 4]
    assert int(bank.position.numpy()) == 1
    _enqueue(bank, [6, 7])
    assert _held(bank) == [5, 6, 7, 3, 4]
    assert int(bank.position.numpy()) == 3


def test_of_a_batch_larger_than_the_bank_the_last_keys_stay() -> None:
    # From row 2 on: 12 there, then 13 and 14 in rows 0 and 1.
    bank = _bank(3)
    _enqueue(bank, [1, 2])
    _enqueue(bank, range(10, 15))
    assert _held(bank) == [13, 14, 12]
    assert int(bank.position.numpy()) == 2


def test_a_batch_as_large_as_the_bank() -> None:
    bank = _bank(3)
    _enqueue(bank, [1])
    _enqueue(bank, [2, 3, 4])
    assert _held(bank) == [4, 2, 3]
    assert int(bank.position.numpy()) == 1


def test_rows_that_only_fill_the_last_chunk_stay_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    # 10 rows in chunks of at most 4: 3 chunks of 4, so 2 rows more than the queue.
    monkeypatch.setattr(memory_bank, "_CHUNK", 4)
    bank = _bank(10)
    for first in range(0, 30, 3):
        _enqueue(bank, range(first, first + 3))
    assert _held(bank) == [20, 21, 22, 23, 24, 25, 26, 27, 28, 29, -1, -1]


def test_sum_by_hand() -> None:
    # Keys (1, 0) of item 3, (0, 1) of item 4, (0.6, 0.8) of item 5; one row of the four is empty; scale 5.
    # Query (5, 0), item 9: logits 5, 0, 3. Query (0, 5), item 4: 0 and 4, its own item's key left out.
    bank = _bank(4, dim=2)
    bank.enqueue(tf.constant([[1, 0], [0, 1], [0.6, 0.8]]), tf.constant([3, 4, 5]))
    terms = bank(tf.constant([[5.0, 0.0], [0.0, 5.0]]), tf.constant(5.0), tf.constant([9, 4]))
    expected = [math.log(math.exp(5) + 1 + math.exp(3)), math.log(1 + math.exp(4))]
    np.testing.assert_allclose(terms, expected, rtol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 14.0, 80.0])
@pytest.mark.parametrize("chunk", [4, 7, 8_192])
@pytest.mark.parametrize("filled", [3, 11, 40])
def test_sum_and_gradient_equal_the_plain_ones(
    monkeypatch: pytest.MonkeyPatch, scale: float, chunk: int, filled: int
) -> None:
    monkeypatch.setattr(memory_bank, "_CHUNK", chunk)
    bank = _bank(11)
    keys, item_ids = _unit_vectors(filled, seed=1), np.arange(filled, dtype=np.int32) % 6
    bank.enqueue(tf.constant(keys), tf.constant(item_ids))
    held_keys, held_ids = keys[-11:].astype(np.float64), item_ids[-11:]
    queries, query_ids = _unit_vectors(5) * scale, np.array([0, 1, 2, 99, 5], np.int32)

    weights = np.exp(queries.astype(np.float64) @ held_keys.T) * (query_ids[:, None] != held_ids[None, :])
    tensor = tf.constant(queries, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        terms = bank(tensor, tf.constant(scale), tf.constant(query_ids))
    np.testing.assert_allclose(terms, np.log(weights.sum(1)), rtol=1e-5, atol=1e-5)
    expected = weights @ held_keys / weights.sum(1, keepdims=True)
    np.testing.assert_allclose(tape.gradient(terms, tensor), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cosine", [1.0, -0.9])
@pytest.mark.parametrize("scale", [1.0, 80.0])
def test_identical_and_opposite_keys(cosine: float, scale: float) -> None:
    # Seven equal logits: scale * cosine + ln 7, and the gradient is the key.
    bank = _bank(7)
    query = _unit_vectors(1)
    bank.enqueue(tf.constant(np.repeat(query * cosine, 7, 0)), tf.range(7))
    scaled = tf.constant(query * scale)
    with tf.GradientTape() as tape:
        tape.watch(scaled)
        terms = bank(scaled, tf.constant(scale), tf.constant([50]))
    np.testing.assert_allclose(terms, [scale * cosine + math.log(7)], rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(terms, scaled), query * cosine, rtol=1e-4)


def test_identical_keys_in_the_largest_bank_stay_finite() -> None:
    # exp(80) times 196,800 is more than float32 holds.
    bank = _bank(196_800, dim=2)
    bank.keys.assign(tf.repeat(tf.constant([[0.6, 0.8]]), bank.keys.shape[0], axis=0))
    bank.item_ids.assign(tf.ones_like(bank.item_ids))
    rows = bank.keys.shape[0]
    terms = bank(tf.constant([[48.0, 64.0]]), tf.constant(80.0), tf.constant([2]))
    np.testing.assert_allclose(terms, [80 + math.log(rows)], rtol=1e-5)


@pytest.mark.parametrize("item_ids", [[], [4, 4, 4]], ids=["empty", "nothing but the same item"])
def test_without_a_negative(item_ids: list[int]) -> None:
    bank = _bank(5)
    bank.enqueue(tf.constant(_unit_vectors(len(item_ids))), tf.constant(item_ids, tf.int32))
    query = tf.constant(_unit_vectors(2) * 10)
    with tf.GradientTape() as tape:
        tape.watch(query)
        terms = bank(query, tf.constant(10.0), tf.constant([4, 4]))
    assert (terms.numpy() <= -1e9).all()
    np.testing.assert_array_equal(tape.gradient(terms, query), np.zeros((2, DIM)))


def test_gradients_do_not_reach_the_bank() -> None:
    bank = _bank(5)
    bank.enqueue(tf.constant(_unit_vectors(3)), tf.range(3))
    scale = tf.constant(10.0)
    with tf.GradientTape() as tape:
        tape.watch([scale, bank.keys.value])
        terms = bank(tf.constant(_unit_vectors(2) * 10), scale, tf.constant([8, 9]))
    # The scale's gradient comes through the scaled queries alone.
    assert tape.gradient(terms, [bank.keys.value, scale]) == [None, None]
    assert not bank.trainable_variables


@pytest.mark.parametrize("queue_size, embedding_dim", [(0, 4), (4, 0)])
def test_sizes_are_checked(queue_size: int, embedding_dim: int) -> None:
    with pytest.raises(ValueError, match=f"got {queue_size} and {embedding_dim}"):
        MemoryBank(queue_size, embedding_dim)
