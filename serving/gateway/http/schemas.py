"""The bodies of requests and answers, as OpenAPI describes them."""

import base64
import binascii
import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from annotated_types import GroupedMetadata
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from serving.gateway.requests import MAX_ALSO_RANK, MAX_BEHAVIORS, MAX_BLOCKED, MAX_K
from serving.item_queue.new_item import MAX_ID_BYTES, MAX_TITLE_BYTES

MAX_FEATURES = 256
_NO_ZERO = "^[^\\u0000]*$"
_WHOLE = (-(2**63), 2**63 - 1)


def _mistake(message: str) -> PydanticCustomError:
    return PydanticCustomError("mistake", "{message}", {"message": message})


class _Text(GroupedMetadata):
    """A text whose length is bounded in bytes of UTF-8; OpenAPI counts characters."""

    def __init__(self, least: int, most: int, **schema: Any) -> None:
        self.least = least
        self.most = most
        self.schema = {"type": "string", "minLength": least, "maxLength": most, "pattern": _NO_ZERO, **schema}

    def __iter__(self) -> Iterator[object]:
        yield AfterValidator(self.check)
        yield WithJsonSchema(self.schema)

    def check(self, text: str) -> str:
        """The text, if it holds."""
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise _mistake("expected UTF-8") from None
        if not self.least <= size <= self.most:
            raise _mistake(f"expected {self.least} to {self.most} bytes of UTF-8, got {size}")
        if "\0" in text:
            raise _mistake("expected no zero byte")
        return text


def _check_value(value: Any) -> str | float:
    """A feature's value: a text, or a number that is one."""
    if isinstance(value, str):
        return _ANY_TEXT.check(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _mistake("expected a text or a number")
    if isinstance(value, int) and _WHOLE[0] <= value <= _WHOLE[1]:
        return value
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _mistake("expected a finite number")
    return number


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _decode(text: Any) -> bytes:
    if not isinstance(text, str):
        raise _mistake("expected a text in base64")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _mistake("expected base64") from None


_ANY_TEXT = _Text(0, MAX_TITLE_BYTES, format="title")
ItemId = Annotated[str, _Text(1, MAX_ID_BYTES, format="item-id", description="at most 256 bytes of UTF-8")]
_NAME = _Text(1, MAX_ID_BYTES, format="item-id")
Name = Annotated[str, _NAME]
Group = Annotated[str, _Text(0, MAX_ID_BYTES, format="item-id", description="at most 256 bytes of UTF-8")]
Title = Annotated[str, _ANY_TEXT]
Value = Annotated[str | float, PlainValidator(_check_value)]
Features = Annotated[
    dict[Name, Value],
    Field(max_length=MAX_FEATURES),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": MAX_FEATURES,
            "propertyNames": _NAME.schema,
            "additionalProperties": {"anyOf": [_ANY_TEXT.schema, {"type": "number"}]},
        }
    ),
]
Picture = Annotated[
    bytes,
    PlainValidator(_decode),
    WithJsonSchema(
        {
            "type": "string",
            "format": "picture",
            "contentEncoding": "base64",
            "description": "a JPEG, PNG or WebP file in base64",
        }
    ),
]
# To JSON, 3.0 is a whole number.
Count = Annotated[int, Field(ge=1, le=MAX_K, description="how many, at most"), BeforeValidator(_whole)]
Modality = Literal["image", "text"]


def _given(name: str, /, **properties: dict[str, Any]) -> dict[str, Any]:
    """For OpenAPI: a text that is there, and not null, and properties that are as they are said to be."""
    return {"required": [name], "properties": {name: {"type": "string"}, **properties}}


_NULL: dict[str, Any] = {"type": "null"}
_NOT_BLANK: dict[str, Any] = {"type": "string", "pattern": "\\S"}


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Answered(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True)


class Error(_Answered):
    """What went wrong, in one line."""

    error: str


class PutItem(_Asked):
    """A new or changed item. It has a picture, a title that is not blank, or both."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [_given("title", title=_NOT_BLANK), _given("image")]}
    )

    title: Title | None = None
    image: Picture | None = None
    category_id: Group
    shop_id: Group
    features: Features = Field(default={}, description="the other columns of the item")


class AskedBehavior(_Asked):
    """An item that the user clicked or bought."""

    item_id: ItemId
    category_id: Group | None = Field(default=None, description="absent: what the item store has")
    shop_id: Group | None = Field(default=None, description="absent: what the item store has")


class AskRecommend(_Asked):
    """Asks for the ads that a user is most likely to click."""

    user: Features = Field(default={}, description="features of the user; absent ones are missing values")
    behaviors: list[AskedBehavior] = Field(
        default=[], max_length=MAX_BEHAVIORS, description="what the user clicked, the most recent last"
    )
    k: Count = 10
    explain: bool = Field(default=False, description="whether each ad says why")
    blocked_item_ids: list[ItemId] = Field(
        default=[], max_length=MAX_BLOCKED, description="items that are not recalled"
    )
    also_rank: list[ItemId] = Field(
        default=[], max_length=MAX_ALSO_RANK, description="items that are ranked and answered in any case"
    )


class AskSimilar(_Asked):
    """Asks for the items nearest to exactly one of an item, a text and a picture."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                _given("item_id", text=_NULL, image=_NULL),
                _given(
                    "text", text=_NOT_BLANK, item_id=_NULL, image=_NULL, modality={"enum": ["text", None]}
                ),
                _given("image", item_id=_NULL, text=_NULL, modality={"enum": ["image", None]}),
            ]
        }
    )

    item_id: ItemId | None = None
    text: Title | None = None
    image: Picture | None = None
    k: Count = 10
    modality: Modality | None = Field(
        default=None, description="of an item: which of its vectors is compared"
    )


class Queued(_Answered):
    """The item is stored and waits to be encoded."""

    item_id: str
    status: Literal["queued"] = "queued"
    introduced_at: float = Field(description="seconds since the epoch")


class Item(_Answered):
    """An item's columns."""

    item_id: str
    title: str | None
    category_id: str
    shop_id: str
    features: dict[str, str | float]


class ItemState(Item):
    """An item's columns, and how far it has come."""

    has_image: bool
    modalities: dict[Modality, Literal["ready", "none", "waiting"]]
    searchable: bool
    recallable: bool


class Items(_Answered):
    """Items by the order of their ids."""

    items: list[Item]


class DeadLetter(_Answered):
    """An item that could not be encoded."""

    item_id: str
    reason: str
    attempts: int
    introduced_at: float
    buried_at: float


class DeadLetters(_Answered):
    """Items that could not be encoded, the latest first."""

    dead_letters: list[DeadLetter]


class Why(_Answered):
    """What an ad's content has to do with the behaviors."""

    content: dict[Modality, Literal["index", "model", "none"]] = Field(
        description="where the ranking model has the vector from"
    )
    similarities: dict[Modality, list[float | None]] = Field(description="the cosine with each behavior")
    tiers: dict[Modality, list[int]] = Field(description="how many of them lie in each tier over [-1, 1]")


class Ad(_Answered):
    """A ranked item."""

    item_id: str
    score: float | None = Field(description="probability of a click; null where ranking did not answer")
    recall_score: float | None = Field(description="null where it was not recalled")
    rank_by: Literal["ctr", "recall"]
    title: str | None
    category_id: str | None
    shop_id: str | None
    also_ranked: bool = Field(description="whether it is here because also_rank named it")
    rank: int | None = Field(description="among all that were ranked, 1 for the best")
    recall_rank: int | None = Field(description="in recall's order; null where it was not recalled")
    why: Why | None


class Recommended(_Answered):
    """The ads for a user, the best first."""

    ads: list[Ad]
    degraded: list[Literal["ranking", "reorder", "embeddings", "items"]]
    ranked_by: Literal["ctr", "recall"]
    versions: dict[str, str]
    timings_ms: dict[str, float]


class SimilarItem(_Answered):
    """An item near to what was asked."""

    item_id: str
    similarity: float
    title: str | None
    category_id: str | None
    shop_id: str | None


class Similar(_Answered):
    """The items nearest to what was asked, the nearest first."""

    modality: Modality
    items: list[SimilarItem]
    version: str


class SampleBehavior(_Answered):
    """An item that a sample user clicked."""

    item_id: str
    category_id: str
    shop_id: str


class SampleUser(_Answered):
    """A user to try requests with."""

    user: dict[str, str | float]
    behaviors: list[SampleBehavior]


class SampleUsers(_Answered):
    """Users to try requests with."""

    sample_users: list[SampleUser]


class QueueState(_Answered):
    """The queue of new items; null is what it does not tell."""

    waiting: int | None
    oldest_seconds: float | None


class Freshness(_Answered):
    """The latest new items' seconds from their introduction."""

    items: int
    p50_seconds: float | None
    p99_seconds: float | None
    max_seconds: float | None


class Feed(_Answered):
    """How new items came in."""

    added: int
    not_added: int
    errors: int
    last_error: str | None


class Status(_Answered):
    """The gateway's state; null is what a part does not tell."""

    release: int | None
    ready: bool
    reasons: list[str]
    items: int | None
    searchable: dict[Modality, int | None]
    recallable: int | None
    queue: QueueState
    versions: dict[str, str | None]
    freshness: dict[Literal["searchable", "recallable"], Freshness]
    feed: Feed


class Health(_Answered):
    """The process lives."""

    status: Literal["ok"] = "ok"


class Readiness(_Answered):
    """Requests can be answered."""

    status: Literal["ready"] = "ready"
