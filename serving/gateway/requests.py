"""What the gateway is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from serving.checked_arguments import check_text, encode_id, encode_ids
from transforms.input_error import InputError, check_setting

MAX_K = 200
MAX_BEHAVIORS = 500
MAX_BLOCKED = 10_000
MAX_ALSO_RANK = 50
MAX_TEXT_BYTES = 16_384


@dataclass(frozen=True)
class Behavior:
    """An item that a user clicked or bought.

    Attributes:
        item_id: the item.
        category_id: its category; None: what the item store has.
        shop_id: its shop; None: what the item store has.
    """

    item_id: str
    category_id: str | None = None
    shop_id: str | None = None


@dataclass(frozen=True)
class RecommendRequest:
    """Asks for the ads that a user is most likely to click.

    Attributes:
        user: features of the user and of the context, by name; those that are absent are missing values.
        behaviors: the most recent last.
        k: how many ads.
        explain: whether each ad comes with its `Why`.
        blocked_item_ids: items that are not recalled.
        also_rank: items that are ranked whether or not they are recalled, and are all in the answer.
    Raises:
        InputError: more than the bounds allow, or a text that UTF-8 cannot hold.
    """

    user: Mapping[str, str | float]
    behaviors: Sequence[Behavior] = ()
    k: int = 10
    explain: bool = False
    blocked_item_ids: Sequence[str] = ()
    also_rank: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_setting("request", "k", self.k, 1 <= self.k <= MAX_K, f"1 to {MAX_K}")
        for name, most in (
            ("behaviors", MAX_BEHAVIORS),
            ("blocked_item_ids", MAX_BLOCKED),
            ("also_rank", MAX_ALSO_RANK),
        ):
            size = len(getattr(self, name))
            if size > most:
                raise InputError(f"request.{name} must be at most {most}, got {size}")
        encode_ids(self.blocked_item_ids)
        encode_ids([*self.also_rank, *(each.item_id for each in self.behaviors)])
        texts = [*self.user, *(value for value in self.user.values() if isinstance(value, str))]
        for each in self.behaviors:
            texts += [each.category_id or "", each.shop_id or ""]
        for text in texts:
            check_text("request", text, 0, MAX_TEXT_BYTES)


@dataclass(frozen=True)
class SimilarRequest:
    """Asks for the items nearest to one item, text or picture; exactly one of the three is given.

    Attributes:
        item_id: of the item, which is left out of the answer.
        text: words.
        image: a JPEG, PNG or WebP file.
        k: how many items.
        modality: "image" or "text"; None: that of what is given, and of an item its picture if it has one.
    Raises:
        InputError: none or several are given, or `k` or `modality` cannot be.
    """

    item_id: str | None = None
    text: str | None = None
    image: bytes | None = field(default=None, repr=False)
    k: int = 10
    modality: str | None = None

    def __post_init__(self) -> None:
        check_setting("request", "k", self.k, 1 <= self.k <= MAX_K, f"1 to {MAX_K}")
        given = [name for name in ("item_id", "text", "image") if getattr(self, name) is not None]
        if len(given) != 1:
            raise InputError(
                f"expected exactly one of item_id, text and image, got {' and '.join(given) or 'none'}"
            )
        if self.item_id is not None:
            encode_id(self.item_id)
        check_text("request.text", self.text or "", 0, MAX_TEXT_BYTES)
        allowed = ("image", "text") if self.item_id is not None else (given[0],)
        if self.modality is not None and self.modality not in allowed:
            raise InputError(f"request.modality must be {' or '.join(allowed)}, got {self.modality!r:.80}")
