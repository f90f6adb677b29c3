"""Finds the index that an address means."""

from pathlib import Path

from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.store_address import is_redis


def open_embedding_index(address: str, readonly: bool = False) -> EmbeddingIndex:
    """Opens an index, and makes it where there is none.

    Args:
        address: "redis://host:port/database", "rediss://…" for TLS, "unix://…", or the path of a folder.
        readonly: whether this process only reads; then the folder must be there.
    Raises:
        InputError: an address of another kind, or a store that cannot be; see the stores.
        IndexUnavailable: the store does not answer.
    """
    if is_redis(address, "an index at redis://, rediss://, unix:// or in a folder"):
        from serving.embedding_index.redis_embedding_index import RedisEmbeddingIndex

        return RedisEmbeddingIndex(address)
    from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex

    return LmdbEmbeddingIndex(Path(address), readonly=readonly)
