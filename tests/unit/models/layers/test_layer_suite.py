"""What every layer of this project has to do, whatever it computes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers.click_gate import ClickGate
from models.layers.embedding_head import EmbeddingHead
from models.layers.frozen_embedding import FrozenEmbedding
from models.layers.id_embedding import IdEmbedding
from models.layers.knowledge_extractor import KnowledgeExtractor
from models.layers.memory_bank import MemoryBank
from models.layers.mlp import Mlp
from models.layers.sim_tier import SimTier
from models.layers.split_dense import SplitDense
from models.layers.target_attention import TargetAttention

BATCH, LENGTH, DIM = 3, 5, 4
REAL = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=bool)  # [BATCH, LENGTH]

Inputs = tuple[np.ndarray | list[np.ndarray], ...]


def _floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


def _ids() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 9, (BATCH, LENGTH)) * REAL


@dataclass(frozen=True)
class Case:
    """A layer, inputs for it, and what it promises.

    Attributes:
        make: makes the layer.
        inputs: what it is called with, arrays or lists of arrays.
        padded_otherwise: the same with other values wherever the padding mask is False; None of a layer that
            knows no positions.
        sequence_output: whether it gives a value for each position.
        output_dtype: what it gives in any precision; None for the policy's.
    """

    make: Callable[..., keras.layers.Layer]
    inputs: Inputs
    padded_otherwise: Inputs | None = None
    sequence_output: bool = False
    output_dtype: str | None = None


def _otherwise(values: np.ndarray) -> np.ndarray:
    return np.where(REAL[..., None], values, values * 7 + 100).astype(np.float32)


SEQUENCE = _floats(BATCH, LENGTH, DIM)
SIMILARITY = np.random.default_rng(3).uniform(-1, 1, (BATCH, LENGTH)).astype(np.float32)
TARGETS = [_floats(BATCH, DIM), _floats(BATCH, DIM)[:, :2]]
PAIRS = np.stack([SIMILARITY, -SIMILARITY])
OTHER_PAIRS = np.where(REAL, PAIRS, np.float32(7))
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
    "target_attention_of_pairs": Case(
        lambda **kwargs: TargetAttention((8,), "tanh", pair_dim=2, **kwargs),
        (_floats(BATCH, DIM), SEQUENCE, REAL, PAIRS),
        (_floats(BATCH, DIM), _otherwise(SEQUENCE), REAL, OTHER_PAIRS),
    ),
    "frozen_embedding": Case(
        lambda **kwargs: FrozenEmbedding(9, DIM, **kwargs),
        (_ids(),),
        (np.where(REAL, _ids(), 8),),
        True,
        output_dtype="float32",
    ),
    "sim_tier": Case(
        lambda **kwargs: SimTier(7, **kwargs),
        (SIMILARITY, REAL),
        (np.where(REAL, SIMILARITY, np.nan).astype(np.float32), REAL),
    ),
    "sim_tier_of_logs": Case(
        lambda **kwargs: SimTier(7, log_counts=True, **kwargs),
        (SIMILARITY, REAL),
        (_otherwise(SIMILARITY[..., None])[..., 0], REAL),
    ),
    "knowledge_extractor": Case(
        lambda **kwargs: KnowledgeExtractor((8,), (6, 5), projection_dim=3, **kwargs),
        (TARGETS, [SEQUENCE, SEQUENCE[..., :2]], REAL, PAIRS),
        (TARGETS, [_otherwise(SEQUENCE), _otherwise(SEQUENCE)[..., :2]], REAL, OTHER_PAIRS),
    ),
    "embedding_head": Case(
        lambda **kwargs: EmbeddingHead(3, **kwargs), (_floats(BATCH, DIM),), output_dtype="float32"
    ),
    "click_gate": Case(
        lambda **kwargs: ClickGate(2, 5, **kwargs),
        (np.array([0, 1, 9], np.int64),),
        output_dtype="float32",
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


def _call(model: keras.layers.Layer, inputs: Inputs) -> tf.Tensor:
    """What a layer or a model gives; several outputs as one, side by side."""
    return _join(model(*inputs))


def _join(outputs: tf.Tensor | Sequence[tf.Tensor]) -> tf.Tensor:
    first, *others = keras.tree.flatten(outputs)
    if not others:
        return first
    return tf.concat([tf.reshape(output, (BATCH, -1)) for output in (first, *others)], axis=-1)


@every_layer
def test_config_round_trip(case: Case) -> None:
    layer = case.make(name="original")
    copy = type(layer).from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    layer(*case.inputs)
    copy(*case.inputs)
    _randomize(layer)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(_call(copy, case.inputs), _call(layer, case.inputs))


@every_layer
def test_saves_and_loads_within_a_keras_model(case: Case, tmp_path: Path) -> None:
    # The first dimension is the batch, but for a scalar.
    tensors = keras.tree.map_structure(
        lambda array: keras.Input(
            batch_shape=(None, *array.shape[1:]) if array.ndim else (), dtype=array.dtype.name
        ),
        list(case.inputs),
    )
    model = keras.Model(tensors, case.make()(*tensors))
    _randomize(model)
    expected = model(list(case.inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(_join(loaded(list(case.inputs))), _join(expected))
    shapes = [(None, *output.shape[1:]) for output in keras.tree.flatten(expected)]
    assert [output.shape for output in model.outputs] == shapes


@every_sequence_layer
def test_padded_positions_do_not_change_real_ones(case: Case) -> None:
    layer = case.make()
    before = np.array(_call(layer, case.inputs))
    after = np.array(_call(layer, case.padded_otherwise))
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
    output = _call(mixed, case.inputs)
    assert output.dtype.name == (case.output_dtype or policy.removeprefix("mixed_"))
    floats = [variable for variable in mixed.variables if "float" in variable.dtype]
    assert all(variable.dtype == "float32" for variable in floats)
    # Rounding what goes in is one of several stages; those between, sums of some terms, are no worse.
    exact = np.array(_call(layer, case.inputs))
    error = np.abs(np.array(output, np.float32) - exact).max()
    # The output is rounded too, where nothing that goes in is.
    assert error <= 4 * _rounding_error(layer, case.inputs, bits) + np.abs(exact).max() / 2**bits


def _rounding_error(layer: keras.layers.Layer, inputs: Inputs, bits: int) -> float:
    """The output's largest change when all that goes in is rounded to so many bits, up or down by chance.

    A number of b bits lies within a part in 2^b of what it stands for. What that does to an output depends on
    the layer: differences of large numbers, as in attention, make much of it.
    """
    rng = np.random.default_rng(2)

    def shake(array: np.ndarray) -> np.ndarray:
        if not np.issubdtype(array.dtype, np.floating):
            return array
        return (array * (1 + rng.choice([-1, 1], array.shape) / 2**bits)).astype(array.dtype)

    exact, weights = np.array(_call(layer, inputs)), layer.get_weights()
    errors = []
    for _ in range(20):
        layer.set_weights([shake(weight) for weight in weights])
        errors.append(np.abs(np.array(_call(layer, keras.tree.map_structure(shake, inputs))) - exact).max())
    layer.set_weights(weights)
    return max(errors)
