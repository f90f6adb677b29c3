"""Small releases, as the pipeline leaves them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from serving.release.release import Release
from serving.release.released_ctr import ReleasedCtr
from serving.release.released_encoder import ReleasedEncoder

CATALOG_SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string()),
        pa.field("category_id", pa.string()),
        pa.field("shop_id", pa.string()),
        pa.field("title", pa.string()),
        pa.field("image", pa.binary()),
        pa.field("created_at", pa.timestamp("us", "UTC")),
        pa.field("price", pa.float64()),
        pa.field("brand", pa.string()),
    ]
)


def write_catalog(folder: Path, *files: list[dict[str, Any]]) -> str:
    """Files of a catalog; a column that a row leaves out is missing."""
    folder.mkdir(parents=True)
    for number, rows in enumerate(files):
        complete = [{name: row.get(name) for name in CATALOG_SCHEMA.names} for row in rows]
        pq.write_table(
            pa.Table.from_pylist(complete, CATALOG_SCHEMA), folder / f"catalog-{number:05d}.parquet"
        )
    return str(folder)


def write_embeddings(
    folder: Path, vectors: Mapping[str, list[float] | None], fingerprints: Mapping[str, str]
) -> str:
    """A file of embeddings, of each modality the same vectors."""
    folder.mkdir(parents=True)
    columns = {"item_id": pa.array(list(vectors), pa.string())}
    for modality, fingerprint in fingerprints.items():
        columns[f"{modality}_embedding"] = pa.array(list(vectors.values()), pa.list_(pa.float32()))
        columns[f"{modality}_encoder"] = pa.array([fingerprint] * len(vectors), pa.string())
    pq.write_table(pa.table(columns), folder / "embeddings-00000.parquet")
    return str(folder)


def make_release(
    folder: Path,
    number: int,
    rows: list[dict[str, Any]],
    vectors: Mapping[str, list[float] | None],
    version: str = "1",
) -> Release:
    """A release with an encoder of pictures and one of titles, both of one version; its files are written."""
    fingerprints = {modality: f"{modality} {version}" for modality in ("image", "text")}
    items = folder / "items" / str(number)
    release = Release(
        number,
        ReleasedCtr("7", "simtier", 5),
        None,
        {modality: ReleasedEncoder(version, fingerprint) for modality, fingerprint in fingerprints.items()},
        write_catalog(items / "catalog", rows),
        write_embeddings(items / "embeddings", vectors, fingerprints),
    )
    release.write(folder / "release.json")
    return release
