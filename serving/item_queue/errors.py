"""What a queue answers when it cannot do what it is asked."""


class QueueFull(RuntimeError):
    """The queue has no room; nothing was taken. Whoever puts waits and tries again."""


class QueueUnavailable(RuntimeError):
    """The queue's store does not answer, or fails; whether the call was carried out is unknown."""
