"""Why the gateway cannot answer, other than by a wrong request, which is an `InputError`."""


class UnknownItem(LookupError):
    """The item store has no such item, or it has not what was asked for."""


class Unavailable(RuntimeError):
    """A part without which there is no answer does not answer, or nothing is pushed yet."""


class PartUnavailable(RuntimeError):
    """A part does not answer, or not in time; the engine goes on without it where it can."""


class TimedOut(Unavailable, PartUnavailable):
    """The time that a request may take is over."""


class ModelRefused(RuntimeError):
    """The model is there and fails at what it was given."""
