"""Fills the index with the embeddings of a catalog."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from models.parquet_files import list_files, open_parquet
from serving.embedding_index.checked_arguments import MAX_BATCH
from serving.embedding_index.embedding_index import EmbeddingIndex
from transforms.input_error import InputError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedEmbeddings:
    """What was loaded.

    Attributes:
        items: items that are in the index now.
        vectors: those of them that have a vector; the others have no content.
    """

    items: int
    vectors: int


def load_embeddings(
    index: EmbeddingIndex,
    folder: str,
    modality: str,
    version: str,
    fingerprint: str | None = None,
    batch_size: int = 5_000,
    replace: bool = True,
) -> LoadedEmbeddings:
    """Puts what CatalogEmbedder wrote into a version of the index, and serves it once everything is in.

    Where it fails, the version that was served still is, and it can be run again.

    Args:
        index: any store.
        folder: holds `embeddings-*.parquet`; local or of a filesystem that Arrow knows.
        modality: "image" or "text".
        version: of the model that encodes new items into the same version.
        fingerprint: of the encoder that must have made the embeddings; None: any, but one for all of them.
        batch_size: items a put, at most 10,000.
        replace: whether these vectors replace those that items have already; False where new items may have
            been put into this version, which are younger than the catalog.
    Raises:
        InputError: no such file or column, a broken file, or embeddings of other encoders.
        EmbeddingIndexError: the store fails.
    """
    if not 1 <= batch_size <= MAX_BATCH:
        raise InputError(f"expected a batch_size of 1 to {MAX_BATCH}, got {batch_size}")
    files = list_files(folder)
    if not files:
        raise InputError(f"expected embeddings in {folder}, got no file")
    _check_fingerprints(files, modality, fingerprint)
    items = vectors = 0
    for file in files:
        for batch in _read(file, ["item_id", f"{modality}_embedding"], batch_size):
            ids, embeddings = batch.columns
            rows = zip(ids.to_pylist(), embeddings.to_numpy(zero_copy_only=False), strict=True)
            index.put(version, modality, dict(rows), replace)
            items += batch.num_rows
            vectors += batch.num_rows - embeddings.null_count
        _LOG.info("%s version %s: %d items are in the index", modality, version, items)
    index.serve(modality, version)
    return LoadedEmbeddings(items, vectors)


def _check_fingerprints(files: list[str], modality: str, expected: str | None) -> None:
    """Vectors of several encoders do not compare, so that they must not come into one version."""
    found: set[str] = set()
    for file in files:
        for batch in _read(file, [f"{modality}_encoder"], MAX_BATCH):
            found.update(pc.unique(batch.column(0).drop_null()).to_pylist())
    if len(found) != 1 or expected not in (None, *found):
        raise InputError(
            f"expected {modality} embeddings of {f'the encoder {expected}' if expected else 'one encoder'},"
            f" got such of {', '.join(sorted(found)) or 'none'}"
        )


def _read(file: str, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
    try:
        with open_parquet(file) as stream:
            missing = [name for name in columns if name not in stream.schema_arrow.names]
            if missing:
                raise InputError(f"{file}: expected embeddings with {', '.join(missing)}, got none")
            for batch in stream.iter_batches(batch_size, columns=columns):
                yield batch.select(columns)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file}: expected a Parquet file of embeddings, got {error}") from error
