"""What every custom layer must do: config round trip, save and load, masking, mixed precision."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import pytest

from models.layers.id_embedding import IdEmbedding
from models.layers.mlp import Mlp
from models.layers.split_dense import SplitDense
from models.layers.target_attention import TargetAttention


@dataclass(frozen=True)
class Case:
    """A layer, and inputs for it.

    Attributes:
        make: builds the layer with the given dtype policy.
        inputs: arrays that the layer is called with.
    """

    make: Callable[[str], keras.layers.Layer]
    inputs: tuple[np.ndarray, ...]


RNG = np.random.default_rng(7)
MASK = np.array([[True, True, False, False], [True, False, False, False], [False] * 4])
CASES = {
    "id_embedding": Case(
        lambda policy: IdEmbedding(11, 3, dtype=policy), (np.array([[1, 10, 0], [2, 2, 3]]),)
    ),
    "mlp": Case(lambda policy: Mlp((5, 2), dtype=policy), (RNG.normal(size=(4, 3)).astype("float32"),)),
    "split_dense": Case(
        lambda policy: SplitDense(4, "relu", dtype=policy),
        (RNG.normal(size=(3, 2)).astype("float32"), RNG.normal(size=(3, 5)).astype("float32")),
    ),
    "target_attention": Case(
        lambda policy: TargetAttention((6, 4), dtype=policy),
        (
            RNG.normal(size=(3, 2)).astype("float32"),
            RNG.normal(size=(3, 4, 2)).astype("float32"),
            MASK,
        ),
    ),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request) -> Case:
    return request.param


def call(layer: keras.layers.Layer, case: Case) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer(*map(keras.ops.convert_to_tensor, case.inputs)))


def test_config_round_trip(case):
    layer = case.make("float32")
    call(layer, case)
    copy = type(layer).from_config(layer.get_config())
    call(copy, case)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(call(copy, case), call(layer, case))
    assert copy.get_config() == layer.get_config()


def test_save_and_load(case, tmp_path):
    inputs = [keras.Input(array.shape[1:], dtype=array.dtype.name) for array in case.inputs]
    model = keras.Model(inputs, case.make("float32")(*inputs))
    expected = model.predict(list(case.inputs), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(list(case.inputs), verbose=0), expected)


def test_mixed_precision_computes_in_bfloat16_and_keeps_float32_variables(case):
    exact, mixed = case.make("float32"), case.make("mixed_bfloat16")
    expected = call(exact, case)
    output = mixed(*map(keras.ops.convert_to_tensor, case.inputs))
    assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"
    assert {variable.dtype for variable in mixed.variables} == {"float32"}
    mixed.set_weights(exact.get_weights())
    found = call(mixed, case).astype("float32")
    # bfloat16 keeps 8 bits, and a few sums stand between input and output.
    np.testing.assert_allclose(found, expected, atol=0.05 * max(1.0, np.abs(expected).max()))


def test_padded_behaviors_change_nothing():
    case = CASES["target_attention"]
    layer = case.make("float32")
    expected = call(layer, case)
    target, behaviors, mask = case.inputs
    garbage = np.where(mask[:, :, None], behaviors, 1e3).astype("float32")
    np.testing.assert_array_equal(call(layer, Case(case.make, (target, garbage, mask))), expected)
    # The third user has no behavior at all.
    np.testing.assert_array_equal(expected[2], np.zeros(2))


def test_embedding_masks_the_missing_id():
    mask = IdEmbedding(11, 3).compute_mask(keras.ops.convert_to_tensor([[1, 10, 0], [0, 2, 3]]))
    np.testing.assert_array_equal(mask, [[True, True, False], [False, True, True]])
