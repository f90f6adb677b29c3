"""The vectors that an encoder gives the test pairs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa

from components.encoder_evaluator.pair_index import PairIndex
from models.encoder.query_pairs import COLUMNS

# How far a vector's length may be from 1, which every cosine here relies on.
LENGTH_TOLERANCE = 1e-3


@dataclass(frozen=True)
class EmbeddedPairs:
    """Query and candidate vectors; all that has to be held in memory, 512 bytes each at 128 dimensions.

    Attributes:
        queries: float32 `[pairs, dim]`.
        candidates: float32 `[candidates, dim]`.
    """

    queries: np.ndarray
    candidates: np.ndarray

    @classmethod
    def encode(
        cls,
        encoder: Callable[[list], np.ndarray],
        index: PairIndex,
        batches: Iterable[pa.RecordBatch],
        modality: str,
    ) -> Self:
        """Encodes every query, and every different content of the candidates once.

        Args:
            encoder: gives float32 `[inputs, dim]` of pictures or texts, as `SavedEncoder` does.
            index: of the same pairs.
            batches: the pairs in the same order, with the modality's query and positive columns.
            modality: "image" or "text".
        """
        query_column, positive_column, _ = COLUMNS[modality]
        queries, contents = [], []
        start = 0
        for batch in batches:
            if not batch.num_rows:
                continue
            bounds = np.searchsorted(index.content_pairs, [start, start + batch.num_rows])
            new = index.content_pairs[slice(*bounds)] - start
            values = batch.column(query_column).to_pylist()
            values += batch.column(positive_column).take(pa.array(new)).to_pylist()
            vectors = encoder(values)
            queries.append(vectors[: batch.num_rows])
            contents.append(vectors[batch.num_rows :])
            start += batch.num_rows
        return cls(np.concatenate(queries), np.concatenate(contents)[index.contents])

    def problem(self) -> str | None:
        """Why these vectors cannot be compared, or None."""
        for name, vectors in (("query", self.queries), ("candidate", self.candidates)):
            wrong = int((~np.isfinite(vectors).all(axis=1)).sum())
            if wrong:
                return f"{wrong:,} of {len(vectors):,} {name} embeddings are not finite"
            lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
            wrong = int((np.abs(lengths - 1) > LENGTH_TOLERANCE).sum())
            if wrong:
                return f"{wrong:,} of {len(vectors):,} {name} embeddings are not of length 1"
        return None
