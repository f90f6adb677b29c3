import math

import numpy as np
import tensorflow as tf

from serving.raw_columns import empty, one_a_row, rows_from


def as_lists(column: tf.SparseTensor) -> list[list]:
    """The values of each row."""
    rows: list[list] = [[] for _ in range(int(column.dense_shape[0]))]
    for (row, place), value in zip(column.indices.numpy(), column.values.numpy(), strict=True):
        assert place == len(rows[row])
        rows[row].append(value)
    return rows


def test_places_go_on_from_the_first_row() -> None:
    assert rows_from(2, tf.constant(3, tf.int64)).numpy().tolist() == [[2, 0], [3, 0], [4, 0]]
    assert rows_from(0, tf.constant(0, tf.int64)).shape == (0, 2)


def test_a_string_stays_where_it_is_also_an_empty_one() -> None:
    indices = rows_from(1, tf.constant(3, tf.int64))
    column = one_a_row(tf.constant(["a", "", "b"]), indices, tf.constant(5, tf.int64))
    # The first row and the last have no value at all.
    assert as_lists(column) == [[], [b"a"], [b""], [b"b"], []]
    assert column.dense_shape.numpy().tolist() == [5, 1]


def test_a_number_that_is_none_is_left_out() -> None:
    indices = rows_from(0, tf.constant(4, tf.int64))
    numbers = tf.constant([1.5, math.nan, 0.0, math.nan])
    assert as_lists(one_a_row(numbers, indices, tf.constant(4, tf.int64))) == [[1.5], [], [0.0], []]


def test_whole_numbers_are_all_there() -> None:
    column = one_a_row(
        tf.constant([0, 7], tf.int64), rows_from(0, tf.constant(2, tf.int64)), tf.constant(2, tf.int64)
    )
    assert as_lists(column) == [[0], [7]]


def test_a_column_of_nothing() -> None:
    column = empty(tf.float32, tf.constant(3, tf.int64))
    assert (column.dtype, column.dense_shape.numpy().tolist()) == (tf.float32, [3, 0])
    np.testing.assert_array_equal(column.indices, np.zeros((0, 2)))
