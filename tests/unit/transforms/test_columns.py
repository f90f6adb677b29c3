"""From sparse columns to dense tensors, against lists."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.columns import first_values, last_values

ragged_rows = st.lists(st.lists(st.integers(1, 99), max_size=6), max_size=5)


def _column(rows: list[list[int]]) -> tf.SparseTensor:
    return tf.ragged.constant(rows, tf.int64, ragged_rank=1).to_sparse()


@settings(max_examples=50, deadline=None)
@given(rows=ragged_rows)
def test_first_values_are_the_rows_first(rows: list[list[int]]) -> None:
    assert first_values(_column(rows), 0).numpy().tolist() == [row[0] if row else 0 for row in rows]


@settings(max_examples=50, deadline=None)
@given(rows=ragged_rows, length=st.integers(1, 7))
def test_last_values_are_the_rows_last(rows: list[list[int]], length: int) -> None:
    expected = [row[-length:] + [0] * (length - len(row[-length:])) for row in rows]
    assert last_values(_column(rows), length).numpy().tolist() == expected


@pytest.mark.parametrize(
    "values, default, expected",
    [(["a", "b"], "", ["a", ""]), ([0.5, 1.5], 0.0, [0.5, 0.0]), (np.int64([7, 8]), 0, [7, 0])],
)
def test_first_values_of_every_type(values: list, default: object, expected: list) -> None:
    column = tf.SparseTensor([[0, 0], [0, 1]], tf.constant(values), [2, 2])
    found = first_values(column, default).numpy().tolist()
    assert [value.decode() if isinstance(value, bytes) else value for value in found] == expected


def test_shapes_are_known_where_they_can_be() -> None:
    spec = tf.SparseTensorSpec([None, None], tf.int64)
    graph = tf.function(lambda column: (first_values(column, 0), last_values(column, 3)))
    first, last = graph.get_concrete_function(spec).structured_outputs
    assert first.shape.as_list() == [None] and last.shape.as_list() == [None, 3]
