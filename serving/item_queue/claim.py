"""An item in the hands of a worker."""

from dataclasses import dataclass

from serving.item_queue.new_item import NewItem


@dataclass(frozen=True)
class Claim:
    """An item in the hands of a worker, until it settles the claim or loses it to another.

    Attributes:
        id: names the item's place in the queue.
        item: what is to be encoded.
        attempts: how often this content was claimed, this time among them.
        worker: who holds it.
        delivery: grows each time the place is claimed; a claim with an older one is lost.
        sequence: of the content; of two contents of one item the one with the higher number is newer.
        last_reason: why the last try failed; None if none has.
    """

    id: str
    item: NewItem
    attempts: int
    worker: str
    delivery: int
    sequence: int
    last_reason: str | None = None
