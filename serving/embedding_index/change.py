"""A note that an item's entry was written."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """An item of a version's feed.

    Attributes:
        sequence: > 0, its place in the feed; a later change has a larger one.
        item_id: whose entry was written.
    """

    sequence: int
    item_id: str
