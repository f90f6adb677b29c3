"""Finds users to try requests with."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from models.input_pipeline import without_autotune
from serving.release.release import BEHAVIOR_COLUMNS
from serving.release.sample_user import SampleUser

# With fewer behaviors there is little to see.
MIN_BEHAVIORS = 5
MAX_SCANNED = 100_000


def read_sample_users(folder: str, columns: Sequence[str], count: int) -> tuple[SampleUser, ...]:
    """The first users of a split who have behaviors enough, as they were at their first impression in it.

    Args:
        folder: holds the split's tf.Examples as LogIngest writes them, in time order.
        columns: raw columns of the user, `user_id` among them.
        count: how many users at most; fewer where the first 100,000 impressions have no more.
    """
    found: dict[str, SampleUser] = {}
    records = tf.data.TFRecordDataset(sorted(tf.io.gfile.glob(f"{folder}/*"))).take(MAX_SCANNED)
    for record in without_autotune(records).as_numpy_iterator():
        if len(found) == count:
            break
        features = tf.train.Example.FromString(record).features.feature
        values = {name: _values(features[name]) for name in ("user_id", "behavior_item_id")}
        if len(values["behavior_item_id"]) >= MIN_BEHAVIORS and values["user_id"]:
            found.setdefault(values["user_id"][0], _sample_user(features, columns))
    return tuple(found.values())


def _sample_user(features: Mapping[str, tf.train.Feature], columns: Sequence[str]) -> SampleUser:
    user = {name: values[0] for name in columns if (values := _values(features[name]))}
    behaviors = zip(*(_values(features[f"behavior_{name}"]) for name in BEHAVIOR_COLUMNS), strict=True)
    return SampleUser(
        user, tuple(dict(zip(BEHAVIOR_COLUMNS, behavior, strict=True)) for behavior in behaviors)
    )


def _values(feature: tf.train.Feature) -> list[Any]:
    """Texts or numbers; a missing value has none, and a number that is not finite is missing too."""
    kind = feature.WhichOneof("kind")
    if kind is None:
        return []
    values = getattr(feature, kind).value
    if kind == "bytes_list":
        return [value.decode() for value in values]
    return [value for value in values if math.isfinite(value)]
