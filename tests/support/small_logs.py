"""Small logs for tests: rows as plain dictionaries, written as Parquet files with several row groups."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

UTC_MICROSECONDS = pa.timestamp("us", tz="UTC")
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

# 2024-03-01T00:00:00 UTC.
BASE = 1_709_251_200 * SECOND

Row = dict[str, Any]
# A log is a list of files, a file a list of row groups, a row group a list of rows.
Files = list[list[list[Row]]]

SCHEMAS = {
    "catalog": {
        "item_id": pa.string(),
        "category_id": pa.string(),
        "shop_id": pa.string(),
        "title": pa.string(),
        "image": pa.binary(),
        "created_at": UTC_MICROSECONDS,
    },
    "impressions": {
        "impression_id": pa.string(),
        "user_id": pa.string(),
        "item_id": pa.string(),
        "timestamp": UTC_MICROSECONDS,
        "clicked": pa.bool_(),
    },
    "searches": {
        "search_id": pa.string(),
        "user_id": pa.string(),
        "timestamp": UTC_MICROSECONDS,
        "query_text": pa.string(),
        "query_image": pa.binary(),
        "clicked_item_ids": pa.list_(pa.string()),
    },
    "purchases": {
        "purchase_id": pa.string(),
        "user_id": pa.string(),
        "item_id": pa.string(),
        "timestamp": UTC_MICROSECONDS,
        "search_id": pa.string(),
    },
}


LOG_NAMES = tuple(SCHEMAS)


def picture(
    color: int = 0, size: tuple[int, int] = (4, 4), image_format: str = "PNG", mode: str = "RGB"
) -> bytes:
    """An image of one color."""
    stream = io.BytesIO()
    Image.new(mode, size, tuple([color] * len(mode)) if len(mode) > 1 else color).save(stream, image_format)
    return stream.getvalue()


def noise_picture(size: tuple[int, int] = (64, 64), image_format: str = "JPEG") -> bytes:
    """An image that no codec makes small."""
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, image_format)
    return stream.getvalue()


def write_log(
    folder: Path, log: str, files: Files, extra: dict[str, pa.DataType] | None = None
) -> list[Path]:
    """Writes a log's files, named in their order; a row without a column has null there."""
    schema = pa.schema({**SCHEMAS[log], **(extra or {})})
    (folder / log).mkdir(parents=True, exist_ok=True)
    paths = []
    for number, groups in enumerate(files):
        path = folder / log / f"part-{number:03d}.parquet"
        with pq.ParquetWriter(path, schema) as writer:
            for rows in groups:
                columns = {
                    name: pa.array([row.get(name) for row in rows], kind) for name, kind in _fields(schema)
                }
                writer.write_table(pa.table(columns))
        paths.append(path)
    return paths


def write_logs(
    folder: Path, logs: dict[str, Files], extra: dict[str, dict[str, pa.DataType]] | None = None
) -> Path:
    """Writes the four logs below a folder."""
    for log, files in logs.items():
        write_log(folder, log, files, (extra or {}).get(log))
    return folder


def one_file(rows: Sequence[Row]) -> Files:
    """All rows in one row group of one file."""
    return [[list(rows)]]


def _fields(schema: pa.Schema) -> list[tuple[str, pa.DataType]]:
    return [(field.name, field.type) for field in schema]


def good_logs(impressions: int = 60) -> dict[str, list[Row]]:
    """Logs of three users and six items without a flaw: an impression a minute, every third one clicked."""
    items = [f"i{number}" for number in range(6)]
    users = ["ann", "bob", "cem"]
    return {
        "catalog": [
            {
                "item_id": item,
                "category_id": f"c{number % 2}",
                "shop_id": f"s{number % 3}",
                "title": f"thing {number}",
                "image": picture(number * 40),
                "created_at": BASE - HOUR,
            }
            for number, item in enumerate(items)
        ],
        "impressions": [
            {
                "impression_id": f"m{number:04d}",
                "user_id": users[number % 3],
                "item_id": items[number % 5],
                "timestamp": BASE + number * MINUTE,
                "clicked": number % 4 == 0,
            }
            for number in range(impressions)
        ],
        "searches": [
            {
                "search_id": f"q{number}",
                "user_id": users[number % 3],
                "timestamp": BASE + number * 5 * MINUTE,
                "query_text": f"words {number}",
                "query_image": picture(number * 20) if number % 2 else None,
                "clicked_item_ids": [items[number % 6], items[(number + 1) % 6]],
            }
            for number in range(10)
        ],
        "purchases": [
            {
                "purchase_id": f"p{number}",
                "user_id": users[number % 3],
                "item_id": items[number % 6],
                "timestamp": BASE + number * 5 * MINUTE + MINUTE,
                "search_id": f"q{number}" if number % 2 else None,
            }
            for number in range(10)
        ],
    }
