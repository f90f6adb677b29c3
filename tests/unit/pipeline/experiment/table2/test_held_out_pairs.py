"""Measuring an encoder on the test pairs, against ranks worked out by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.experiment.table2.held_out_pairs import HeldOutPairs
from transforms.input_error import InputError

# Query, the positive's item and title; every text's angle on the circle.
PAIRS = [
    ("red", "a", "red shoe"),  # 2° to 0°: rank 1; all words of the query stand in the title: easy
    ("boot", "b", "hat"),  # 80° to 90°: rank 1; no word in common: hard
    ("green cap", "c", "green coat"),  # 5° to 180°: behind 0° and 90°, rank 3; between
    (" ", "c", "green coat"),  # no query: no pair of texts
]
ANGLES = {"red": 2, "red shoe": 0, "boot": 80, "hat": 90, "green cap": 5, "green coat": 180}


def on_the_circle(texts: object) -> np.ndarray:
    angles = np.radians([ANGLES[text.decode()] for text in texts.numpy()])  # type: ignore[attr-defined]
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


class Encoder:
    """Takes and gives tensors, as a real one."""

    def __init__(self, encode: Callable) -> None:
        self.encode = encode

    def __call__(self, texts: object) -> "Encoder":
        self.vectors = self.encode(texts)
        return self

    def numpy(self) -> np.ndarray:
        return self.vectors


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    names = ("query_text", "positive_item_id", "positive_title")
    table = pa.Table.from_pylist([dict(zip(names, pair, strict=True)) for pair in PAIRS])
    pq.write_table(table, tmp_path / "pairs.parquet")
    return [str(tmp_path / "pairs.parquet")]


# Batches of one and of several pairs give the same.
@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_figures_of_known_vectors(files: list[str], batch_size: int) -> None:
    found = HeldOutPairs(files, "text", batch_size, seed=0).measure(Encoder(on_the_circle))
    assert (found["pairs"], found["candidates"]) == (3, 3)
    # Ranks 1, 1 and 3 among three candidates.
    assert found["acc@1"] == pytest.approx(2 / 3)
    assert found["acc@5"] == 1.0
    assert found["slices"] == {
        "easy": {"pairs": 1, "acc@1": 1.0, "acc@5": 1.0},
        "between": {"pairs": 1, "acc@1": 0.0, "acc@5": 1.0},
        "hard": {"pairs": 1, "acc@1": 1.0, "acc@5": 1.0},
    }
    # Cosines of 0° and 90°, 0° and 180°, 90° and 180°: 0, -1 and 0.
    assert found["random_cosine"] == pytest.approx(-1 / 3, abs=1e-6)


def test_vectors_that_cannot_be_compared(files: list[str]) -> None:
    pairs = HeldOutPairs(files, "text", 64, seed=0)
    with pytest.raises(InputError, match="text encoder: 3 of 3 query embeddings are not finite"):
        pairs.measure(Encoder(lambda texts: on_the_circle(texts) * np.float32("nan")))


def test_no_pair_of_the_modality(tmp_path: Path) -> None:
    schema = pa.schema(
        [("query_text", pa.string()), ("positive_item_id", pa.string()), ("positive_title", pa.string())]
    )
    pq.write_table(schema.empty_table(), tmp_path / "pairs.parquet")
    with pytest.raises(InputError, match="no text pair"):
        HeldOutPairs([str(tmp_path / "pairs.parquet")], "text", 64, seed=0)
