"""What every layer of this project has to do, whatever it computes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

from models.layers.embedding_head import EmbeddingHead
from models.layers.id_embedding import IdEmbedding
from models.layers.memory_bank import MemoryBank
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
    """A layer, inputs for it, and what it promises.

    Attributes:
        make: makes the layer.
        inputs: what it is called with.
        padded_otherwise: the same with other values wherever the padding mask is False; None of a layer that
            knows no positions.
        sequence_output: whether it gives a value for each position.
        output_dtype: what it gives in any precision; None for the policy's.
    """

    make: Callable[..., keras.layers.Layer]
    inputs: tuple[np.ndarray, ...]
    padded_otherwise: tuple[np.ndarray, ...] | None = None
    sequence_output: bool = False
    output_dtype: str | None = None


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
    ),
    "embedding_head": Case(
        lambda **kwargs: EmbeddingHead(3, **kwargs), (_floats(BATCH, DIM),), output_dtype="float32"
    ),
    "memory_bank": Case(
        lambda **kwargs: MemoryBank(6, DIM, **kwargs),
        (_floats(BATCH, DIM), np.float32(5), np.arange(BATCH, dtype=np.int32)),
        output_dtype="float32",
    ),
}

SEQUENCE_CASES = {name: case for name, case in CASES.items() if case.padded_otherwise is not None}

every_layer = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
every_sequence_layer = pytest.mark.parametrize("case", SEQUENCE_CASES.values(), ids=SEQUENCE_CASES.keys())


def _randomize(layer: keras.layers.Layer) -> None:
    """Gives biases other values than the zeros they begin with; whole numbers become those from 0 to 5."""
    rng = np.random.default_rng(1)
    layer.set_weights(
        [
            rng.normal(size=weight.shape) * 0.5
            if np.issubdtype(weight.dtype, np.floating)
            else rng.integers(0, 6, weight.shape)
            for weight in layer.get_weights()
        ]
    )


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
    # The first dimension is the batch, but for a scalar.
    tensors = [
        keras.Input(batch_shape=(None, *array.shape[1:]) if array.ndim else (), dtype=array.dtype.name)
        for array in case.inputs
    ]
    model = keras.Model(tensors, case.make()(*tensors))
    _randomize(model)
    expected = model(list(case.inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(list(case.inputs)), expected)
    assert model.output_shape == (None, *expected.shape[1:])


@every_sequence_layer
def test_padded_positions_do_not_change_real_ones(case: Case) -> None:
    layer = case.make()
    before = np.array(layer(*case.inputs))
    after = np.array(layer(*case.padded_otherwise))
    if case.sequence_output:
        before, after = before[REAL], after[REAL]
    np.testing.assert_allclose(after, before, atol=1e-6)


@every_layer
@pytest.mark.parametrize("policy, bits", [("mixed_bfloat16", 8), ("mixed_float16", 11)])
def test_mixed_precision(case: Case, policy: str, bits: int) -> None:
    layer, mixed = case.make(), case.make(dtype=policy)
    layer(*case.inputs)
    _randomize(layer)
    mixed(*case.inputs)
    mixed.set_weights(layer.get_weights())
    output = mixed(*case.inputs)
    assert output.dtype.name == (case.output_dtype or policy.removeprefix("mixed_"))
    floats = [variable for variable in mixed.variables if "float" in variable.dtype]
    assert {variable.dtype for variable in floats} == {"float32"}
    # Rounding what goes in is one of several stages; those between, sums of some terms, are no worse.
    error = np.abs(np.array(output, np.float32) - np.array(layer(*case.inputs))).max()
    assert error <= 4 * _rounding_error(layer, case.inputs, bits)


def _rounding_error(layer: keras.layers.Layer, inputs: tuple[np.ndarray, ...], bits: int) -> float:
    """The output's largest change when all that goes in is rounded to so many bits, up or down by chance.

    A number of b bits lies within a part in 2^b of what it stands for. What that does to an output depends on
    the layer: differences of large numbers, as in attention, make much of it.
    """
    rng = np.random.default_rng(2)

    def shake(array: np.ndarray) -> np.ndarray:
        if not np.issubdtype(array.dtype, np.floating):
            return array
        return (array * (1 + rng.choice([-1, 1], array.shape) / 2**bits)).astype(array.dtype)

    exact, weights = np.array(layer(*inputs)), layer.get_weights()
    errors = []
    for _ in range(20):
        layer.set_weights([shake(weight) for weight in weights])
        errors.append(np.abs(np.array(layer(*map(shake, inputs))) - exact).max())
    layer.set_weights(weights)
    return max(errors)
