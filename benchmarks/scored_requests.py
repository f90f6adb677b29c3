"""What the benchmarks of scoring share: a saved model of clicks with content, and requests for its signatures."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.made_requests import (
    FEATURES,
    KNOWN_ITEMS,
    LENGTH,
    NUM_ROWS,
    SPEC,
    Row,
    analyze,
    assign_random_weights,
    count_table_rows,
    make_index,
    make_item,
    make_user,
    user_columns,
)
from benchmarks.reporting import progress

# isort: split
import numpy as np
import tensorflow as tf

from models.ctr.config import CtrConfig
from models.ctr.model import CtrModel
from serving.signatures import save_ctr_model
from transforms.preprocessing import BEHAVIOR_COLUMNS

CANDIDATES = 200


@dataclass(frozen=True)
class ScoredRequest:
    """One user and the candidates, made for both ways of asking.

    Attributes:
        columns: the inputs of `score_candidates`.
        examples: that of `serving_default`.
    """

    columns: dict[str, tf.Tensor]
    examples: tf.Tensor


def save_scoring_model(
    rng: np.random.Generator, vectors: Mapping[str, np.ndarray], folder: str, directory: str
) -> None:
    """Writes a model with SimTier and MAKE over two modalities, of random weights, behind a real transform.

    Args:
        rng: draws the weights.
        vectors: of `make_embeddings`.
        folder: where the transform's analysis goes.
        directory: where the SavedModel goes.
    """
    transform_output = analyze(rng, folder)
    progress("saving the model")
    shapes = {modality: table.shape for modality, table in vectors.items()}
    model = CtrModel(FEATURES, count_table_rows(transform_output), CtrConfig(), shapes)
    assign_random_weights(rng, model)
    model.embeddings.assign(vectors)
    transform_layer = transform_output.transform_features_layer()
    index = make_index(KNOWN_ITEMS)
    save_ctr_model(model, transform_layer, SPEC, FEATURES, LENGTH, directory, index)


def make_scored_request(rng: np.random.Generator, vectors: Mapping[str, np.ndarray]) -> ScoredRequest:
    """Draws a user, as many behaviors as count, and candidates; all have embeddings."""
    behaviors = rng.integers(KNOWN_ITEMS, size=LENGTH)
    items = rng.choice(KNOWN_ITEMS, CANDIDATES, replace=False)
    user = make_user(int(rng.integers(NUM_ROWS)), behaviors.tolist())
    candidates = [make_item(item) for item in items.tolist()]
    columns = user_columns(user)
    for name in BEHAVIOR_COLUMNS:
        columns[name] = tf.constant([candidate[name][0] for candidate in candidates])
    for modality, table in vectors.items():
        columns[f"behavior_{modality}_embedding"] = tf.constant(table[1 + behaviors][None])
        columns[f"{modality}_embedding"] = tf.constant(table[1 + items])
    return ScoredRequest(columns, tf.constant([_serialize(user | candidate) for candidate in candidates]))


def _serialize(row: Row) -> bytes:
    features = {
        name: tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        if SPEC[name].dtype == tf.int64
        else tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode() for value in values]))
        for name, values in row.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
