"""AdamW takes an embedding's gradient by entry, however often its rows name one."""

import keras
import numpy as np
import tensorflow as tf

from models.optimizers.replica_adamw import ReplicaAdamW


def test_rows_of_the_same_entry_are_added_up_before_they_are_squared() -> None:
    table = keras.Variable(np.zeros((3, 1), np.float32))
    optimizer = ReplicaAdamW(0.1, weight_decay=0.0)
    rows = tf.IndexedSlices(tf.constant([[1.0], [3.0], [2.0]]), tf.constant([0, 0, 2]), tf.constant([3, 1]))
    optimizer.apply([rows], [table])
    # Entry 0 has 1 + 3: a velocity of (1 - 0.999) · 4², where the rows' own squares would make it 0.001 · 10.
    np.testing.assert_allclose(optimizer._velocities[0], [[0.016], [0.0], [0.004]], rtol=1e-5)
    np.testing.assert_allclose(optimizer._momentums[0], [[0.4], [0.0], [0.2]], rtol=1e-5)
    # The first step of Adam is the learning rate, against the gradient's sign.
    np.testing.assert_allclose(table, [[-0.1], [0.0], [-0.1]], atol=1e-6)


def test_the_norm_that_is_clipped_is_that_of_the_summed_rows() -> None:
    table = keras.Variable(np.zeros((2, 1), np.float32))
    optimizer = ReplicaAdamW(0.1, weight_decay=0.0, global_clipnorm=2.5)
    rows = tf.IndexedSlices(tf.constant([[1.0], [2.0], [4.0]]), tf.constant([0, 0, 1]), tf.constant([2, 1]))
    optimizer.apply([rows], [table])
    # (3, 4) is of length 5, so half of it is left; a momentum is a tenth.
    np.testing.assert_allclose(optimizer._momentums[0], [[0.15], [0.2]], rtol=1e-5)


def test_what_no_loss_depends_on_stays() -> None:
    one, other = (keras.Variable(np.ones(1, np.float32)) for _ in range(2))
    ReplicaAdamW(0.1, weight_decay=0.0).apply([None, tf.constant([2.0])], [one, other])
    np.testing.assert_allclose([one, other], [[1.0], [0.9]], atol=1e-6)
