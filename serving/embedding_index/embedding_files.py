"""Reads the files that CatalogEmbedder writes."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from models.parquet_files import list_files, open_parquet
from serving.checked_arguments import MAX_BATCH
from transforms.input_error import InputError


def read_embeddings(file: str, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
    """Reads columns of a file, in batches.

    Raises:
        InputError: a column is missing, or the file is broken.
    """
    try:
        with open_parquet(file) as stream:
            missing = [name for name in columns if name not in stream.schema_arrow.names]
            if missing:
                raise InputError(f"{file}: expected embeddings with {', '.join(missing)}, got none")
            for batch in stream.iter_batches(batch_size, columns=columns):
                yield batch.select(columns)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file}: expected a Parquet file of embeddings, got {error}") from error


def encoder_fingerprints(folder: str, modality: str) -> set[str]:
    """Fingerprints of the encoders that made the embeddings of a modality.

    Args:
        folder: holds `embeddings-*.parquet`; local or of a filesystem that Arrow knows.
        modality: "image" or "text".
    Raises:
        InputError: as `read_embeddings`.
    """
    found: set[str] = set()
    for file in list_files(folder):
        for batch in read_embeddings(file, [f"{modality}_encoder"], MAX_BATCH):
            found.update(pc.unique(batch.column(0).drop_null()).to_pylist())
    return found


def encoder_fingerprint(folder: str, modality: str) -> str:
    """The fingerprint of the one encoder that made all embeddings of a modality; see `encoder_fingerprints`.

    Raises:
        InputError: there is none, or there are several, whose vectors do not compare.
    """
    found = encoder_fingerprints(folder, modality)
    if len(found) != 1:
        names = ", ".join(sorted(found)) or "none"
        raise InputError(f"{folder}: expected {modality} embeddings of one encoder, got such of {names}")
    return found.pop()
