"""What a queue of new items does, whatever keeps it."""

from collections.abc import Sequence
from typing import Protocol

from serving.item_queue.claim import Claim
from serving.item_queue.dead_letter import DeadLetter
from serving.item_queue.new_item import NewItem


class ItemQueue(Protocol):
    """A durable queue of new and changed items, for many producers and workers in many processes.

    An item has one place in the queue, and one worker at a time holds it. A newer content of an item that waits
    takes the older one's place; a newer content of an item that a worker holds waits until that claim is settled
    or lost. So no two workers encode contents of one item at the same time, and a content is never settled by
    whoever encoded an older one. Which of two contents is newer is decided by the order in which the queue took
    them, not by clocks.

    Each item is delivered at least once: a claim that was neither settled nor renewed for `lease_seconds` goes to
    whoever claims next. All workers of a queue name the same lease. All methods may be called from any thread,
    and raise QueueUnavailable where the store fails.
    """

    def put(self, item: NewItem) -> None:
        """Takes an item; it is on the disk when this returns.

        Raises:
            QueueFull: there is no room.
        """

    def claim(self, worker: str, count: int, lease_seconds: float) -> list[Claim]:
        """Takes up to `count` items, first those that could be taken the longest. `worker` is a unique name."""

    def renew(self, claims: Sequence[Claim]) -> list[Claim]:
        """Starts the leases anew. Returns those of the claims that are still held."""

    def acknowledge(self, claims: Sequence[Claim]) -> list[Claim]:
        """Settles claims: their items are encoded. Returns those that were still held; others are left alone."""

    def retry(self, claim: Claim, delay_seconds: float, reason: str) -> bool:
        """Gives an item back, to be claimed again after a delay. Returns whether the claim was still held."""

    def bury(self, claim: Claim, reason: str) -> bool:
        """Settles a claim whose item cannot be encoded. Returns whether it was still held."""

    def dead(self, limit: int) -> list[DeadLetter]:
        """The latest dead letters, the newest first."""

    def waiting(self) -> int:
        """Items that are not settled, those in work among them."""

    def oldest_seconds(self) -> float:
        """How long the oldest of them has waited; 0 if there is none."""
