"""A column of a log that becomes a feature of the models."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from transforms.input_error import InputError

KINDS = ("id", "numeric", "bucketized")
SIDES = ("user", "item")


def _check_choice(feature: str, attribute: str, value: str, choices: tuple[str, ...]) -> None:
    if value in choices:
        return
    near = difflib.get_close_matches(str(value), choices, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InputError(
        f"feature {feature}: {attribute} must be one of {', '.join(choices)}, got {value!r}{hint}"
    )


@dataclass(frozen=True)
class Feature:
    """A column of a log that becomes a feature of the models.

    Attributes:
        name: the column; also its name in examples and in the serving signatures.
        kind: "id" (a string looked up in a vocabulary; unseen ones fall into hashed buckets),
            "numeric" (scaled to zero mean and unit variance) or "bucketized" (a number cut at quantiles).
        side: "user" for columns of impressions (the user and the context of the request), "item" for
            columns of the catalog.
        num_oov_buckets: hashed buckets for ids that training never saw ("id" alone).
        num_buckets: quantile buckets ("bucketized" alone).
        min_count: ids that training saw less often fall into the hashed buckets too ("id" alone).
    """

    name: str
    kind: str = "id"
    side: str = "user"
    num_oov_buckets: int = 16
    num_buckets: int = 10
    min_count: int = 1

    def __post_init__(self) -> None:
        _check_choice(self.name, "kind", self.kind, KINDS)
        _check_choice(self.name, "side", self.side, SIDES)
        if self.num_oov_buckets < 1:
            raise InputError(
                f"feature {self.name}: num_oov_buckets must be at least 1, got {self.num_oov_buckets}"
            )
        if self.num_buckets < 2:
            raise InputError(f"feature {self.name}: num_buckets must be at least 2, got {self.num_buckets}")
        if self.min_count < 1:
            raise InputError(f"feature {self.name}: min_count must be at least 1, got {self.min_count}")


ID_FEATURES = (
    Feature("user_id"),
    Feature("item_id", side="item"),
    Feature("category_id", side="item"),
    Feature("shop_id", side="item"),
)


def model_features(configured: Iterable[Feature]) -> tuple[Feature, ...]:
    """The contract's four ids and the configured features; a configured one replaces its namesake."""
    by_name = {feature.name: feature for feature in (*ID_FEATURES, *configured)}
    return tuple(by_name.values())
