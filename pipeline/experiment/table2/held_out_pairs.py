"""The pairs that all methods of a modality are measured on."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import tensorflow as tf

from components.encoder_evaluator.embedded_pairs import EmbeddedPairs
from components.encoder_evaluator.measurement import measure, rank_pairs
from components.encoder_evaluator.pair_index import PairIndex
from models.encoder.bytes_encoder import BytesEncoder
from models.encoder.query_pairs import COLUMNS, ITEM_ID, read_batches
from transforms.input_error import InputError


class HeldOutPairs:
    """Measures encoders on a split's pairs as the EncoderEvaluator does.

    Args:
        files: Parquet files of the split's pairs.
        modality: "image" or "text".
        batch_size: pairs that are encoded at once.
        seed: of the random pairs of items.
    Raises:
        InputError: no pair of the modality.
    """

    def __init__(self, files: Sequence[str], modality: str, batch_size: int, seed: int) -> None:
        self.files = files
        self.modality = modality
        self.batch_size = batch_size
        self.seed = seed
        self.index = PairIndex.build(self._read(), modality)
        if not len(self.index.positives):
            raise InputError(
                f"query_pairs: the test split has no {modality} pair, so there is nothing to measure with; "
                f"leave {modality} out of `modalities`"
            )

    def measure(self, encoder: BytesEncoder) -> dict[str, Any]:
        """ "pairs", "candidates", "acc@1", "acc@5", "slices" and the geometry of the vectors.

        Raises:
            InputError: the encoder's vectors cannot be compared.
        """
        embedded = EmbeddedPairs.encode(
            lambda values: encoder(tf.constant(values)).numpy(), self.index, self._read(), self.modality
        )
        if problem := embedded.problem():
            raise InputError(f"{self.modality} encoder: {problem}")
        figures = measure(embedded, self.index, rank_pairs(embedded, self.index), self.seed)
        return {"pairs": len(self.index.positives), "candidates": len(self.index.item_ids), **figures}

    def _read(self) -> Iterator[pa.RecordBatch]:
        query, positive, _ = COLUMNS[self.modality]
        for batch in read_batches(self.files, self.modality, [query, positive, ITEM_ID]):
            for start in range(0, batch.num_rows, self.batch_size):
                yield batch.slice(start, self.batch_size)
