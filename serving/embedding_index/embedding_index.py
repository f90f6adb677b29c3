"""The index that has the embeddings of items ready for ranking."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from serving.embedding_index.change import Change


class EmbeddingIndex(Protocol):
    """The multimodal index table: of each modality, item_id and encoder version to a vector.

    Vectors of different encoders do not compare, so each encoder version has entries of its own. One version
    of a modality is served; a new one is filled beside it, and `serve` switches all readers at once. An item
    without content (no picture, no title) is stored too, as None, so that it is known and need not be encoded
    again.

    All methods may be called from several threads, and several processes may share one store, as readers and
    as writers.

    Bounds, beyond which each method raises InputError: modality and version are 1 to 128 letters, digits,
    "_", "-", "." and ":"; an item id has 1 to 256 bytes as UTF-8; a call has at most 10,000 items; a vector
    at most 4,096 numbers.

    Raises:
        EmbeddingIndexError: of every method, if the store fails: IndexUnavailable, IndexFull or CorruptEntry.
    Source: Sheng et al. 2024 (arXiv 2407.19467), section 5.
    """

    def put(
        self,
        version: str,
        modality: str,
        vectors: Mapping[str, np.ndarray | None],
        replace: bool = True,
        announce: bool = False,
        unless_announced: bool = False,
    ) -> None:
        """Stores vectors, all or none; when it returns, they are durable.

        The first put makes the version, and its first vector fixes the version's dim. Doing it again changes
        nothing.

        Args:
            version: of the encoder that made them.
            modality: "image" or "text".
            vectors: finite float32 `[dim]` by item_id, None for an item without content.
            replace: whether they replace what an item has; False leaves an item alone that has an entry.
            announce: whether all these items come to the end of the version's `changes`, together with their
                entries or not at all; those that `replace` left alone too.
            unless_announced: whether items that are in the version's `changes` are left as they are, which is
                decided in the same transaction; so what is older never replaces what was announced. Not with
                `announce`.
        Raises:
            InputError: a vector of another type or dim.
        """

    def get(self, modality: str, item_ids: Sequence[str]) -> list[np.ndarray | None]:
        """The vectors of the served version, all of one version and in one batched read.

        Returns:
            For each id its float32 `[dim]`, or None, where the item has no content or no entry.
        Raises:
            IndexUnavailable: no version is served yet.
        """

    def get_version(self, version: str, modality: str, item_ids: Sequence[str]) -> list[np.ndarray | None]:
        """As `get`, of a version that need not be served.

        Raises:
            InputError: there is no such version.
        """

    def known(self, version: str, modality: str, item_ids: Sequence[str]) -> list[bool]:
        """Whether each item has an entry, be it a vector or None; all False for an unknown version."""

    def changes(self, modality: str, version: str, after: int, limit: int) -> list[Change]:
        """What was announced of a version, in the order of the puts.

        An item is in it once: a later put moves it to the end. So who asks with the last sequence that it has
        seen, and 0 at first, learns of every announced item, whose newest vector `get_version` has then.
        A sequence is used once in a store, also if the version is dropped and made again.

        Args:
            modality: "image" or "text".
            version: of the encoder; it need not be served.
            after: >= 0, the changes' sequences are larger.
            limit: 1 to 10,000, so many changes at most.
        Returns:
            By ascending sequence; none for an unknown version.
        Raises:
            InputError: an `after` or a `limit` that cannot be.
        """

    def scan(self, modality: str, version: str) -> Iterator[tuple[list[str], list[np.ndarray | None]]]:
        """All entries of a version, in no particular order, in batches of about 1,000.

        Each batch is a read of its own that holds up nobody for long, so the whole is no snapshot: it has
        every item that was there all the time, may have those that came meanwhile, and may have an item twice.

        Yields:
            item_ids, and the vector of each, float32 `[dim]`, or None for no content. An entry that is broken
            is logged and left out.
        Raises:
            InputError: there is no such version, when it is called, or any more, while it is read.
        """

    def serve(self, modality: str, version: str) -> None:
        """Makes a version the served one, for all readers at once; the old one stays until it is dropped.

        Raises:
            InputError: there is no such version.
        """

    def served_version(self, modality: str) -> str | None:
        """The served version; None before the first `serve`."""

    def versions(self, modality: str) -> list[str]:
        """All versions, sorted by name."""

    def count(self, modality: str, version: str) -> int:
        """How many items have an entry, those without content included.

        Raises:
            InputError: there is no such version.
        """

    def drop(self, modality: str, version: str) -> None:
        """Removes a version, at once for readers; its space is free when this returns, or soon after.

        Raises:
            InputError: there is no such version, or it is the served one.
        """

    def close(self) -> None:
        """Lets go of the store; no method may be called after it."""
