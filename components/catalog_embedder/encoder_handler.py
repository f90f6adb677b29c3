"""Runs an encoder's SavedModel under Beam's RunInference."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

# Registers the operations of the tokenizers that text encoders carry.
import tensorflow_text  # noqa: F401
from apache_beam.ml.inference.base import ModelHandler

from components.catalog_embedder.encoded_items import ENCODED_SCHEMA, VECTOR
from components.catalog_embedder.encoder import Encoder
from models.encoder.input_names import INPUT_NAMES

_LOG = logging.getLogger(__name__)

NOT_FINITE = "not_finite"

_Encode = Callable[[np.ndarray], np.ndarray]


class LoadedEncoder:
    """A SavedModel in memory; RunInference keeps one for all threads of a process."""

    def __init__(self, encoder: Encoder):
        # The signature refers to the model weakly, so both are held.
        self._model = tf.saved_model.load(encoder.saved_model)
        self._signature = self._model.signatures["serving_default"]
        self._input_name = INPUT_NAMES[encoder.modality.name]

    def __call__(self, contents: np.ndarray) -> np.ndarray:
        """Encodes bytes `[n]` to vectors, float32 `[n, embedding_dim]`."""
        return self._signature(**{self._input_name: tf.constant(contents, tf.string)})["embedding"].numpy()


class EncoderHandler(ModelHandler[pa.RecordBatch, pa.RecordBatch, LoadedEncoder]):
    """Encodes record batches; to be used `with_no_batching`, for a record batch is a batch already.

    A batch has the columns item_id, content_hash and content. Each gives one batch of as many rows with the
    columns item_id, content_hash, embedding (null where there is none) and reason (null where there is one).
    What the graph cannot read costs its batch nothing but time: the batch is halved until the unreadable
    rows are alone.

    Args:
        encoder: which encoder.
    """

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder

    def load_model(self) -> LoadedEncoder:
        return LoadedEncoder(self.encoder)

    def run_inference(
        self, batch: pa.RecordBatch, model: LoadedEncoder, inference_args: dict[str, Any] | None = None
    ) -> list[pa.RecordBatch]:
        """Encodes one batch. Raises ValueError where the vectors have another length than announced."""
        contents = batch.column("content").to_numpy(zero_copy_only=False)
        vectors, is_readable = _encode(model, contents, self.encoder.embedding_dim)
        is_finite = np.isfinite(vectors).all(axis=1)
        reasons = np.where(is_readable, NOT_FINITE, self.encoder.modality.reject_reason)
        return [
            pa.RecordBatch.from_pydict(
                {
                    "item_id": batch.column("item_id"),
                    "content_hash": batch.column("content_hash"),
                    "embedding": _to_arrow(vectors, is_finite),
                    "reason": pa.array(reasons, pa.string(), mask=is_finite),
                },
                schema=ENCODED_SCHEMA,
            )
        ]

    def get_num_bytes(self, batch: pa.RecordBatch) -> int:
        return batch.nbytes

    def get_metrics_namespace(self) -> str:
        return f"{self.encoder.modality.name}_encoder"


def _encode(encode: _Encode, contents: np.ndarray, embedding_dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Encodes what can be read.

    Returns:
        Vectors, float32 `[n, embedding_dim]`, NaN where unreadable; and bool `[n]`, True where readable.
    """
    try:
        vectors = encode(contents)
    except tf.errors.InvalidArgumentError as error:
        if len(contents) == 1:
            _LOG.warning("an encoder cannot read an item: %s", str(error).splitlines()[0])
            return np.full((1, embedding_dim), np.nan, np.float32), np.zeros(1, bool)
        middle = len(contents) // 2
        halves = [_encode(encode, half, embedding_dim) for half in (contents[:middle], contents[middle:])]
        return np.concatenate([half[0] for half in halves]), np.concatenate([half[1] for half in halves])
    if vectors.shape != (len(contents), embedding_dim):
        raise ValueError(f"expected vectors of shape {(len(contents), embedding_dim)}, got {vectors.shape}")
    return vectors, np.ones(len(contents), bool)


def _to_arrow(vectors: np.ndarray, is_there: np.ndarray) -> pa.ListArray:
    """Lists of float32 `[n]`, null where there is no vector."""
    ends = np.cumsum(is_there * vectors.shape[1], dtype=np.int32)
    lists = pa.ListArray.from_arrays(
        np.concatenate([np.zeros(1, np.int32), ends]), vectors[is_there].ravel(), mask=pa.array(~is_there)
    )
    return lists.cast(VECTOR)
