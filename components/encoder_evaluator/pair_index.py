"""What is known of the test pairs before any encoder sees them."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa

from models.encoder.query_pairs import COLUMNS, ITEM_ID
from transforms.pair_difficulty import DIFFICULTIES, image_difficulty, text_difficulty

_JUDGES: dict[str, Callable] = {"image": image_difficulty, "text": text_difficulty}


@dataclass(frozen=True)
class PairIndex:
    """Numbers pairs, candidates and their contents; holds no picture.

    A candidate is an item that is some pair's positive. Items with the same picture or title share one content,
    which is encoded once: encoded twice, in batches of different sizes, it might get vectors that differ in
    their last bits, and a tie would look like a difference.

    Attributes:
        item_ids: of the candidates, in the order of their first pairs.
        positives: int64 `[pairs]`, each pair's candidate.
        difficulties: uint8 `[pairs]`, each pair's place in DIFFICULTIES.
        first_pairs: int64 `[candidates]`, the first pair of each.
        contents: int64 `[candidates]`, the content of each.
        content_pairs: int64 `[contents]`, the first pair whose positive has it, rising.
    """

    item_ids: list[str]
    positives: np.ndarray
    difficulties: np.ndarray
    first_pairs: np.ndarray
    contents: np.ndarray
    content_pairs: np.ndarray

    @classmethod
    def build(cls, batches: Iterable[pa.RecordBatch], modality: str) -> Self:
        """Reads all pairs once.

        Args:
            batches: pairs of a modality with its query and positive columns and the positive's item_id.
            modality: "image" or "text".
        """
        query_column, positive_column, _ = COLUMNS[modality]
        judge = _JUDGES[modality]
        candidates: dict[str, int] = {}
        digests: dict[bytes, int] = {}
        positives: list[int] = []
        difficulties: list[int] = []
        first_pairs: list[int] = []
        contents: list[int] = []
        content_pairs: list[int] = []
        for batch in batches:
            columns = [batch.column(name).to_pylist() for name in (ITEM_ID, query_column, positive_column)]
            for item_id, query, positive in zip(*columns, strict=True):
                pair = len(positives)
                if item_id not in candidates:
                    content = digests.setdefault(_digest(positive), len(digests))
                    if content == len(content_pairs):
                        content_pairs.append(pair)
                    candidates[item_id] = len(candidates)
                    first_pairs.append(pair)
                    contents.append(content)
                positives.append(candidates[item_id])
                difficulties.append(DIFFICULTIES.index(judge(query, positive)))
        return cls(
            list(candidates),
            np.array(positives, np.int64),
            np.array(difficulties, np.uint8),
            np.array(first_pairs, np.int64),
            np.array(contents, np.int64),
            np.array(content_pairs, np.int64),
        )


def _digest(content: bytes | str) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    return hashlib.blake2b(data, digest_size=16).digest()
