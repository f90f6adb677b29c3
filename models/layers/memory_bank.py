"""A first-in first-out bank of keys, for more negatives than a batch holds."""

from typing import Any

import keras
from keras import ops

from models.layers.replicas import fuse, gather_replicas, read_rows, write_rows
from models.losses.info_nce import EXCLUDED

# Rows of the bank that are looked at at once: their similarities stay near the processor.
_CHUNK = 8_192
EMPTY = -1
# Logits lie in [-scale, scale]. Moved up by this, those of any scale up to 80 have exponentials that float32
# holds: exp(73) leaves room for the sum of 6 million of them, exp(73 - 160) is still a normal number.
_HEADROOM = 73.0
_TINY = 1.2e-38  # the least normal number of float32


@keras.saving.register_keras_serializable(package="adlens")
class MemoryBank(keras.layers.Layer):
    """Holds the newest keys and sums over them as negatives.

    The sum never holds a `[batch, queue_size]` matrix: it goes over the bank in chunks and keeps, beside the
    sum of the exponentials, the mean of the keys that they weight. That mean is the sum's gradient by the
    scaled queries, so that the bank is read once for the loss and its gradient: two matrix products, which
    is what the gradient of one needs.

    Args:
        queue_size: int > 0. Keys that are held.
        embedding_dim: int > 0. Length of a key.
    Call arguments:
        scaled_queries: float32 `[batch, embedding_dim]`, unit vectors times `scale`.
        scale: float32 scalar, 1 / temperature; the largest logit that can be, at most 80.
        item_ids: int32 `[batch]`, the positives' items: a key of the same item is no negative.
    Returns:
        float32 `[batch]`: log Σ exp(scaled_query · key) over the keys of other items; very low where there
        is none. Gradients reach `scaled_queries` alone, never the bank.
    Raises:
        ValueError: if `queue_size` or `embedding_dim` < 1.
    Source: He et al. 2020 (arXiv 1911.05722), section 3.2.
    """

    def __init__(self, queue_size: int, embedding_dim: int, **kwargs: Any) -> None:
        # Whatever the policy, nothing is cast: similarities near 1 and a low temperature need all 24 bits.
        super().__init__(autocast=False, **kwargs)
        if queue_size < 1 or embedding_dim < 1:
            raise ValueError(
                f"queue_size and embedding_dim must be at least 1, got {queue_size} and {embedding_dim}"
            )
        self.queue_size = queue_size
        self.embedding_dim = embedding_dim
        self.num_chunks = -(-queue_size // _CHUNK)
        self.chunk = -(-queue_size // self.num_chunks)

    def build(self, *_: Any) -> None:
        # Whole chunks; rows beyond queue_size are never written and stay empty.
        rows = self.num_chunks * self.chunk
        shared: dict[str, Any] = {
            "trainable": False,
            "autocast": False,
            "aggregation": "only_first_replica",
        }
        self.keys = self.add_weight(
            shape=(rows, self.embedding_dim), initializer="zeros", name="keys", dtype="float32", **shared
        )
        self.item_ids = self.add_weight(
            shape=(rows,),
            initializer=keras.initializers.Constant(EMPTY),
            dtype="int32",
            name="item_ids",
            **shared,
        )
        self.position = self.add_weight(
            shape=(), initializer="zeros", dtype="int32", name="position", **shared
        )
        self.built = True

    def enqueue(self, keys: keras.KerasTensor, item_ids: keras.KerasTensor) -> None:
        """Writes a step's keys over the oldest, those of all replicas, in the order of the replicas.

        Args:
            keys: float32 `[batch, embedding_dim]`.
            item_ids: int32 `[batch]`, their items, not negative.
        """
        keys, item_ids = gather_replicas(keys), gather_replicas(item_ids)
        # More keys than the bank holds: the last ones stay.
        keys, item_ids = keys[-self.queue_size :], item_ids[-self.queue_size :]
        count = ops.shape(keys)[0]
        rows = (self.position + ops.arange(count, dtype="int32")) % self.queue_size
        write_rows(self.keys, rows, keys)
        write_rows(self.item_ids, rows, item_ids)
        self.position.assign((self.position + count) % self.queue_size)

    def call(
        self, scaled_queries: keras.KerasTensor, scale: keras.KerasTensor, item_ids: keras.KerasTensor
    ) -> keras.KerasTensor:
        queries, shift = ops.stop_gradient(scaled_queries), ops.stop_gradient(scale) - _HEADROOM
        total, weighted = self._sum_over_chunks(queries, shift, item_ids)
        value = ops.where(total > 0, ops.log(ops.maximum(total, _TINY)) + shift, EXCLUDED)
        mean_key = weighted / ops.maximum(total, _TINY)[:, None]
        # Worth 0; it carries the gradient.
        return value + ops.sum((scaled_queries - queries) * mean_key, axis=-1)

    def _sum_over_chunks(
        self, queries: keras.KerasTensor, shift: keras.KerasTensor, item_ids: keras.KerasTensor
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Σ exp(logit - shift), `[batch]`, and Σ exp(logit - shift) · key, `[batch, embedding_dim]`."""

        def add_chunk(
            index: keras.KerasTensor, total: keras.KerasTensor, weighted: keras.KerasTensor
        ) -> tuple:
            start = index * self.chunk
            keys = ops.stop_gradient(read_rows(self.keys, start, self.chunk))
            ids = read_rows(self.item_ids, start, self.chunk)
            logits = ops.matmul(queries, ops.transpose(keys))
            weights = _weigh(logits, shift, item_ids, ids)
            return index + 1, total + ops.sum(weights, axis=-1), weighted + ops.matmul(weights, keys)

        zeros = ops.zeros_like(queries)
        _, total, weighted = ops.while_loop(
            lambda index, *_: index < self.num_chunks,
            add_chunk,
            (ops.convert_to_tensor(0, dtype="int32"), zeros[:, 0], zeros),
        )
        return total, weighted

    def compute_output_shape(self, scaled_queries_shape: tuple, *_: Any) -> tuple:
        return (scaled_queries_shape[0],)

    def get_config(self) -> dict:
        return super().get_config() | {
            "queue_size": self.queue_size,
            "embedding_dim": self.embedding_dim,
        }


@fuse
def _weigh(
    logits: keras.KerasTensor, shift: keras.KerasTensor, item_ids: keras.KerasTensor, ids: keras.KerasTensor
) -> keras.KerasTensor:
    """exp(logit - shift), and 0 for the keys of the same item and for empty rows; `[batch, chunk]`."""
    is_no_negative = ops.logical_or(
        ops.equal(item_ids[:, None], ids[None, :]), ops.equal(ids, EMPTY)[None, :]
    )
    return ops.where(is_no_negative, 0.0, ops.exp(logits - shift))
