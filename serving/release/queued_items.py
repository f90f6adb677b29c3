"""Which items came through the queue."""

from collections.abc import Mapping

from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.release.release import MODALITIES

_AT_ONCE = 10_000


class QueuedItems:
    """The items that shops have added or changed through the queue, by the encoder versions that encoded them.

    Their contents are newer than a catalog, which is as old as its run of the pipeline. They are those in the
    index's feeds of changes, of all versions that it has.

    Args:
        index: has the feeds.
    """

    def __init__(self, index: EmbeddingIndex) -> None:
        self._index = index
        self._seen: dict[tuple[str, str], int] = {}
        self._encoded: dict[tuple[str, str], set[str]] = {}

    def refresh(self) -> None:
        """Reads what was added to the feeds.

        Raises:
            EmbeddingIndexError: the index fails.
        """
        for modality in MODALITIES:
            for version in self._index.versions(modality):
                self._follow(modality, version)

    def lacking(self, versions: Mapping[str, str]) -> set[str]:
        """The items that one of the versions, by modality, has not encoded."""
        by_version = [self._encoded.get(version, set()) for version in versions.items()]
        items = set().union(*self._encoded.values())
        return {item for item in items if not all(item in encoded for encoded in by_version)}

    def _follow(self, modality: str, version: str) -> None:
        key = modality, version
        encoded = self._encoded.setdefault(key, set())
        while changes := self._index.changes(modality, version, self._seen.get(key, 0), _AT_ONCE):
            self._seen[key] = changes[-1].sequence
            encoded.update(change.item_id for change in changes)
