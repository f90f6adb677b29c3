"""A catalog in batches that a store takes."""

import math
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from models.parquet_files import list_files, open_parquet
from serving.item_store.stored_item import StoredItem
from transforms.input_error import InputError

# Pictures are large, and a batch of them is in memory at once.
_ROWS_AT_ONCE = 128
_BYTES_AT_ONCE = 32 * 2**20
_MAX_TITLE_BYTES = 16_384
_COLUMNS = ("item_id", "category_id", "shop_id", "title", "image")

Batch = tuple[list[StoredItem], dict[str, bytes | None]]


def read_catalog(folder: str) -> Iterator[Batch]:
    """Reads the catalog that LogIngest wrote.

    Columns of texts and numbers beyond the contract's are items' features. A title is cut where a store's bound
    is: it is shown there, the vectors were made of the whole one.

    Args:
        folder: holds `catalog-*.parquet`; local or of a filesystem that Arrow knows.
    Yields:
        Items, at least one and about 32 MB at most, and the picture of each, None where it has none.
    Raises:
        InputError: no such file or column, or a broken file.
    """
    files = list_files(folder)
    if not files:
        raise InputError(f"expected a catalog in {folder}, got no file")
    for file in files:
        try:
            with open_parquet(file) as stream:
                yield from _read(file, stream)
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{file}: expected a Parquet file of items, got {error}") from error


def _read(file: str, stream: Any) -> Iterator[Batch]:
    schema = stream.schema_arrow
    missing = [name for name in _COLUMNS if name not in schema.names]
    if missing:
        raise InputError(f"{file}: expected a catalog with {', '.join(missing)}, got none")
    features = [field.name for field in schema if field.name not in _COLUMNS and _is_feature(field.type)]
    for batch in stream.iter_batches(_ROWS_AT_ONCE, columns=[*_COLUMNS, *features]):
        yield from _split(batch.to_pylist(), features)


def _is_feature(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _split(rows: list[dict[str, Any]], features: list[str]) -> Iterator[Batch]:
    items: list[StoredItem] = []
    images: dict[str, bytes | None] = {}
    size = 0
    for row in rows:
        image = row["image"] or None
        if items and size + len(image or b"") > _BYTES_AT_ONCE:
            yield items, images
            items, images, size = [], {}, 0
        items.append(_stored_item(row, features))
        images[row["item_id"]] = image
        size += len(image or b"")
    if items:
        yield items, images


def _stored_item(row: dict[str, Any], features: list[str]) -> StoredItem:
    values = {name: row[name] for name in features if _is_there(row[name])}
    title = row["title"]
    if title is not None:
        title = title.encode()[:_MAX_TITLE_BYTES].decode(errors="ignore").replace("\0", " ")
    return StoredItem(row["item_id"], row["category_id"] or "", row["shop_id"] or "", title, values)


def _is_there(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))
