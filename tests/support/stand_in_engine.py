"""What stands where the gateway's engine does, for tests of HTTP alone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from serving.gateway.answers import Ad, ItemAnswer, RecommendAnswer, SimilarAnswer, SimilarItem, Why
from serving.gateway.errors import UnknownItem
from serving.gateway.requests import RecommendRequest, SimilarRequest
from serving.item_queue.dead_letter import DeadLetter
from serving.item_queue.new_item import NewItem
from serving.item_store.stored_item import StoredItem

WHY = Why(
    content={"image": "index", "text": "none"},
    similarities={"image": [0.5, None], "text": [None, None]},
    tiers={"image": [0, 0, 1, 0], "text": [0, 0, 0, 0]},
)


class StandInEngine:
    """Keeps items in a dictionary, answers the same ads at all times, and remembers what it was asked.

    Attributes:
        asked: the requests of `recommend` and `similar`.
        put: the items of `put_item`.
        before: called with a method's name before it answers; may wait or raise.
        reasons: what `readiness` says.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets everything."""
        self.asked: list[RecommendRequest | SimilarRequest] = []
        self.put: list[NewItem] = []
        self.before: Callable[[str], object] = lambda _name: None
        self.reasons: list[str] = []
        self._items: dict[str, StoredItem] = {}
        self._images: dict[str, bytes | None] = {}

    def readiness(self) -> list[str]:
        self.before("readiness")
        return self.reasons

    def recommend(self, request: RecommendRequest) -> RecommendAnswer:
        self.before("recommend")
        self.asked.append(request)
        why = WHY if request.explain else None
        ads = [
            Ad("first", 0.75, 2.5, "ctr", "a lamp", "lamps", "shop", rank=1, recall_rank=4, why=why),
            Ad("second", None, None, "recall", also_ranked=True, rank=30),
        ]
        return RecommendAnswer(ads, ["items"], "ctr", {"ctr": "3"}, {"recall": 1.5, "rank": 20.0})

    def similar(self, request: SimilarRequest) -> SimilarAnswer:
        self.before("similar")
        self.asked.append(request)
        return SimilarAnswer("text", [SimilarItem("near", 0.5, "a lamp")], "7")

    def put_item(self, item: NewItem, features: Mapping[str, str | float]) -> None:
        self.before("put_item")
        self.put.append(item)
        self._items[item.item_id] = StoredItem(
            item.item_id, item.category_id, item.shop_id, item.title, dict(features)
        )
        self._images[item.item_id] = item.image

    def item(self, item_id: str) -> ItemAnswer:
        self.before("item")
        if item_id not in self._items:
            raise UnknownItem(f"{item_id}: there is no such item")
        has_image = self._images[item_id] is not None
        modalities = {"image": "ready" if has_image else "none", "text": "waiting"}
        return ItemAnswer(self._items[item_id], has_image, modalities, searchable=has_image, recallable=False)

    def image(self, item_id: str) -> bytes:
        self.before("image")
        image = self._images.get(item_id)
        if image is None:
            raise UnknownItem(f"{item_id}: there is no picture")
        return image

    def list_items(self, limit: int, after: str = "") -> list[StoredItem]:
        self.before("list_items")
        return [self._items[item_id] for item_id in sorted(self._items) if item_id > after][:limit]

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        self.before("dead_letters")
        return [DeadLetter("broken", "unreadable_image", 1, 10.5, 11.5)][:limit]

    def sample_users(self) -> Sequence[Mapping[str, Any]]:
        self.before("sample_users")
        behavior = {"item_id": "first", "category_id": "lamps", "shop_id": "shop"}
        return [{"user": {"city": "Bern", "age": 31}, "behaviors": [behavior]}]

    def status(self) -> dict[str, Any]:
        self.before("status")
        seconds = {"items": 2, "p50_seconds": 0.5, "p99_seconds": 0.75, "max_seconds": 0.75}
        return {
            "release": 4,
            "ready": not self.reasons,
            "reasons": self.reasons,
            "items": len(self._items),
            "searchable": {"image": 5, "text": None},
            "recallable": 6,
            "queue": {"waiting": None, "oldest_seconds": None},
            "versions": {"recall": None, "ctr": "3"},
            "freshness": {"searchable": seconds, "recallable": seconds},
            "feed": {"added": 2, "not_added": 0, "errors": 0, "last_error": None},
        }
