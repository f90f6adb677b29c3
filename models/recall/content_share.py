"""How much of what tells users apart comes from an item's content."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from models.recall.dataset import CLICKS
from models.recall.model import RecallModel


def content_shares(model: RecallModel, clicks: Mapping[str, tf.Tensor]) -> np.ndarray:
    """The content expert's part by what is known of an item's clicks.

    A gate's weights alone do not say which expert the model relies on: one whose vectors are longer needs a smaller
    weight. Here each item of a batch is scored for each user of the batch, as if it had the clicks of one bucket
    after the other; an expert's part is how much its scores of an item differ between users:

        share = mean over items of std over users of content scores / (the same of both experts, added)

    Args:
        model: with both experts and a gate.
        clicks: transformed features of clicked impressions by name, `[batch]`, as the model learns from them.
    Returns:
        float64 `[num_buckets]`, in [0, 1]; NaN where neither tells users apart.
    """
    assert model.gate is not None
    users = model.user_vector(clicks).numpy()
    return np.array(
        [_share(users, model, clicks, bucket) for bucket in range(model.gate.num_buckets)], np.float64
    )


def _share(users: np.ndarray, model: RecallModel, clicks: Mapping[str, tf.Tensor], bucket: int) -> float:
    known = tf.fill(
        tf.shape(clicks[CLICKS]), tf.constant(2**bucket // 2, tf.int64)
    )  # the least of the bucket
    items = model.item_vector({**clicks, CLICKS: known}).numpy()
    own = slice(model.config.embedding_dim), slice(model.config.embedding_dim, None)
    by_id, by_content = ((users[:, part] @ items[:, part].T).std(axis=0).mean() for part in own)
    total = float(by_id + by_content)
    return float(by_content) / total if total else float("nan")
