"""What the benchmarks of serving share: users and items as logs have them, their transform, and the runtime's calls."""

import itertools
from collections.abc import Callable, Iterator, Mapping

import models  # noqa: F401  (chooses the Keras of the process before TensorFlow is imported)

# isort: split
import keras
import numpy as np
import pyarrow as pa
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from benchmarks.reporting import progress
from models.content.item_index import ItemIndex
from transforms.configuration import to_json
from transforms.feature import model_features
from transforms.ingest_config import IngestConfig
from transforms.preprocessing import BEHAVIOR_COLUMNS, LABEL, preprocessing_fn, table_rows

# Items of the transform's vocabulary; a catalog may have more.
KNOWN_ITEMS = 100_000
NUM_CATEGORIES, NUM_SHOPS, NUM_USERS = 1_000, 10_000, 10_000
# The analysis sees every item: as many rows as it takes, with their behaviors.
NUM_ROWS = 4_000
EMBEDDING_DIM = 128
MODALITIES = ("image", "text")
INGEST = IngestConfig()
FEATURES = model_features(INGEST.features)
LENGTH = INGEST.max_behaviors
WEIGHT_DEVIATION = 0.1

STRINGS = ("impression_id", "user_id", *BEHAVIOR_COLUMNS, *(feature.name for feature in INGEST.features))
SPEC = {
    **{name: tf.io.VarLenFeature(tf.string) for name in STRINGS},
    **{f"behavior_{name}": tf.io.VarLenFeature(tf.string) for name in BEHAVIOR_COLUMNS},
    **{name: tf.io.VarLenFeature(tf.int64) for name in ("timestamp", LABEL)},
}

# A row of the raw columns.
Row = dict[str, list]
Columns = Mapping[str, tf.Tensor]


def make_user(number: int, behaviors: list[int]) -> Row:
    """A user in a context, who behaved to these items."""
    behaved = [make_item(item) for item in behaviors]
    return {
        "impression_id": [f"impression_{number}"],
        "user_id": [f"user_{number % NUM_USERS}"],
        **{feature.name: [f"{feature.name}_{number % 7}"] for feature in INGEST.features},
        "timestamp": [number],
        LABEL: [number % 2],
        **{f"behavior_{name}": [one[name][0] for one in behaved] for name in BEHAVIOR_COLUMNS},
    }


def make_item(item: int) -> Row:
    """An item of the catalog."""
    return {
        "item_id": [f"item_{item}"],
        "category_id": [f"category_{item % NUM_CATEGORIES}"],
        "shop_id": [f"shop_{item % NUM_SHOPS}"],
    }


def make_item_ids(num_items: int) -> list[str]:
    """The ids of items 0 up to `num_items`."""
    return [f"item_{item}" for item in range(num_items)]


def make_embeddings(rng: np.random.Generator, num_items: int) -> dict[str, np.ndarray]:
    """Unit vectors that point anywhere, by modality; row 0 is zeros, and item i has row i + 1."""
    vectors = {}
    for modality in MODALITIES:
        table = rng.standard_normal((1 + num_items, EMBEDDING_DIM), np.float32)
        table /= np.linalg.norm(table, axis=1, keepdims=True)
        table[0] = 0
        vectors[modality] = table
    return vectors


def make_index(num_items: int) -> ItemIndex:
    """The index of the rows of `make_embeddings`."""
    rows = dict.fromkeys(MODALITIES, np.arange(1, 1 + num_items, dtype=np.int32))
    return ItemIndex(pa.array(make_item_ids(num_items)), rows, LENGTH)


def analyze(rng: np.random.Generator, folder: str) -> tft.TFTransformOutput:
    """TensorFlow Transform's analysis of rows in which all known items stand, written into `folder`."""
    progress(f"analyzing {NUM_ROWS:,} rows")
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    with tft_beam.Context(temp_dir=f"{folder}/tmp"):
        analyzed = (list(_make_rows(rng)), metadata) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, {"ingest": to_json(INGEST)})
        )
        _ = analyzed | tft_beam.WriteTransformFn(f"{folder}/transform")
    return tft.TFTransformOutput(f"{folder}/transform")


def count_table_rows(transform_output: tft.TFTransformOutput) -> dict[str, int]:
    """The rows of each feature's table."""
    return {feature.name: table_rows(feature, transform_output) for feature in FEATURES}


def assign_random_weights(rng: np.random.Generator, model: keras.Model) -> None:
    """For speed does not depend on them; larger than training starts with, so that items differ."""
    for variable in model.trainable_variables:
        variable.assign(WEIGHT_DEVIATION * rng.standard_normal(variable.shape, np.float32))


def user_columns(user: Row) -> dict[str, tf.Tensor]:
    """The raw columns of one user, as signatures take them."""
    own = {name: tf.constant(user[name]) for name in ("user_id", *(f.name for f in INGEST.features))}
    return own | {f"behavior_{name}": tf.constant([user[f"behavior_{name}"]]) for name in BEHAVIOR_COLUMNS}


def runtime_call(
    name: str, signature: tf.types.experimental.ConcreteFunction
) -> Callable[[Columns], np.ndarray]:
    """Calls a loaded signature's graph as one operation, as a server does that has no Python in it.

    A signature that is called from Python takes half a millisecond longer for each thirty inputs.

    Args:
        name: the signature's.
        signature: of one float32 output.
    Returns:
        A function from columns, of which it takes those that the signature has, to the output.
    """
    places = [tensor.op.name.removeprefix(f"{name}_") for tensor in signature.inputs]
    captured = list(signature.captured_inputs)

    def call(columns: Columns) -> np.ndarray:
        arguments = [columns[place] for place in places if place in columns] + captured
        return tf.raw_ops.StatefulPartitionedCall(args=arguments, Tout=[tf.float32], f=signature)[0].numpy()

    return call


def _make_rows(rng: np.random.Generator) -> Iterator[Row]:
    """Impressions whose behaviors go through all known items in turn."""
    items = itertools.cycle(range(KNOWN_ITEMS))
    for number in range(NUM_ROWS):
        behaviors = list(itertools.islice(items, LENGTH))
        yield make_user(number, behaviors) | make_item(int(rng.integers(KNOWN_ITEMS)))
