"""What goes wrong with an index while it is in use.

A wrong argument is an `InputError`, which the caller mends; these are the store's own, upon which a caller
goes on without content, or tries again later.
"""

from serving.store_kind import StoreKind


class EmbeddingIndexError(RuntimeError):
    """The index cannot do now what it was asked to."""


class IndexUnavailable(EmbeddingIndexError):
    """The store does not answer, or serves nothing yet."""


class IndexFull(EmbeddingIndexError):
    """The store takes no more; nothing of this write is in it, and everything acknowledged still is."""


class CorruptEntry(EmbeddingIndexError):
    """What is stored for an item is not what was written."""


EMBEDDING_INDEX = StoreKind("embedding index", IndexUnavailable, IndexFull)
