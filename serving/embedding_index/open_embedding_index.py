"""Finds the index that an address means."""

from pathlib import Path
from urllib.parse import urlsplit

from serving.embedding_index.embedding_index import EmbeddingIndex
from transforms.input_error import InputError

_REDIS = ("redis", "rediss", "unix")


def open_embedding_index(address: str, readonly: bool = False) -> EmbeddingIndex:
    """Opens an index, and makes it where there is none.

    Args:
        address: "redis://host:port/database", "rediss://…" for TLS, "unix://…", or the path of a folder.
        readonly: whether this process only reads; then the folder must be there.
    Raises:
        InputError: an address of another kind, or a store that cannot be; see the stores.
        IndexUnavailable: the store does not answer.
    """
    scheme = urlsplit(address).scheme
    if scheme in _REDIS:
        try:
            from serving.embedding_index.redis_embedding_index import RedisEmbeddingIndex
        except ModuleNotFoundError as error:
            raise InputError(f"expected the package redis for {scheme}://, got: {error}") from error
        return RedisEmbeddingIndex(address)
    if "://" in address:
        raise InputError(f"expected an index at redis://, rediss://, unix:// or in a folder, got {scheme}://")
    from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex

    return LmdbEmbeddingIndex(Path(address), readonly=readonly)
