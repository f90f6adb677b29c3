"""A user to try requests with."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SampleUser:
    """A user to try requests with.

    Attributes:
        user: raw columns by name; a missing value is left out.
        behaviors: "item_id", "category_id" and "shop_id" of each, the most recent last.
    """

    user: Mapping[str, str | float]
    behaviors: tuple[Mapping[str, str], ...]
