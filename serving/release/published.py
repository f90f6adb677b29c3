"""What a publication did."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """What a publication did.

    Attributes:
        items: items of the catalog.
        written: those of them that were new or had changed, and are in the item store now.
        kept: those of them that are other in the store, as a shop has put them.
        queued: items that came through the queue and were put into it again for a new encoder.
        late: those of them that it had not encoded when it was switched to.
    """

    items: int
    written: int
    kept: int
    queued: int
    late: int
