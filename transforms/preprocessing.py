"""The preprocessing that training and serving share, as one TensorFlow Transform function."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from transforms.columns import first_values, last_values
from transforms.configuration import from_json
from transforms.feature import Feature, model_features
from transforms.ingest_config import IngestConfig

LABEL = "clicked"
BEHAVIOR_COLUMNS = ("item_id", "category_id", "shop_id")

_MISSING = 0


def preprocessing_fn(inputs: Mapping[str, Any], custom_config: Mapping[str, str]) -> dict[str, tf.Tensor]:
    """Turns raw columns into what the models read.

    Args:
        inputs: sparse tensors `[batch, ?]` by column, as the examples hold them.
        custom_config: "ingest", the `IngestConfig` as JSON.
    Returns:
        Dense tensors by name with `_xf`: ids int64 `[batch]`, 0 where missing; behaviors int64
        `[batch, max_behaviors]`, padded with 0 at the end; numeric float32 `[batch]`; bucketized int64
        `[batch]`, 0 where missing; and the label `clicked`, float32 `[batch]`.
    """
    config = from_json(IngestConfig, custom_config["ingest"])
    outputs = {LABEL: tf.cast(first_values(inputs[LABEL], 0), tf.float32)}
    for feature in model_features(config.features):
        if feature.kind == "id":
            outputs.update(_ids(feature, inputs, config.max_behaviors))
        elif feature.kind == "numeric":
            scaled = tft.scale_to_z_score(inputs[feature.name], output_dtype=tf.float32)
            outputs[f"{feature.name}_xf"] = first_values(scaled, 0.0)
        else:
            buckets = tft.bucketize(inputs[feature.name], feature.num_buckets)
            outputs[f"{feature.name}_xf"] = first_values(
                _shift(tf.cast(buckets.values, tf.int64), buckets), _MISSING
            )
    return outputs


def table_rows(feature: Feature, transform_output: tft.TFTransformOutput) -> int:
    """Rows that a feature's embedding table needs: one for missing, the known values, the hashed buckets."""
    if feature.kind == "bucketized":
        return 1 + feature.num_buckets
    return 1 + transform_output.vocabulary_size_by_name(feature.name) + feature.num_oov_buckets


def _ids(feature: Feature, inputs: Mapping[str, Any], max_behaviors: int) -> dict[str, tf.Tensor]:
    """Looks a column up in its vocabulary, and the behaviors' column in the same one."""
    column, behaviors = inputs[feature.name], inputs.get(f"behavior_{feature.name}")
    seen = column.values if behaviors is None else tf.concat([column.values, behaviors.values], axis=0)
    vocabulary = tft.vocabulary(
        seen, frequency_threshold=feature.min_count, vocab_filename=feature.name, name=feature.name
    )

    ids = tft.apply_vocabulary(seen, vocabulary, num_oov_buckets=feature.num_oov_buckets)
    ids = tf.where(seen == "", tf.cast(_MISSING, tf.int64), ids + 1)
    count = tf.size(column.values)
    outputs = {f"{feature.name}_xf": first_values(_with_values(column, ids[:count]), _MISSING)}
    if behaviors is not None:
        latest = last_values(_with_values(behaviors, ids[count:]), max_behaviors)
        outputs[f"behavior_{feature.name}_xf"] = latest
    return outputs


def _shift(values: tf.Tensor, column: tf.SparseTensor) -> tf.SparseTensor:
    """Makes room for 0, which stands for missing."""
    return _with_values(column, values + 1)


def _with_values(column: tf.SparseTensor, values: tf.Tensor) -> tf.SparseTensor:
    return tf.SparseTensor(column.indices, values, column.dense_shape)
