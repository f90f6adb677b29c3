"""How well an encoder finds what was bought for a query."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from models.encoder.query_pairs import COLUMNS, ITEM_ID, read_batches
from models.metrics.top_n_accuracy import rank_positives

Encode = Callable[[tf.Tensor], tf.Tensor]


def measure_retrieval(encode: Encode, files: Sequence[str], modality: str) -> dict[str, float | int]:
    """Acc@1 and Acc@5 of a split's pairs, all positives of the split as candidates.

    Args:
        encode: from string `[batch]` to unit vectors `[batch, embedding_dim]`.
        files: Parquet files of pairs.
        modality: "image" or "text".
    Returns:
        "pairs" and "candidates", and where there are pairs "acc@1" and "acc@5".
    Source: Sheng et al. 2024 (arXiv 2407.19467), equation 6.
    """
    query, positive, _ = COLUMNS[modality]
    queries, positives, candidates = [], [], []
    rows: dict[str, int] = {}
    for batch in read_batches(files, modality, [query, positive, ITEM_ID]):
        if not batch.num_rows:
            continue
        queries.append(encode(tf.constant(batch.column(query).to_pylist())).numpy())
        # A positive is encoded once, however often it was bought.
        new = {}
        for item_id, content in zip(
            batch.column(ITEM_ID).to_pylist(), batch.column(positive).to_pylist(), strict=True
        ):
            if item_id not in rows:
                rows[item_id] = len(rows)
                new[item_id] = content
            positives.append(rows[item_id])
        if new:
            candidates.append(encode(tf.constant(list(new.values()))).numpy())
    if not queries:
        return {"pairs": 0, "candidates": 0}
    ranks = rank_positives(np.concatenate(queries), np.array(positives), np.concatenate(candidates))
    accuracy = {f"acc@{n}": float(ranks.hits(n).mean()) for n in (1, 5)}
    return {"pairs": len(positives), "candidates": len(rows), **accuracy}
