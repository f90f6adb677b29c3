"""How stores of a kind are called and fail, for the code that several kinds share."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StoreKind:
    """A kind of store.

    Attributes:
        name: for messages, as "embedding index"; it begins with a vowel.
        unavailable: raised where the store does not answer.
        full: raised where it takes no more.
    """

    name: str
    unavailable: type[Exception]
    full: type[Exception]
