"""A training that goes on from another, with tables that have grown."""

import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.continuation import array_file
from models.continuation.training_state import STATE_FILE, TrainingState
from models.continuation.vocabulary import Vocabulary
from models.layers.frozen_embedding import FrozenEmbedding
from models.layers.id_embedding import IdEmbedding
from models.optimizers.rowwise_adagrad import RowwiseAdagrad
from transforms.input_error import InputError

HASHED = 2


class Clicks(keras.Model):
    """A table of ids, a dense layer, and embeddings that are not learned."""

    def __init__(self, ids: int, start: float, frozen_rows: int = 3) -> None:
        super().__init__()
        constant = keras.initializers.Constant(start)
        self.ids = IdEmbedding(1 + ids + HASHED, 1, constant)
        self.dense = keras.layers.Dense(2, kernel_initializer=constant, use_bias=False)
        self.embeddings = FrozenEmbedding(frozen_rows, 4)
        self.ids.build()
        self.embeddings.build()
        self.dense.build((None, 1))
        self.built = True

    @property
    def tables(self) -> dict[str, IdEmbedding]:
        return {"item_id": self.ids}


def clicks(ids: int, start: float = 1.0, frozen_rows: int = 3) -> Clicks:
    model = Clicks(ids, start, frozen_rows)
    # The tables' sums of squares begin at 7.
    optimizer = RowwiseAdagrad(0.1, table_learning_rate=0.5, initial_accumulator_value=7.0)
    model.compile(optimizer=optimizer, loss="mse", jit_compile=False)
    return model


def step(model: Clicks, rows: Sequence[int], gradients: Sequence[float], dense: float) -> None:
    slices = tf.IndexedSlices(
        tf.constant(gradients, tf.float32)[:, None],
        tf.constant(rows, tf.int64),
        dense_shape=tf.constant(model.ids.table.shape),
    )
    model.optimizer.apply([slices, tf.fill([1, 2], dense)], model.trainable_variables)


def vocabulary(path: Path, ids: str) -> dict[str, Vocabulary]:
    path.write_text("".join(f"{item}\n" for item in ids))
    return {"item_id": Vocabulary(str(path), len(ids))}


def trained(folder: Path) -> dict[str, Vocabulary]:
    """A model of the ids a and b after a step: rows of the missing id, a, b, and two hashed ones."""
    model, known = clicks(2), vocabulary(folder / "before", "ab")
    # Row 1: gradient 3, 7 + 9 = 16, step 0.5 * 3 / 4 = 0.375. Row 4, the second hashed one: gradient -5, 7 + 25 = 32.
    step(model, [1, 4], [3, -5], 2.0)
    TrainingState.write(str(folder / "state"), model, model.tables, known, {"image": "x"})
    return known


ROW_4 = 1 + 0.5 * 5 / 32**0.5


def test_grown_tables_by_hand(tmp_path: Path) -> None:
    trained(tmp_path)
    state = TrainingState.read(str(tmp_path / "state"))
    assert (state.steps, state.encoders) == (1, {"image": "x"})
    # c, d and e are new; their rows begin as fresh ones do (here at 9), and the catalog has more embeddings.
    model = clicks(5, start=9.0, frozen_rows=8)
    state.restore(model, model.tables, vocabulary(tmp_path / "now", "abcde"))
    np.testing.assert_allclose(model.ids.table.numpy()[:, 0], [1, 0.625, 1, 9, 9, 9, 1, ROW_4], rtol=1e-6)
    (slot,) = model.optimizer.slots(model.ids.table)
    np.testing.assert_allclose(slot.numpy()[:, 0], [7, 16, 7, 7, 7, 7, 7, 32])
    assert not model.embeddings.table.numpy().any()

    # Row 1 goes on where it stood: 16 + 9 = 25, step 0.5 * 3 / 5; d is fresh: 7 + 9 = 16, step 0.375; the second
    # hashed row too: 32 + 4 = 36, step 0.5 * 2 / 6.
    step(model, [1, 4, 7], [3, 3, 2], 2.0)
    expected = [1, 0.325, 1, 9, 8.625, 9, 1, ROW_4 - 1 / 6]
    np.testing.assert_allclose(model.ids.table.numpy()[:, 0], expected, rtol=1e-6)
    # Adam's steps on one gradient are the learning rate each, if its moments and its count of steps go on.
    np.testing.assert_allclose(model.dense.kernel.numpy(), [[0.8, 0.8]], rtol=1e-5)
    assert model.optimizer.iterations.numpy() == 2


def test_two_steps_and_one_after_the_other_are_the_same(tmp_path: Path) -> None:
    known = vocabulary(tmp_path / "known", "abcdefg")
    rng = np.random.default_rng(0)
    steps = [(rng.permutation(10)[:4], rng.normal(size=4), rng.normal()) for _ in range(6)]
    at_once, first, second = (clicks(7) for _ in range(3))
    for values in steps:
        step(at_once, *values)
    for values in steps[:3]:
        step(first, *values)
    TrainingState.write(str(tmp_path / "state"), first, first.tables, known, {})
    TrainingState.read(str(tmp_path / "state")).restore(second, second.tables, known)
    for values in steps[3:]:
        step(second, *values)
    for expected, got in zip(at_once.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_arrays_are_read_and_written_by_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Two rows of one number at once.
    monkeypatch.setattr(array_file, "PART_BYTES", 8)
    trained(tmp_path)
    model = clicks(5, start=9.0)
    known = vocabulary(tmp_path / "now", "abcde")
    TrainingState.read(str(tmp_path / "state")).restore(model, model.tables, known)
    np.testing.assert_allclose(model.ids.table.numpy()[:, 0], [1, 0.625, 1, 9, 9, 9, 1, ROW_4], rtol=1e-6)


def test_layers_that_begin_anew_keep_what_they_were_made_with(tmp_path: Path) -> None:
    known = trained(tmp_path)
    model = clicks(2, start=9.0)
    TrainingState.read(str(tmp_path / "state")).restore(model, model.tables, known, anew=[model.dense])
    assert model.ids.table.numpy()[1, 0] == 0.625
    np.testing.assert_array_equal(model.dense.kernel.numpy(), [[9, 9]])
    assert not any(slot.numpy().any() for slot in model.optimizer.slots(model.dense.kernel))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ("ba", "knows other item_ids than"),  # the same ids in another order
        ("axb", "knows other item_ids than"),
        ("a", "expected 2 ids or more, got 1"),
    ],
)
def test_a_vocabulary_that_does_not_begin_with_the_known_ids(tmp_path: Path, ids: str, message: str) -> None:
    trained(tmp_path)
    model = clicks(len(ids))
    with pytest.raises(InputError, match=message):
        TrainingState.read(str(tmp_path / "state")).restore(
            model, model.tables, vocabulary(tmp_path / "now", ids)
        )


def test_another_model(tmp_path: Path) -> None:
    known = trained(tmp_path)
    state = TrainingState.read(str(tmp_path / "state"))
    wider = clicks(3)  # a table of three ids for a vocabulary of two
    with pytest.raises(InputError, match=r"expected \[5, 1\] and 0 more rows, got \[6, 1\]"):
        state.restore(wider, wider.tables, known)
    model = clicks(2)
    model.dense.trainable = False
    with pytest.raises(InputError, match="needs a ROOT of its own"):
        state.restore(model, model.tables, known)
    with pytest.raises(InputError, match=r"expected ids of \['item_id'\], got \[\]"):
        state.restore(clicks(2), {}, {})


def test_damaged_files(tmp_path: Path) -> None:
    known = trained(tmp_path)
    folder = tmp_path / "state"
    state, model = TrainingState.read(str(folder)), clicks(2)
    array = folder / "0000-0.f32"
    array.write_bytes(array.read_bytes()[:-1])
    with pytest.raises(InputError, match="expected 20 bytes of numbers, got 19"):
        state.restore(model, model.tables, known)
    array.unlink()
    with pytest.raises(InputError, match="found no file"):
        state.restore(model, model.tables, known)
    for content in (
        "[]",
        "{",
        json.dumps({"steps": 1, "arrays": [{"shape": "x"}], "ids": {}, "encoders": {}}),
    ):
        (folder / STATE_FILE).write_text(content)
        with pytest.raises(InputError, match=r"state\.json"):
            TrainingState.read(str(folder))
    with pytest.raises(InputError, match="found none"):
        TrainingState.read(str(tmp_path / "nowhere"))
