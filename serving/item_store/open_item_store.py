"""Finds the store that an address means."""

from pathlib import Path
from urllib.parse import urlsplit

from serving.item_store.item_store import ItemStore
from transforms.input_error import InputError

_REDIS = ("redis", "rediss", "unix")


def open_item_store(address: str, readonly: bool = False) -> ItemStore:
    """Opens a store, and makes it where there is none.

    Args:
        address: "redis://host:port/database", "rediss://…" for TLS, "unix://…", or the path of a folder.
        readonly: whether this process only reads; then the folder must be there.
    Raises:
        InputError: an address of another kind, or a store that cannot be; see the stores.
        ItemStoreUnavailable: the store does not answer.
    """
    scheme = urlsplit(address).scheme
    if scheme in _REDIS:
        try:
            from serving.item_store.redis_item_store import RedisItemStore
        except ModuleNotFoundError as error:
            raise InputError(f"expected the package redis for {scheme}://, got: {error}") from error
        return RedisItemStore(address)
    if "://" in address:
        raise InputError(f"expected a store at redis://, rediss://, unix:// or in a folder, got {scheme}://")
    from serving.item_store.lmdb_item_store import LmdbItemStore

    return LmdbItemStore(Path(address), readonly=readonly)
