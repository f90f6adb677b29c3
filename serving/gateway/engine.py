"""What answers recommend and similar, and takes new items."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.gateway.answers import ItemAnswer, RecommendAnswer, SimilarAnswer
from serving.gateway.arrivals import Arrivals, Observe
from serving.gateway.bounded_calls import BoundedCalls
from serving.gateway.columns import check_item_features
from serving.gateway.config import GatewayConfig
from serving.gateway.current_release import CurrentRelease
from serving.gateway.errors import PartUnavailable, Unavailable, UnknownItem
from serving.gateway.live_index import LiveIndex
from serving.gateway.model_client import ModelClient
from serving.gateway.model_watch import ModelWatch
from serving.gateway.periodic import Periodic, Step
from serving.gateway.ranker import Ranker
from serving.gateway.recall_version import RecallVersion
from serving.gateway.recaller import Recaller
from serving.gateway.recommender import Recommender
from serving.gateway.requests import RecommendRequest, SimilarRequest
from serving.gateway.similar_items import SimilarItems
from serving.gateway.similar_search import SimilarSearch
from serving.gateway.stores import MODALITIES, Stores
from serving.item_queue.dead_letter import DeadLetter
from serving.item_queue.errors import QueueUnavailable
from serving.item_queue.item_queue import ItemQueue
from serving.item_queue.new_item import NewItem
from serving.item_store.errors import ItemStoreError
from serving.item_store.item_store import ItemStore
from serving.item_store.stored_item import StoredItem
from transforms.input_error import InputError

Answer = TypeVar("Answer")

# Who puts an item while another one does sees to it that the queue ends with what the store has.
_MAX_PUTS = 5
_PUBLISHED = "published"


class Engine:
    """The gateway without HTTP. All methods may be called from several threads.

    Errors of all methods that answer: `InputError`, the request is wrong (400); `UnknownItem` (404); `QueueFull`
    (503, with Retry-After); `Unavailable`, a part without which there is no answer does not answer, or nothing is
    pushed yet (503); `TimedOut`, an `Unavailable` too, where the request's time is over (504).

    Args:
        config: names of models, sizes, timeouts.
        serving_root: the folder that has `release.json` and, by the models' names, their base paths.
        models: the model server.
        index: the embeddings.
        items: the items' columns, pictures and titles.
        queue: where new items go.
        observe: called with "searchable" or "recallable" and the seconds that each of some new items took from
            `put_item` to it; for metrics.
    """

    def __init__(
        self,
        config: GatewayConfig,
        serving_root: Path,
        models: ModelClient,
        index: EmbeddingIndex,
        items: ItemStore,
        queue: ItemQueue,
        observe: Observe = lambda _stage, _seconds: None,
    ) -> None:
        self._config, self._index, self._items, self._queue = config, index, items, queue
        self._arrivals = Arrivals(observe)
        self._release = CurrentRelease(serving_root, config)
        self._stores = Stores(config, index, items)
        self._similar = {each: SimilarItems(each, index, config, self._arrivals) for each in MODALITIES}
        self._live = LiveIndex(
            serving_root / config.recall_model,
            functools.partial(
                RecallVersion,
                served=self._stores.served,
                fits=functools.partial(self._release.fits, "recall"),
                models=models,
                index=index,
                items=items,
                config=config,
                arrivals=self._arrivals,
            ),
        )
        self._watch = ModelWatch(config, models, self._live, self._release)
        recaller = Recaller(config, models, self._live, self._similar, self._release)
        ranker = Ranker(config, models, self._release)
        self._recommender = Recommender(config, models, self._stores, recaller, ranker, self._release)
        self._search = SimilarSearch(config, models, self._stores, self._similar)
        limits = 1, config.store_timeout_seconds, config.outage_seconds
        self._queue_calls = BoundedCalls("the queue", (QueueUnavailable,), *limits)
        # Apart from the requests' reads: that a mark can be read does not say that items can.
        self._mark_calls = BoundedCalls("the item store's mark", (ItemStoreError,), *limits)
        self._published: str | None = None
        self._feed = Periodic("new items", config.feed_poll_seconds, self._feed_steps)
        self._refresh = Periodic("models and release", config.release_poll_seconds, self._refresh_steps)

    def start(self) -> None:
        """Begins to follow releases, models and new items in threads, and returns; see `readiness`."""
        self._refresh.start()
        self._feed.start()

    def stop(self) -> None:
        """Ends these threads; the parts that were given stay open."""
        self._feed.stop()
        self._refresh.stop()
        self._stores.close()
        self._queue_calls.close()
        self._mark_calls.close()

    def readiness(self) -> list[str]:
        """Why nothing can be answered yet, a line each; empty from when something can. Waits for nothing."""
        return self._watch.readiness()

    def recommend(self, request: RecommendRequest) -> RecommendAnswer:
        """The ads that a user is most likely to click.

        Raises:
            InputError: a feature of the user that no model knows, or a value that is no number where one is
                needed.
            Unavailable: nothing is pushed, or recall does not answer.
        """
        return self._recommender.recommend(request)

    def similar(self, request: SimilarRequest) -> SimilarAnswer:
        """The items nearest to an item, a text or a picture.

        Raises:
            UnknownItem: the item has no vector (of the modality, if one is named).
            InputError: a picture or text that cannot be encoded.
            Unavailable: the encoder does not answer, or there are no vectors yet.
        """
        return self._search.search(request)

    def put_item(self, item: NewItem, features: Mapping[str, str | float]) -> None:
        """Takes a new or changed item: it is in the item store and in the queue when this returns.

        If the queue does not take it, the store has the new columns already; whoever puts tries again. Of two who
        put an item at once one wins, in the store and then in the queue.

        Args:
            item: `introduced_at` is the time at which it was received.
            features: the raw columns of the item's side beyond category and shop.
        Raises:
            InputError: it has neither a picture nor a title, or a feature is no number where a model wants one.
            QueueFull: the queue has no room.
            Unavailable: the item store or the queue does not answer.
        """
        modalities = [each for each in MODALITIES if item.content(each) is not None]
        if not modalities:
            raise InputError(f"expected a picture or a title, got neither for item {item.item_id!a:.80}")
        check_item_features(features, self._watch.item_features)
        stored = StoredItem(item.item_id, item.category_id, item.shop_id, item.title, dict(features))
        if encoded := self._encoded(modalities):
            self._arrivals.expect(item.item_id, item.introduced_at, encoded)
        try:
            self._items.put([stored], {item.item_id: item.image or None})
            self._queue_stored(item, stored)
        except (ItemStoreError, QueueUnavailable) as error:
            self._arrivals.forget(item.item_id)
            raise Unavailable(str(error)) from error
        except Exception:
            self._arrivals.forget(item.item_id)
            raise

    def _queue_stored(self, item: NewItem, stored: StoredItem | None) -> None:
        """Queues an item, and again if the store has another content by then: that one may have come before."""
        image = item.image or None
        for _ in range(_MAX_PUTS):
            self._queue.put(item)
            put = stored, image
            stored, image = self._items.get([item.item_id])[0], self._items.image(item.item_id)
            if stored is None or (stored, image) == put:
                return
            item = replace(
                item,
                image=image,
                title=stored.title,
                category_id=stored.category_id,
                shop_id=stored.shop_id,
            )

    def item(self, item_id: str) -> ItemAnswer:
        """What is known of an item. Raises UnknownItem, Unavailable."""
        item = _answer(lambda: self._stores.start_items([item_id]).wait())[0]
        if item is None:
            raise UnknownItem(f"no item {item_id!a:.80}")
        image = _answer(lambda: self._stores.items_calls.run(lambda: self._items.image(item_id)))
        has_content = {"image": image is not None, "text": bool(item.title and item.title.strip())}
        modalities = {
            each: self._modality(item_id, each) if has_content[each] else "none" for each in MODALITIES
        }
        recalled = self._live.current
        return ItemAnswer(
            item,
            has_content["image"],
            modalities,
            any(each.has(item_id) for each in self._similar.values()),
            recalled is not None and recalled.has(item_id),
        )

    def image(self, item_id: str) -> bytes:
        """The item's picture. Raises UnknownItem, also of an item without one, and Unavailable."""
        image = _answer(lambda: self._stores.items_calls.run(lambda: self._items.image(item_id)))
        if image is None:
            raise UnknownItem(f"no picture of item {item_id!a:.80}")
        return image

    def list_items(self, limit: int, after: str = "") -> list[StoredItem]:
        """Items by id, those behind `after`. Raises Unavailable."""
        return _answer(lambda: self._stores.items_calls.run(lambda: self._items.first(limit, after)))

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Items that could not be encoded, the latest first. Raises Unavailable."""
        try:
            return self._queue.dead(limit)
        except QueueUnavailable as error:
            raise Unavailable(str(error)) from error

    def sample_users(self) -> Sequence[Mapping[str, Any]]:
        """The release's: [{"user": {feature: value}, "behaviors": [{"item_id", …}]}]; none before a release."""
        release = self._release.release
        return [vars(each) for each in release.sample_users] if release is not None else []

    def status(self) -> dict[str, Any]:
        """Everything as plain values, ready for JSON; what a part does not tell is None.

        {"release": n, "ready": bool, "reasons": [in full], "items": n,
         "searchable": {"image": n, "text": n}, "recallable": n,
         "queue": {"waiting": n, "oldest_seconds": s},
         "versions": {"recall", "ctr", "image_encoder", "text_encoder"},
         "freshness": {"searchable" and "recallable": {"items", "p50_seconds", "p99_seconds", "max_seconds"}},
         "feed": {"added": n, "not_added": n, "errors": n, "last_error": str | None}}

        `added` and `not_added` are new items that the indexes took in, or had no room for, over all of them.
        """
        release, recalled, reasons = self._release.release, self._live.current, self._watch.problems()
        growing = [each.status() for each in self._similar.values()]
        if recalled is not None:
            growing.append(recalled.status())
        encoders = {f"{each}_encoder": version for each, version in self._stores.served().items()}
        return {
            "release": None if release is None else release.number,
            "ready": not reasons,
            "reasons": reasons,
            "items": _or_none(lambda: self._stores.items_calls.run(self._items.count)),
            "searchable": {name: each.status()["items"] for name, each in self._similar.items()},
            "recallable": None if recalled is None else recalled.status()["items"],
            "queue": {
                "waiting": _or_none(lambda: self._queue_calls.run(self._queue.waiting)),
                "oldest_seconds": _or_none(lambda: self._queue_calls.run(self._queue.oldest_seconds)),
            },
            "versions": {**self._watch.versions, **encoders},
            "freshness": self._arrivals.status(),
            "feed": {
                "added": sum(each["added"] for each in growing),
                "not_added": sum(each["not_added"] for each in growing),
                **self._feed.status(),
            },
        }

    def _refresh_steps(self) -> Iterator[Step]:
        yield self._release.refresh
        yield self._stores.look
        yield self._live.refresh
        yield self._watch.look
        yield self._look_at_catalog
        for modality, each in self._similar.items():
            yield functools.partial(each.refresh, self._stores.served().get(modality), self._published)

    def _feed_steps(self) -> Iterator[Step]:
        yield self._stores.look
        for each in self._similar.values():
            yield functools.partial(self._catch_up, each.follow)
        if self._live.current is not None:
            yield functools.partial(self._catch_up, self._live.current.follow)

    def _catch_up(self, follow: Callable[[], bool]) -> None:
        while follow() and not self._feed.is_stopping():
            pass

    def _look_at_catalog(self) -> None:
        self._published = self._mark_calls.run(lambda: self._items.mark(_PUBLISHED))

    def _encoded(self, modalities: Sequence[str]) -> list[str]:
        """Those of the modalities that have an encoder here, as far as is known."""
        served = self._stores.served()
        return [each for each in modalities if not served or each in served]

    def _modality(self, item_id: str, modality: str) -> str:
        """ "ready" or "waiting", of an item with content; "none" where nothing encodes it."""
        served = self._stores.served()
        version = served.get(modality)
        if served and version is None:
            return "none"
        if version is None or modality in self._arrivals.waiting(item_id):
            return "waiting"
        vector = _answer(lambda: self._stores.vector(modality, version, item_id))
        return "waiting" if vector is None else "ready"


def _answer(read: Callable[[], Answer]) -> Answer:
    """What a read gives; a store that does not answer is the gateway's outage where nothing replaces it."""
    try:
        return read()
    except PartUnavailable as error:
        raise Unavailable(str(error)) from error


def _or_none(read: Callable[[], Answer]) -> Answer | None:
    try:
        return read()
    except PartUnavailable:
        return None
