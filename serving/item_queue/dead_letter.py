"""An item that cannot be encoded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DeadLetter:
    """An item that cannot be encoded. Its content is not kept: who has a better one puts it again.

    Attributes:
        item_id: the item.
        reason: why it cannot be encoded.
        attempts: how often it was tried.
        introduced_at: seconds since the epoch at which the content was received.
        buried_at: seconds since the epoch.
    """

    item_id: str
    reason: str
    attempts: int
    introduced_at: float
    buried_at: float
