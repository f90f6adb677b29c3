"""What goes wrong with an item store while it is in use.

A wrong argument is an `InputError`, which the caller mends; these are the store's own.
"""

from serving.store_kind import StoreKind


class ItemStoreError(RuntimeError):
    """The store cannot do now what it was asked to."""


class ItemStoreUnavailable(ItemStoreError):
    """The store does not answer."""


class ItemStoreFull(ItemStoreError):
    """The store takes no more; nothing of this put is in it, and everything acknowledged still is."""


class CorruptItem(ItemStoreError):
    """What is stored for an item is not what was written."""


ITEM_STORE = StoreKind("item store", ItemStoreUnavailable, ItemStoreFull)
