"""Fills the index with the embeddings of a catalog."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.parquet_files import list_files
from serving.checked_arguments import MAX_BATCH, encode_id
from serving.embedding_index.embedding_files import encoder_fingerprints, read_embeddings
from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.embedding_index.errors import CorruptEntry
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
    unless_announced: bool = False,
    serve: bool = True,
) -> LoadedEmbeddings:
    """Puts what CatalogEmbedder wrote into a version of the index, and serves it once everything is in.

    Where it fails, the version that was served still is, and it can be run again; what is there already is not
    written again, and an entry that is broken is. An item whose id no index takes is logged and left out.

    Args:
        index: any store.
        folder: holds `embeddings-*.parquet`; local or of a filesystem that Arrow knows.
        modality: "image" or "text".
        version: of the model that encodes new items into the same version.
        fingerprint: of the encoder that must have made the embeddings; None: any, but one for all of them.
        batch_size: items a put, at most 10,000.
        replace: whether these vectors replace those that items have already; False where new items may have
            been put into this version, which are younger than the catalog.
        unless_announced: whether items in the version's feed of changes are left alone; see `EmbeddingIndex.put`.
        serve: whether the version is served in the end; False where the caller does so.
    Raises:
        InputError: no such file or column, a broken file, or embeddings of other encoders.
        EmbeddingIndexError: the store fails.
    """
    if not 1 <= batch_size <= MAX_BATCH:
        raise InputError(f"expected a batch_size of 1 to {MAX_BATCH}, got {batch_size}")
    files = list_files(folder)
    if not files:
        raise InputError(f"expected embeddings in {folder}, got no file")
    _check_fingerprint(folder, modality, fingerprint)
    items = vectors = 0
    for file in files:
        for batch in read_embeddings(file, ["item_id", f"{modality}_embedding"], batch_size):
            ids, embeddings = batch.columns
            rows = zip(ids.to_pylist(), embeddings.to_numpy(zero_copy_only=False), strict=True)
            vectors_of = {item_id: vector for item_id, vector in rows if _is_id(item_id)}
            changed = _changed(index, version, modality, vectors_of)
            index.put(version, modality, changed, replace, unless_announced=unless_announced)
            items += batch.num_rows
            vectors += batch.num_rows - embeddings.null_count
        _LOG.info("%s version %s: %d items are in the index", modality, version, items)
    if serve:
        index.serve(modality, version)
    return LoadedEmbeddings(items, vectors)


def _is_id(item_id: str) -> bool:
    try:
        encode_id(item_id)
    except InputError as error:
        _LOG.warning("an item's embedding is left out: %s", error)
        return False
    return True


def _check_fingerprint(folder: str, modality: str, expected: str | None) -> None:
    """Vectors of several encoders do not compare, so that they must not come into one version."""
    found = encoder_fingerprints(folder, modality)
    if len(found) != 1 or expected not in (None, *found):
        raise InputError(
            f"expected {modality} embeddings of {f'the encoder {expected}' if expected else 'one encoder'},"
            f" got such of {', '.join(sorted(found)) or 'none'}"
        )


def _changed(
    index: EmbeddingIndex, version: str, modality: str, vectors: Mapping[str, np.ndarray | None]
) -> dict[str, np.ndarray | None]:
    """Those that the version does not have, or has other than this; all of them where an entry is broken."""
    item_ids = list(vectors)
    known = index.known(version, modality, item_ids)
    if not any(known):
        return dict(vectors)
    try:
        stored = index.get_version(version, modality, item_ids)
    except CorruptEntry as error:
        _LOG.error("%s version %s is written again: %s", modality, version, error)
        return dict(vectors)
    return {
        item_id: vectors[item_id]
        for item_id, is_known, vector in zip(item_ids, known, stored, strict=True)
        if not (is_known and _is_same(vector, vectors[item_id]))
    }


def _is_same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)
