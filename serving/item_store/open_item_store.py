"""Finds the store that an address means."""

from pathlib import Path

from serving.item_store.item_store import ItemStore
from serving.store_address import is_redis


def open_item_store(address: str, readonly: bool = False) -> ItemStore:
    """Opens a store, and makes it where there is none.

    Args:
        address: "redis://host:port/database", "rediss://…" for TLS, "unix://…", or the path of a folder.
        readonly: whether this process only reads; then the folder must be there.
    Raises:
        InputError: an address of another kind, or a store that cannot be; see the stores.
        ItemStoreUnavailable: the store does not answer.
    """
    if is_redis(address, "a store at redis://, rediss://, unix:// or in a folder"):
        from serving.item_store.redis_item_store import RedisItemStore

        return RedisItemStore(address)
    from serving.item_store.lmdb_item_store import LmdbItemStore

    return LmdbItemStore(Path(address), readonly=readonly)
