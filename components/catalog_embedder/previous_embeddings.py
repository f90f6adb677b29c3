"""Remembers where the last embeddings are, for the next run to keep what did not change.

A resolver of ML Metadata would find them too, but a stage whose input such a resolver gives runs again at
the next call, for its own output has become another input. So a file outside of the artifacts points to
them. What a run writes does not depend on it, only how long it takes.
"""

import json
import logging

import pyarrow as pa
from tfx.dsl.io import fileio

from components.catalog_embedder.embedding_columns import modality_fields
from components.catalog_embedder.modality import Modality
from transforms.read_parquet import ParquetFile, find_parquet

_LOG = logging.getLogger(__name__)

POINTER_FILE = "embeddings.json"


def write_pointer(cache: str, uri: str) -> None:
    """Points to the embeddings of a run that has succeeded; readers see the old file or the new one."""
    fileio.makedirs(cache)
    partial = f"{cache}/{POINTER_FILE}.partial"
    with fileio.open(partial, "w") as stream:
        stream.write(json.dumps({"uri": uri}))
    fileio.rename(partial, f"{cache}/{POINTER_FILE}", overwrite=True)


def find_previous(cache: str) -> list[ParquetFile]:
    """Lists the files of the last embeddings; none where there are none or they cannot be read."""
    pointer = f"{cache}/{POINTER_FILE}"
    if not fileio.exists(pointer):
        _LOG.info("no %s: every item is encoded", pointer)
        return []
    with fileio.open(pointer, "rb") as stream:
        content = stream.read()
    try:
        uri = json.loads(content)["uri"]
        files = find_parquet(f"{uri}/embeddings-*.parquet")
    except (ValueError, KeyError, TypeError) as error:
        _LOG.warning("%s points to nothing that can be read, so every item is encoded: %s", pointer, error)
        return []
    if not files:
        _LOG.warning("%s points to %s, which is gone: every item is encoded", pointer, uri)
    return files


def usable_files(files: list[ParquetFile], modality: Modality) -> list[ParquetFile]:
    """Those files that have a modality's columns."""
    wanted = [pa.field("item_id", pa.string()), *modality_fields(modality)]
    usable = []
    for file in files:
        got = {field.name: field.type for field in file.schema}
        other = [field.name for field in wanted if got.get(field.name) != field.type]
        if other:
            _LOG.warning(
                "%s has another schema than expected (%s): its items are encoded (%s)",
                file.path,
                ", ".join(other),
                modality.name,
            )
        else:
            usable.append(file)
    return usable
