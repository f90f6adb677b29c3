"""What each integration adds to the model of IDs, from embeddings small enough to compute in the head."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.content.content import Content
from models.ctr.addition import Addition
from models.ctr.integrations.integration import Integration
from models.ctr.integrations.make_knowledge import MakeKnowledge
from models.ctr.integrations.sim_score import SimScore
from models.ctr.integrations.sim_tiers import SimTiers
from models.ctr.integrations.vector import Vector

DIMS = [2, 3]
# Two impressions and three behaviors each; the second one's candidate has no image.
IMAGE = Content(
    target=tf.constant([[1.0, 0.0], [0.0, 0.0]]),
    has_target=tf.constant([True, False]),
    behaviors=tf.constant([[[0.8, 0.6], [-0.6, 0.8], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]),
    has_behavior=tf.constant([[True, True, False], [True, False, False]]),
    shared=False,
)
TEXT = Content(
    target=tf.constant([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    has_target=tf.constant([True, True]),
    behaviors=tf.constant(
        [
            [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0]],
            [[0.0, 0.6, 0.8], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
        ]
    ),
    has_behavior=tf.constant([[False, True, True], [True, True, False]]),
    shared=False,
)
IMAGE_SIMILARITY = [[0.8, -0.6, 0], [0, 0, 0]]
TEXT_SIMILARITY = [[0, 1, -1], [0.8, 0, 0]]

WAYS = [
    Vector(),
    SimScore(),
    SimTiers(num_tiers=4),
    MakeKnowledge(attention_units=(4,), mlp_units=(5, 3), projection_dim=2),
]


def _add(integration: Integration) -> Addition:
    integration.build(DIMS)
    return integration(contents=[IMAGE, TEXT])


def _together(parts: Any) -> np.ndarray:
    return np.concatenate([np.array(part) for part in parts], axis=-1)


def test_vector_is_the_embeddings_themselves() -> None:
    addition = _add(Vector())
    targets = [[1, 0, 0, 1, 0], [0, 0, 0, 0, 1]]
    assert _together(addition.target).tolist() == targets
    assert _together(addition.candidate).tolist() == targets
    behaviors = np.concatenate([IMAGE.behaviors, TEXT.behaviors], axis=-1)
    np.testing.assert_array_equal(_together(addition.behaviors), behaviors)
    assert not addition.pairs


def test_sim_score_is_a_number_for_each_behavior_and_modality() -> None:
    addition = _add(SimScore())
    np.testing.assert_allclose(addition.pairs, [IMAGE_SIMILARITY, TEXT_SIMILARITY], atol=1e-7)
    assert not (addition.target or addition.behaviors or addition.candidate)


@pytest.mark.parametrize("log_counts", [False, True])
def test_sim_tiers_are_a_histogram_for_each_modality(log_counts: bool) -> None:
    addition = _add(SimTiers(num_tiers=4, log_counts=log_counts))
    # Tiers of four: from -1, -0.5, 0 and 0.5. The image's 0.8 and -0.6 count, the third behavior has none, and
    # nothing counts where the candidate has none. Of the texts 1 and -1 count, and then 0.8 and a true 0.
    counts = np.array([[1, 0, 0, 1, 1, 0, 0, 1], [0, 0, 0, 0, 0, 0, 1, 1]])
    expected = np.log(1 + counts) if log_counts else counts
    np.testing.assert_allclose(_together(addition.candidate), expected, rtol=1e-6)
    assert not (addition.target or addition.behaviors or addition.pairs)


def test_make_adds_the_extractors_knowledge() -> None:
    layer = MakeKnowledge(attention_units=(4,), mlp_units=(5, 3), projection_dim=2)
    addition = _add(layer)
    # A behavior is there if one of its embeddings is.
    padding_mask = np.array([[True, True, True], [True, True, False]])
    similarities = np.stack([IMAGE_SIMILARITY, TEXT_SIMILARITY]).astype(np.float32)
    knowledge, _ = layer.extractor(
        [IMAGE.target, TEXT.target], [IMAGE.behaviors, TEXT.behaviors], padding_mask, similarities
    )
    np.testing.assert_allclose(_together(addition.candidate), knowledge, atol=1e-6)
    assert not (addition.target or addition.behaviors or addition.pairs)


def test_only_makes_own_training_trains_its_logit() -> None:
    layer = MakeKnowledge(attention_units=(4,), mlp_units=(5, 3), projection_dim=2)
    layer.build(DIMS)
    idle = [variable.path for variable in layer.weights if not variable.trainable]
    assert len(idle) == 2 and all("/logit/" in path for path in idle)


@pytest.mark.parametrize("integration", WAYS, ids=lambda way: way.name)
def test_widths_are_those_of_what_is_added(integration: Integration) -> None:
    addition = _add(integration)

    def width(parts: Any) -> int:
        return _together(parts).shape[-1] if parts else 0

    assert integration.item_width(DIMS) == width(addition.target) == width(addition.behaviors)
    assert integration.pair_width(DIMS) == len(addition.pairs)
    assert integration.candidate_width(DIMS) == width(addition.candidate)


@pytest.mark.parametrize("integration", WAYS, ids=lambda way: way.name)
def test_config_round_trip(integration: Integration) -> None:
    config = keras.saving.serialize_keras_object(integration)
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(integration)
    assert again.get_config() == integration.get_config()
