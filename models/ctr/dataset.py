"""Reads impressions for training."""

from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from models.input_pipeline import BATCHES_AT_ONCE, without_autotune
from transforms.input_error import InputError


def read_examples(
    file_patterns: str | Sequence[str],
    feature_spec: Mapping[str, object],
    label: str,
    batch_size: int,
    transform_layer: Callable[[Mapping[str, object]], Mapping[str, tf.Tensor]] | None = None,
    first_batch: int = 0,
) -> tf.data.Dataset:
    """Reads tf.Examples in the order in which they were written.

    Patterns follow each other as they are given, files in the order of their names and rows in the order of their files, so that one pass
    is a pass through time and the same every time. Examples are parsed, and transformed, a batch at a time.

    Args:
        file_patterns: one or more patterns of TFRecord files; those that end in `.gz` are gzipped.
        feature_spec: the parsing spec of the examples, the label included.
        label: name of the label among the features that come out.
        batch_size: int > 0.
        transform_layer: from parsed to transformed features; None where the examples are transformed already.
        first_batch: so many batches are left out before it, for the price of reading their bytes.
    Returns:
        A dataset of (features by name, label float32 `[batch]`); the last batch may be smaller.
    Raises:
        InputError: if no file fits the patterns.
    """
    patterns = [file_patterns] if isinstance(file_patterns, str) else list(file_patterns)
    files = [name for pattern in patterns for name in sorted(tf.io.gfile.glob(pattern))]
    if not files:
        raise InputError(f"expected examples at {', '.join(patterns)}, got no file")

    def parse(records: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        features = tf.io.parse_example(records, feature_spec)
        if transform_layer is not None:
            features = dict(transform_layer(features))
        return features, tf.cast(features.pop(label), tf.float32)

    records = tf.data.TFRecordDataset(files, compression_type="GZIP" if files[0].endswith(".gz") else "")
    batches = records.batch(batch_size).skip(first_batch).map(parse, num_parallel_calls=BATCHES_AT_ONCE)
    return without_autotune(batches.prefetch(BATCHES_AT_ONCE))
