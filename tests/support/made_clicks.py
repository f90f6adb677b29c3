"""Raw examples of impressions, their transform and embeddings of their items, small and made up."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

from transforms.configuration import to_json
from transforms.feature import Feature
from transforms.ingest_config import IngestConfig
from transforms.preprocessing import preprocessing_fn

NUM_ITEMS = 30
MAX_BEHAVIORS = 4
INGEST = IngestConfig(
    features=(
        Feature("gender"),
        Feature("age", kind="bucketized", num_buckets=3),
        Feature("price", kind="numeric", side="item"),
        Feature("brand", side="item", num_oov_buckets=2),
    ),
    max_behaviors=MAX_BEHAVIORS,
)
STRINGS = ("impression_id", "user_id", "item_id", "category_id", "shop_id", "gender", "brand")
BEHAVIORS = ("behavior_item_id", "behavior_category_id", "behavior_shop_id")
SPEC = {name: tf.io.VarLenFeature(tf.string) for name in (*STRINGS, *BEHAVIORS)} | {
    "timestamp": tf.io.VarLenFeature(tf.int64),
    "clicked": tf.io.VarLenFeature(tf.int64),
    "age": tf.io.VarLenFeature(tf.int64),
    "price": tf.io.VarLenFeature(tf.float32),
}
DIMS = {"image": 3, "text": 5}

Row = dict[str, list]


def make_item(item: int) -> Row:
    """A few items have no shop, brand or price."""
    return {
        "item_id": [f"i{item}"],
        "category_id": [f"c{item % 5}"],
        "shop_id": [f"s{item % 7}"] if item % 4 else [],
        "brand": [f"b{item % 3}"] if item % 6 else [],
        "price": [float(item)] if item % 5 else [],
    }


def make_row(number: int, behaviors: Sequence[int]) -> Row:
    """An impression of a user with these behaviors, the most recent last."""
    return make_item(number % NUM_ITEMS) | {
        "impression_id": [f"x{number}"],
        "user_id": [f"u{number % 9}"],
        "gender": ["f"] if number % 3 else [],
        "age": [20 + number % 40],
        "timestamp": [number],
        "clicked": [number % 2],
        "behavior_item_id": [f"i{item}" for item in behaviors],
        "behavior_category_id": [f"c{item % 5}" for item in behaviors],
        # A missing shop keeps its place as an empty string.
        "behavior_shop_id": [f"s{item % 7}" if item % 4 else "" for item in behaviors],
    }


def make_rows(count: int) -> list[Row]:
    """Impressions with behaviors by chance."""
    rng = np.random.default_rng(0)
    return [
        make_row(n, rng.integers(0, NUM_ITEMS, rng.integers(0, MAX_BEHAVIORS + 1)).tolist())
        for n in range(count)
    ]


def serialize(row: Mapping[str, list]) -> bytes:
    """The row as a tf.Example."""
    features = {}
    for name, values in row.items():
        dtype = SPEC[name].dtype
        if dtype == tf.string:
            encoded = tf.train.BytesList(value=[value.encode() for value in values])
            features[name] = tf.train.Feature(bytes_list=encoded)
        elif dtype == tf.int64:
            features[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        else:
            features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def write_split(folder: Path, split: str, rows: Sequence[Row]) -> None:
    """Writes rows as a split of an Examples artifact."""
    place = folder / f"Split-{split}"
    place.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(place / "examples-00000-of-00001")) as writer:
        for row in rows:
            writer.write(serialize(row))


def write_transform(folder: Path, rows: Sequence[Row]) -> tft.TFTransformOutput:
    """Analyzes rows and writes the transform into a folder that is not there yet."""
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    with tft_beam.Context(temp_dir=f"{folder}-tmp"):
        analyzed = (list(rows), metadata) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, {"ingest": to_json(INGEST)})
        )
        _ = analyzed | tft_beam.WriteTransformFn(str(folder))
    metadata_io.write_metadata(metadata, str(folder / tft.TFTransformOutput.RAW_METADATA_DIR))
    return tft.TFTransformOutput(str(folder))


def make_vectors(items: int = NUM_ITEMS) -> dict[str, list[np.ndarray | None]]:
    """Vectors of length 1 for i0, i1, … by modality; every seventh item has no picture, every eighth no text."""
    rng = np.random.default_rng(1)
    found: dict[str, list[np.ndarray | None]] = {}
    for (modality, dim), missing in zip(DIMS.items(), (7, 8), strict=True):
        drawn = rng.normal(size=(items, dim))
        vectors = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
        found[modality] = [None if item % missing == 0 else vector for item, vector in enumerate(vectors)]
    return found


def write_embeddings(
    folder: Path, vectors: Mapping[str, Sequence[np.ndarray | None]], encoder: str = "weights"
) -> None:
    """Writes vectors of i0, i1, … as an Embeddings artifact; the encoders' fingerprints are <modality> <encoder>."""
    folder.mkdir(parents=True)
    items = len(next(iter(vectors.values())))
    columns = {"item_id": pa.array([f"i{item}" for item in range(items)])} | {
        f"{modality}_embedding": pa.array(list(column), pa.list_(pa.float32()))
        for modality, column in vectors.items()
    }
    for modality in vectors:
        columns[f"{modality}_encoder"] = pa.array([f"{modality} {encoder}"] * items)
    pq.write_table(pa.table(columns), folder / "embeddings-00000-of-00001.parquet")
