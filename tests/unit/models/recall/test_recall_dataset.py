"""Clicked impressions and the items of earlier batches."""

import numpy as np
import tensorflow as tf

from models.recall.dataset import read_clicks, with_clicks_before, with_earlier_items


def _impressions() -> tf.data.Dataset:
    """Twenty in batches of six; those whose number divides by three are clicked."""
    numbers = np.arange(20)
    features = {"item_id_xf": numbers, "behavior_item_id_xf": np.stack([numbers, numbers + 100], axis=1)}
    return tf.data.Dataset.from_tensor_slices((features, (numbers % 3 == 0).astype(np.float32))).batch(6)


def _items(dataset: tf.data.Dataset) -> list[list[int]]:
    return [batch["item_id_xf"].numpy().tolist() for batch in dataset]


def test_clicks_alone_in_another_order_each_time() -> None:
    clicks = read_clicks(_impressions(), batch_size=4, shuffle_buffer=20, seed=1)
    first, second = _items(clicks), _items(clicks)
    assert [len(batch) for batch in first] == [4, 3]
    for batches in (first, second):
        assert sorted(item for batch in batches for item in batch) == [0, 3, 6, 9, 12, 15, 18]
    assert first != second
    assert first == _items(read_clicks(_impressions(), batch_size=4, shuffle_buffer=20, seed=1))
    assert first != _items(read_clicks(_impressions(), batch_size=4, shuffle_buffer=20, seed=2))


def test_columns_stay_together() -> None:
    for batch in read_clicks(_impressions(), batch_size=4, shuffle_buffer=20, seed=1):
        expected = np.stack([batch["item_id_xf"], batch["item_id_xf"] + 100], axis=1)
        np.testing.assert_array_equal(batch["behavior_item_id_xf"], expected)


def _with_earlier(queue_size: int) -> list[tuple[list[int], list[int]]]:
    numbers = np.arange(7)
    batches = tf.data.Dataset.from_tensor_slices({"item_id_xf": numbers, "user_id_xf": -numbers}).batch(2)
    found = []
    for ((features, earlier),) in with_earlier_items(batches, ["item_id_xf"], queue_size):
        assert features.keys() == {"item_id_xf", "user_id_xf"}
        assert earlier.keys() == {"item_id_xf"}
        found.append((features["item_id_xf"].numpy().tolist(), earlier["item_id_xf"].numpy().tolist()))
    return found


def test_earlier_items_first_in_first_out() -> None:
    assert _with_earlier(3) == [([0, 1], []), ([2, 3], [0, 1]), ([4, 5], [1, 2, 3]), ([6], [3, 4, 5])]


def test_no_queue() -> None:
    assert _with_earlier(0) == [([0, 1], []), ([2, 3], []), ([4, 5], []), ([6], [])]


def _before(seed: int) -> tuple[tf.data.Dataset, np.ndarray]:
    counts = np.repeat([1, 2, 4], 4_000)
    return with_clicks_before(
        tf.data.Dataset.from_tensor_slices({"item_clicks": counts}).batch(700), seed
    ), counts


def _drawn(dataset: tf.data.Dataset) -> np.ndarray:
    return np.concatenate([batch["clicks_before"].numpy() for batch in dataset])


def test_clicks_before_are_each_as_likely() -> None:
    dataset, counts = _before(seed=1)
    drawn = _drawn(dataset)
    for count in (1, 2, 4):
        shares = np.bincount(drawn[counts == count], minlength=count) / 4_000
        # Of 4,000 draws a share has a deviation of at most 0.8 %.
        np.testing.assert_allclose(shares, np.full(count, 1 / count), atol=0.04)


def test_clicks_before_come_after_those_of_earlier_days() -> None:
    # An item of 7 clicks, of which 4 came before this training: each of its examples had 4, 5 or 6 before it.
    columns = {"item_clicks": np.full(3_000, 7), "earlier_clicks": np.full(3_000, 4)}
    drawn = _drawn(with_clicks_before(tf.data.Dataset.from_tensor_slices(columns).batch(700), seed=1))
    shares = np.bincount(drawn, minlength=7) / 3_000
    np.testing.assert_allclose(shares, [0, 0, 0, 0, 1 / 3, 1 / 3, 1 / 3], atol=0.04)
    # One that is new today had none.
    new = {"item_clicks": np.ones(5, np.int64), "earlier_clicks": np.zeros(5, np.int64)}
    assert not _drawn(with_clicks_before(tf.data.Dataset.from_tensor_slices(new).batch(5), seed=1)).any()


def test_clicks_before_change_with_the_pass_and_follow_from_the_seed() -> None:
    dataset, _ = _before(seed=1)
    first, second = _drawn(dataset), _drawn(dataset)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(_drawn(_before(seed=1)[0]), first)
    assert not np.array_equal(_drawn(_before(seed=2)[0]), first)


def test_an_item_without_clicks_had_none_before() -> None:
    dataset = tf.data.Dataset.from_tensor_slices({"item_clicks": np.zeros(5, np.int64)}).batch(5)
    assert _drawn(with_clicks_before(dataset, 0)).tolist() == [0] * 5
