"""What a publication did."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """What a publication did.

    Attributes:
        items: items of the catalog; none where the store has this very catalog already.
        written: those of them that were new or had changed, and are in the item store now.
        kept: those of them that are other in the store, as a shop has put them.
        queued: items that came through the queue and were put into it again for an encoder that lacks them.
        late: those that it had not encoded in the end.
        refused: items of the catalog that the item store does not take; the log says why.
    """

    items: int
    written: int
    kept: int
    queued: int
    late: int
    refused: int = 0
