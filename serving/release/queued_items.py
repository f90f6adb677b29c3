"""Which items came through the queue."""

from collections.abc import Iterator

from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.release.release import MODALITIES

_AT_ONCE = 10_000


class QueuedItems:
    """The items that shops have added or changed through the queue, as far as they are encoded.

    Their vectors are of contents that are newer than a catalog's, which is as old as its run of the pipeline. They
    are those in the index's feeds of changes, of all versions that it has.

    Args:
        index: has the feeds.
    """

    def __init__(self, index: EmbeddingIndex) -> None:
        self._index = index
        self._seen: dict[tuple[str, str], int] = {}
        self._item_ids: set[str] = set()

    def refresh(self) -> None:
        """Reads what was added to the feeds.

        Raises:
            EmbeddingIndexError: the index fails.
        """
        for modality in MODALITIES:
            for version in self._index.versions(modality):
                self._follow(modality, version)

    def _follow(self, modality: str, version: str) -> None:
        while changes := self._index.changes(
            modality, version, self._seen.get((modality, version), 0), _AT_ONCE
        ):
            self._seen[modality, version] = changes[-1].sequence
            self._item_ids.update(change.item_id for change in changes)

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._item_ids

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._item_ids))

    def __len__(self) -> int:
        return len(self._item_ids)
