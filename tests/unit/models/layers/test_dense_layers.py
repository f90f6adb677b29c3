"""Mlp and SplitDense, worked out by hand."""

import numpy as np
import pytest

from models.layers.mlp import Mlp
from models.layers.split_dense import SplitDense


def test_mlp_has_no_activation_after_its_last_layer() -> None:
    # relu(3 * -1 + 1) = relu(-2) = 0 and relu(3 * 2 + 0) = 6;  0 * 5 + 6 * -1 + 2 = -4, which relu would cut.
    layer = Mlp((2, 1))
    layer(np.zeros((1, 1), np.float32))
    layer.set_weights([np.array([[-1, 2]]), np.array([1, 0]), np.array([[5], [-1]]), np.array([2])])
    np.testing.assert_allclose(layer(np.array([[3.0]], np.float32)), [[-4]])


def test_split_dense_is_one_layer_over_both_inputs() -> None:
    # [1, 2 | 3] times the kernel (1, 10, 100) plus 1000 = 1 + 20 + 300 + 1000; a single first row meets all
    # second.
    layer = SplitDense(1)
    first = np.array([[1, 2]], np.float32)
    second = np.array([[3], [4]], np.float32)
    layer(first, second)
    layer.set_weights([np.array([[1], [10], [100]]), np.array([1000])])
    np.testing.assert_allclose(layer(first, second), [[1321], [1421]])


def test_no_units_are_refused() -> None:
    with pytest.raises(ValueError, match="units"):
        Mlp(())
    with pytest.raises(ValueError, match="units"):
        SplitDense(0)
