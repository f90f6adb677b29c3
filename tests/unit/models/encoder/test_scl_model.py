"""The contrastive model's step, against numbers worked by hand."""

import math
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.encoder.scl_model import SclModel
from models.layers.embedding_head import EmbeddingHead

Batch = dict[str, np.ndarray]

IDENTITY = np.eye(2, dtype=np.float32)


def _model(**kwargs: object) -> SclModel:
    """Unit vectors in the plane, encoded by a matrix that begins as the identity; scale 2 by default."""
    encoder = keras.Sequential([keras.Input((2,)), EmbeddingHead(2)])
    encoder.set_weights([IDENTITY])
    return SclModel(encoder, 2, **{"queue_size": 5, "momentum": 0.75, "temperature": 0.5} | kwargs)


def _batch(
    query: list, positive: list, item_id: list[int], negative: list | None = None, has: list | None = None
) -> Batch:
    return {
        "query": np.array(query, np.float32),
        "positive": np.array(positive, np.float32),
        "negative": np.array(negative or positive, np.float32),
        "has_negative": np.array(has or [0.0] * len(query), np.float32),
        "item_id": np.array(item_id, np.int32),
    }


def _compiled(model: SclModel, learning_rate: float = 0.0) -> SclModel:
    model.compile(optimizer=keras.optimizers.SGD(learning_rate), jit_compile=False)
    return model


ONE = _batch([[1, 0]], [[0, 1]], [1])
TWO = _batch([[1, 0], [0, 1]], [[0.6, 0.8], [0, 1]], [1, 2], [[0, 1], [1, 0]], [1.0, 0.0])


def test_loss_with_a_bank_by_hand() -> None:
    # First batch: the bank holds nothing but the query's own item: loss 0.
    # Second, scale 2: query (1, 0), positive (0.6, 0.8), logit 1.2; negatives (0, 1) twice, of the first
    # batch's item 7 and of item 2, logits 0: ln(1 + 2 exp(-1.2)).
    # query (0, 1), positive (0, 1), logit 2; negatives (0, 1) of item 7, logit 2, and (0.6, 0.8) of item 1,
    # logit 1.6: ln(1 + 1 + exp(-0.4)).
    model = _compiled(_model(triplet_weight=0.0))
    assert float(model.train_on_batch(_batch([[1, 0]], [[0, 1]], [7]))) == 0
    expected = (math.log(1 + 2 * math.exp(-1.2)) + math.log(2 + math.exp(-0.4))) / 2
    np.testing.assert_allclose(float(model.train_on_batch(TWO)), expected, rtol=1e-6)
    np.testing.assert_array_equal(model.bank.item_ids.numpy(), [7, 1, 2, -1, -1])
    np.testing.assert_allclose(
        model.bank.keys.numpy(), [[0, 1], [0.6, 0.8], [0, 1], [0, 0], [0, 0]], rtol=1e-6
    )


def test_loss_without_a_bank_by_hand() -> None:
    # As above, negatives of the batch alone: ln(1 + exp(-1.2)) and ln(1 + exp(-0.4)).
    # Triplet, margin 0.2: query (1, 0): |q - p|² = 0.8, |q - n|² = 2: 0. The other has no hard negative.
    # With margin 1.5: 0.3, mean 0.15, times 4.
    info = (math.log(1 + math.exp(-1.2)) + math.log(1 + math.exp(-0.4))) / 2
    model = _compiled(_model(queue_size=0))
    np.testing.assert_allclose(float(model.train_on_batch(TWO)), info, rtol=1e-6)
    model = _compiled(_model(queue_size=0, triplet_weight=4.0, triplet_margin=1.5))
    np.testing.assert_allclose(float(model.train_on_batch(TWO)), info + 0.6, rtol=1e-6)


def test_momentum_update_by_hand() -> None:
    # The key encoder follows before it encodes: 0.75 of the identity and 0.25 of the query encoder's matrix
    # at the beginning of the step, 5 times the identity: 2 times the identity; then 0.75 * 2 + 0.25 * 5.
    model = _compiled(_model())
    model.query_encoder.set_weights([5 * IDENTITY])
    model.train_on_batch(ONE)
    np.testing.assert_allclose(model.key_weights[0].numpy(), 2 * IDENTITY)
    model.train_on_batch(ONE)
    np.testing.assert_allclose(model.key_weights[0].numpy(), 2.75 * IDENTITY)


def test_keys_are_encoded_by_the_key_encoder_after_its_update() -> None:
    # Query encoder: first and second coordinate change places. Key encoder: 0.75 of the identity and 0.25 of
    # that: (0, 1) becomes (0.25, 0.75), over its length.
    model = _compiled(_model())
    model.query_encoder.set_weights([IDENTITY[::-1]])
    model.train_on_batch(ONE)
    expected = np.array([0.25, 0.75]) / math.hypot(0.25, 0.75)
    np.testing.assert_allclose(model.bank.keys.numpy()[0], expected, rtol=1e-6)


def test_gradients_reach_the_query_encoder_and_the_temperature_alone() -> None:
    model = _model()
    watched = [weight.value for weight in model.weights]
    model(_batch([[1, 0]], [[0, 1]], [7]), training=True)
    with tf.GradientTape() as tape:
        tape.watch([value for value in watched if value.dtype.is_floating])
        model(TWO, training=True)
        loss = sum(model.losses)
    gradients = dict(zip((w.path for w in model.weights), tape.gradient(loss, watched), strict=True))
    reached = {path for path, gradient in gradients.items() if gradient is not None and np.any(gradient)}
    assert reached == {model.log_scale.path, model.query_encoder.weights[0].path}
    assert {weight.path for weight in model.trainable_variables} == reached


def test_no_gradient_comes_through_positives_where_there_is_a_bank() -> None:
    # All queries are (1, 0) and so are all negatives' products: were keys differentiated, the matrix's
    # second row would move, as without a bank.
    batch = _batch([[1, 0], [1, 0]], [[0, 1], [0.6, 0.8]], [1, 2])
    second_rows = []
    for queue_size in (5, 0):
        model = _compiled(_model(queue_size=queue_size), learning_rate=0.1)
        model.train_on_batch(batch)
        second_rows.append(model.query_encoder.get_weights()[0][1])
    np.testing.assert_array_equal(second_rows[0], [0, 1])
    assert not np.allclose(second_rows[1], [0, 1])


def test_optimizer_leaves_keys_and_bank_alone() -> None:
    model = _compiled(_model(momentum=0.0), learning_rate=0.5)
    before = model.query_encoder.get_weights()[0]
    model.train_on_batch(_batch([[1, 0], [0.6, 0.8]], [[0, 1], [0.6, 0.8]], [1, 2]))
    assert not np.allclose(model.query_encoder.get_weights()[0], before)
    np.testing.assert_array_equal(model.key_weights[0].numpy(), before)
    np.testing.assert_allclose(model.bank.keys.numpy()[:2], [[0, 1], [0.6, 0.8]], rtol=1e-6)


@pytest.mark.parametrize("queue_size", [0, 5])
def test_temperature_learns(queue_size: int) -> None:
    # Query (1, 0): positive's logit 0.6 s, negative's 0: loss ln(1 + exp(-0.6 s)). Query (0, 1): 1 s and
    # 0.8 s: ln(1 + exp(-0.2 s)). By log s, s = 2: -(1.2 / (1 + exp 1.2) + 0.4 / (1 + exp 0.4)) / 2.
    model = _compiled(_model(queue_size=queue_size, triplet_weight=0.0), learning_rate=1.0)
    model.train_on_batch(TWO)
    slope = -(1.2 / (1 + math.exp(1.2)) + 0.4 / (1 + math.exp(0.4))) / 2
    np.testing.assert_allclose(float(model.log_scale.numpy()), math.log(2) - slope, rtol=1e-5)
    np.testing.assert_allclose(model.current_temperature(), 0.5 * math.exp(slope), rtol=1e-5)


def test_temperature_stays_within_its_bound() -> None:
    # Temperature 1 / 200 counts as 1 / 80. Query (1, 0): logits 0.6 * 80 and 0; (0, 1): 80 and 64: nothing
    # that float32 sees of a loss. Logits of 200 would give nothing either, so positives are exchanged: 0 and
    # 48, 64 and 80: a mean loss of (48 + 16) / 2.
    swapped = TWO | {"positive": TWO["positive"][::-1], "has_negative": np.zeros(2, np.float32)}
    for queue_size in (0, 5):
        model = _compiled(_model(queue_size=queue_size, temperature=1 / 200), learning_rate=1.0)
        before = float(model.log_scale.numpy())
        np.testing.assert_allclose(float(model.train_on_batch(swapped)), 32, rtol=1e-5)
        np.testing.assert_allclose(model.current_temperature(), 1 / 80, rtol=1e-6)
        # Beyond the bound nothing pulls it farther.
        assert float(model.log_scale.numpy()) == before


def test_an_item_twice_in_a_batch_is_no_negative_of_itself() -> None:
    same = _batch([[1, 0], [0, 1]], [[0, 1], [1, 0]], [4, 4])
    for queue_size in (0, 5):
        model = _compiled(_model(queue_size=queue_size, triplet_weight=0.0), learning_rate=1.0)
        assert float(model.train_on_batch(same)) == 0
        np.testing.assert_array_equal(model.query_encoder.get_weights()[0], IDENTITY)


def test_evaluation_changes_nothing() -> None:
    model = _compiled(_model())
    model.train_on_batch(TWO)
    before = model.get_weights()
    embeddings = model(TWO)
    model.test_on_batch(TWO)
    np.testing.assert_allclose(embeddings, [[1, 0], [0, 1]])
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.parametrize("queue_size", [0, 5])
def test_saves_and_loads(queue_size: int, tmp_path: Path) -> None:
    model = _compiled(_model(queue_size=queue_size, momentum=0.9, triplet_margin=0.3), learning_rate=0.1)
    model.train_on_batch(TWO)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    own = {"query_encoder": None}
    assert loaded.get_config() | own == model.get_config() | own
    for weight, old in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, old)
    assert float(loaded.train_on_batch(TWO)) == float(model.train_on_batch(TWO))
