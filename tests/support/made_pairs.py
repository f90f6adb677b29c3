"""Query pairs with tiny pictures and short texts, as LogIngest leaves them."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

SIDE = 8
SCHEMA = pa.schema(
    [
        ("query_text", pa.string()),
        ("query_image", pa.binary()),
        ("positive_item_id", pa.string()),
        ("positive_title", pa.string()),
        ("positive_image", pa.binary()),
        ("negative_item_id", pa.string()),
        ("negative_title", pa.string()),
        ("negative_image", pa.binary()),
    ]
)
SYLLABLES = ("ba", "ko", "ri", "tu", "me", "sa", "no", "li")


def write_pairs(folder: Path, count: int, num_items: int = 12, seed: int = 0) -> list[str]:
    """Writes pairs to two files; every third has no hard negative. Returns the files.

    A query shows or says nearly what its item does: the picture with noise, the title without a word.
    """
    rng = np.random.default_rng(seed)
    rows = [_pair(number, int(rng.integers(num_items)), rng, num_items) for number in range(count)]
    folder.mkdir(parents=True)
    files = []
    for start, stop in ((0, count // 3), (count // 3, count)):
        files.append(str(folder / f"pairs-{start:05}.parquet"))
        pq.write_table(pa.Table.from_pylist(rows[start:stop], schema=SCHEMA), files[-1])
    return files


def write_catalog(path: Path, num_items: int = 12) -> str:
    """Writes the items that pairs are made of, all created on 1970-01-01. Returns the file."""
    items = range(num_items)
    table = pa.table(
        {
            "item_id": [f"i{item}" for item in items],
            "title": [_title(item) for item in items],
            "image": [_png(_pixels(item)) for item in items],
            "created_at": pa.array([0] * num_items, pa.timestamp("us", tz="UTC")),
        }
    )
    pq.write_table(table, path)
    return str(path)


def _pair(number: int, item: int, rng: np.random.Generator, num_items: int) -> dict[str, object]:
    other = (item + 1) % num_items
    has_negative = number % 3 != 0
    pixels = np.clip(_pixels(item) + rng.normal(0, 20, (SIDE, SIDE, 3)), 0, 255)
    return {
        "query_text": _title(item).rsplit(" ", 1)[0],
        "query_image": _png(pixels),
        "positive_item_id": f"i{item}",
        "positive_title": _title(item),
        "positive_image": _png(_pixels(item)),
        "negative_item_id": f"i{other}" if has_negative else None,
        "negative_title": _title(other) if has_negative else None,
        "negative_image": _png(_pixels(other)) if has_negative else None,
    }


def _pixels(item: int) -> np.ndarray:
    return np.random.default_rng(1_000 + item).uniform(0, 255, (SIDE, SIDE, 3))


def _title(item: int) -> str:
    rng = np.random.default_rng(2_000 + item)
    return " ".join("".join(rng.choice(SYLLABLES, 2)) for _ in range(3))


def _png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()
