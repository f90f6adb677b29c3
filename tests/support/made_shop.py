"""A shop of twelve items in memory that answers in place of the gateway's engine."""

import dataclasses
import io
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from serving.gateway.answers import Ad, ItemAnswer, RecommendAnswer, SimilarAnswer, SimilarItem, Why
from serving.gateway.errors import UnknownItem
from serving.gateway.explanation import similarities, tier_counts
from serving.gateway.requests import RecommendRequest, SimilarRequest
from serving.item_queue.dead_letter import DeadLetter
from serving.item_queue.new_item import NewItem
from serving.item_store.stored_item import StoredItem
from transforms.input_error import InputError

DEGREES = 25
NUM_RECALLED = 6
NUM_TIERS = 20
COLORS = ("red", "orange", "amber", "lime", "green", "teal", "cyan", "sky", "blue", "violet", "pink", "rose")
WITHOUT_PICTURE = 3
UNSAFE_TITLE = "<img src=x onerror=\"document.title='broken'\"><b>orange</b> &amp; cup"


def painted(number: int) -> bytes:
    """A PNG of one color, whose red says that it belongs to item `number`."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (20 * number, 90, 160)).save(file, "PNG")
    return file.getvalue()


@dataclass
class _Kept:
    item: StoredItem
    image: bytes | None
    number: int
    since: float = -math.inf


class MadeShop:
    """Answers as `Engine` does, about the items i00 to i11, whose vectors stand 25 degrees apart.

    The cosine of i00 and i02 is that of 50 degrees, in pictures as in titles; i03 has no picture, and i01 a
    title that looks like HTML. Item n is clicked with probability (n + 1) %. Recall brings the six items that
    are nearest to the behaviors on average. A new item has the place that its picture's red says, and is
    encoded, searchable and recallable 0.2, 0.3 and 0.4 seconds after it was put.

    Attributes:
        degraded: what the next answers do without.
        puts: the new items.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets what has changed."""
        self.degraded: list[str] = []
        self.puts: list[NewItem] = []
        self._kept = {each.item.item_id: each for each in map(_made, range(len(COLORS)))}

    def sample_users(self) -> Sequence[Mapping[str, Any]]:
        """The first user has clicked i00 and then i01, the second i06."""
        return [
            {"user": {"city": "Oslo", "age": 30}, "behaviors": [_reference(0), _reference(1)]},
            {"user": {"city": "Lima", "age": 51}, "behaviors": [_reference(6)]},
        ]

    def recommend(self, request: RecommendRequest) -> RecommendAnswer:
        """Ranks by the items' numbers; without "ranking" in recall's order."""
        for name in request.user:
            if name not in ("city", "age"):
                raise InputError(f"request.user has an unknown feature {name!r}; did you mean 'city'?")
        behaviors = [each.item_id for each in request.behaviors]
        order = self._recalled(behaviors)
        recall = {item_id: (place, score) for place, (item_id, score) in enumerate(order[:NUM_RECALLED], 1)}
        by_ctr = "ranking" not in self.degraded
        ranked = list(dict.fromkeys([*recall, *request.also_rank]))
        if by_ctr:
            ranked.sort(key=lambda item_id: -self._kept[item_id].number)
        ads = [
            Ad(
                item_id=item_id,
                score=(self._kept[item_id].number + 1) / 100 if by_ctr else None,
                recall_score=recall[item_id][1] if item_id in recall else None,
                rank_by="ctr" if by_ctr else "recall",
                also_ranked=item_id in request.also_rank,
                rank=rank,
                recall_rank=recall[item_id][0] if item_id in recall else None,
                why=self._why(item_id, behaviors) if request.explain else None,
                **self._columns(item_id),
            )
            for rank, item_id in enumerate(ranked, 1)
            if rank <= request.k or item_id in request.also_rank
        ]
        versions = {"recall": "7", "ctr": "8", "image_encoder": "5", "text_encoder": "6"}
        timings = {"recall": 1.5, "retrieve": 0.5, "rank": 3.0}
        return RecommendAnswer(ads, self.degraded, "ctr" if by_ctr else "recall", versions, timings)

    def similar(self, request: SimilarRequest) -> SimilarAnswer:
        """The nearest items by angle; words are those of the first item whose title has them."""
        modality, number = self._asked(request)
        found = [
            SimilarItem(item_id, similarity=_cosine(number, each.number), **self._columns(item_id))
            for item_id, each in self._kept.items()
            if item_id != request.item_id and self._age(item_id) > 0.3 and (each.image or modality == "text")
        ]
        found.sort(key=lambda each: -each.similarity)
        return SimilarAnswer(modality, found[: request.k], "5" if modality == "image" else "6")

    def put_item(self, item: NewItem, features: Mapping[str, str | float]) -> None:
        """Keeps an item."""
        if not item.image and not item.title:
            raise InputError("item: expected a picture or a title, got neither")
        self.puts.append(item)
        stored = StoredItem(item.item_id, item.category_id, item.shop_id, item.title, features)
        self._kept[item.item_id] = _Kept(stored, item.image, _number(item.image), time.monotonic())

    def item(self, item_id: str) -> ItemAnswer:
        """What is known of an item, by its age."""
        kept, age = self._find(item_id), self._age(item_id)
        state = "ready" if age > 0.2 and kept.item.title != "spoiled" else "waiting"
        modalities = {
            "image": state if kept.image else "none",
            "text": state if kept.item.title else "none",
        }
        is_encoded = "waiting" not in modalities.values()
        return ItemAnswer(
            kept.item, bool(kept.image), modalities, is_encoded and age > 0.3, is_encoded and age > 0.4
        )

    def image(self, item_id: str) -> bytes:
        """An item's picture."""
        image = self._find(item_id).image
        if image is None:
            raise UnknownItem(f"item {item_id!r} has no picture")
        return image

    def list_items(self, limit: int, after: str = "") -> list[StoredItem]:
        """Items by id."""
        return [self._kept[item_id].item for item_id in sorted(self._kept) if item_id > after][:limit]

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The items whose title is "spoiled"."""
        return [
            DeadLetter(each.item_id, "unreadable_image", 1, each.introduced_at, each.introduced_at)
            for each in self.puts
            if each.title == "spoiled"
        ][:limit]

    def readiness(self) -> list[str]:
        """Always ready."""
        return []

    def status(self) -> dict[str, Any]:
        """As the engine says it."""
        fresh = {"items": 3, "p50_seconds": 0.42, "p99_seconds": 1.3, "max_seconds": 1.4}
        return {
            "release": 4,
            "ready": True,
            "reasons": [],
            "items": len(self._kept),
            "searchable": {"image": 11, "text": 12},
            "recallable": 12,
            "queue": {"waiting": 2, "oldest_seconds": 0.5},
            "versions": {"recall": "7", "ctr": "8", "image_encoder": "5", "text_encoder": "6"},
            "freshness": {"searchable": fresh, "recallable": fresh},
            "feed": {"added": 3, "not_added": 0, "errors": 0, "last_error": None},
        }

    def rename(self, item_id: str, title: str) -> None:
        """Gives an item another title."""
        kept = self._kept[item_id]
        kept.item = dataclasses.replace(kept.item, title=title)

    def _find(self, item_id: str) -> _Kept:
        if item_id not in self._kept:
            raise UnknownItem(f"there is no item {item_id!r}")
        return self._kept[item_id]

    def _age(self, item_id: str) -> float:
        return time.monotonic() - self._kept[item_id].since

    def _columns(self, item_id: str) -> dict[str, str | None]:
        item = self._kept[item_id].item
        return {"title": item.title, "category_id": item.category_id, "shop_id": item.shop_id}

    def _recalled(self, behaviors: Sequence[str]) -> list[tuple[str, float]]:
        numbers = [self._find(each).number for each in behaviors] or [0]
        scores = {
            item_id: round(sum(_cosine(kept.number, number) for number in numbers) / len(numbers), 6)
            for item_id, kept in self._kept.items()
            if self._age(item_id) > 0.4
        }
        return sorted(scores.items(), key=lambda pair: -pair[1])

    def _asked(self, request: SimilarRequest) -> tuple[str, int]:
        if request.image is not None:
            return "image", _number(request.image)
        if request.text is not None:
            return "text", next(n for n, color in enumerate(COLORS) if color in request.text)
        kept = self._find(request.item_id or "")
        return request.modality or ("image" if kept.image else "text"), kept.number

    def _why(self, item_id: str, behaviors: Sequence[str]) -> Why:
        kept = self._kept[item_id]
        content, cosines, tiers = {}, {}, {}
        for modality in ("image", "text"):
            has = kept.image is not None or modality == "text"
            content[modality] = "index" if has else "none"
            others = [_vector(self._kept[each].number) for each in behaviors]
            found = similarities([_vector(kept.number) if has else None], others)
            cosines[modality] = [None if np.isnan(each) else float(each) for each in found[0]]
            tiers[modality] = tier_counts(found, NUM_TIERS)[0].tolist()
        return Why(content, cosines, tiers)


def _made(number: int) -> _Kept:
    title = UNSAFE_TITLE if number == 1 else f"{COLORS[number]} cup"
    item = StoredItem(f"i{number:02}", f"c{number % 3}", f"s{number % 4}", title, {})
    return _Kept(item, None if number == WITHOUT_PICTURE else painted(number), number)


def _reference(number: int) -> dict[str, str]:
    item = _made(number).item
    return {"item_id": item.item_id, "category_id": item.category_id, "shop_id": item.shop_id}


def _number(image: bytes | None) -> int:
    return round(Image.open(io.BytesIO(image)).getpixel((0, 0))[0] / 20) if image else 0


def _vector(number: int) -> np.ndarray:
    angle = math.radians(DEGREES * number)
    return np.array([math.cos(angle), math.sin(angle)], np.float32)


def _cosine(one: int, other: int) -> float:
    return math.cos(math.radians(DEGREES * (one - other)))
