"""What every layer of this project has to do, whatever it computes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

from models.layers.id_embedding import IdEmbedding
from models.layers.mlp import Mlp
from models.layers.split_dense import SplitDense
from models.layers.target_attention import TargetAttention

BATCH, LENGTH, DIM = 3, 5, 4
REAL = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=bool)  # [BATCH, LENGTH]


def _floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


def _ids() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 9, (BATCH, LENGTH)) * REAL


@dataclass(frozen=True)
class Case:
    """A layer, inputs for it, and the same inputs with other values wherever the padding mask is False."""

    make: Callable[..., keras.layers.Layer]
    inputs: tuple[np.ndarray, ...]
    padded_otherwise: tuple[np.ndarray, ...]
    sequence_output: bool


def _otherwise(values: np.ndarray) -> np.ndarray:
    return np.where(REAL[..., None], values, values * 7 + 100).astype(np.float32)


SEQUENCE = _floats(BATCH, LENGTH, DIM)
CASES = {
    "id_embedding": Case(
        lambda **kwargs: IdEmbedding(9, DIM, **kwargs), (_ids(),), (np.where(REAL, _ids(), 8),), True
    ),
    "mlp": Case(lambda **kwargs: Mlp((6, 2), "tanh", **kwargs), (SEQUENCE,), (_otherwise(SEQUENCE),), True),
    "split_dense": Case(
        lambda **kwargs: SplitDense(6, "tanh", **kwargs),
        (SEQUENCE, SEQUENCE[..., :2]),
        (_otherwise(SEQUENCE), _otherwise(SEQUENCE)[..., :2]),
        True,
    ),
    "target_attention": Case(
        lambda **kwargs: TargetAttention((8, 6), "tanh", **kwargs),
        (_floats(BATCH, DIM), SEQUENCE, REAL),
        (_floats(BATCH, DIM), _otherwise(SEQUENCE), REAL),
        False,
    ),
}

every_layer = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def _randomize(layer: keras.layers.Layer) -> None:
    """Gives biases other values than the zeros they begin with."""
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=weight.shape) * 0.5 for weight in layer.get_weights()])


@every_layer
def test_config_round_trip(case: Case) -> None:
    layer = case.make(name="original")
    copy = type(layer).from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    layer(*case.inputs)
    copy(*case.inputs)
    _randomize(layer)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(*case.inputs), layer(*case.inputs))


@every_layer
def test_saves_and_loads_within_a_keras_model(case: Case, tmp_path: Path) -> None:
    tensors = [keras.Input(array.shape[1:], dtype=array.dtype.name) for array in case.inputs]
    model = keras.Model(tensors, case.make()(*tensors))
    _randomize(model)
    expected = model(list(case.inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(list(case.inputs)), expected)
    assert model.output_shape == (None, *expected.shape[1:])


@every_layer
def test_padded_positions_do_not_change_real_ones(case: Case) -> None:
    layer = case.make()
    before = np.array(layer(*case.inputs))
    after = np.array(layer(*case.padded_otherwise))
    if case.sequence_output:
        before, after = before[REAL], after[REAL]
    np.testing.assert_allclose(after, before, atol=1e-6)


@every_layer
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(case: Case, policy: str) -> None:
    layer, mixed = case.make(), case.make(dtype=policy)
    layer(*case.inputs)
    _randomize(layer)
    expected = np.array(layer(*case.inputs))
    mixed(*case.inputs)
    mixed.set_weights(layer.get_weights())
    output = mixed(*case.inputs)
    assert output.dtype.name == policy.removeprefix("mixed_")
    assert {variable.dtype for variable in mixed.variables} == {"float32"}
    # bfloat16 keeps 8 bits of a number: an error of 1/256 for each of the few factors on the way.
    scale = np.abs(expected).max()
    np.testing.assert_allclose(np.array(output, np.float32), expected, atol=0.03 * scale)
