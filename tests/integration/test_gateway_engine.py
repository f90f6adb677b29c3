"""The gateway's engine over a real model server and real stores, with models whose answers are known by hand."""

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))
import online_models as shop
from served_models import Client, running

from serving.embedding_index.errors import IndexUnavailable
from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex
from serving.encoder_service.config import EncoderServiceConfig
from serving.encoder_service.remote_encoder import open_channel
from serving.encoder_service.worker import Workers
from serving.gateway.config import GatewayConfig
from serving.gateway.engine import Engine
from serving.gateway.errors import Unavailable, UnknownItem
from serving.gateway.model_client import ModelClient
from serving.gateway.requests import Behavior, RecommendRequest, SimilarRequest
from serving.item_queue.new_item import NewItem
from serving.item_queue.sqlite_item_queue import SqliteItemQueue
from serving.item_store.errors import ItemStoreUnavailable
from serving.item_store.lmdb_item_store import LmdbItemStore
from transforms.input_error import InputError

I0, I1, I2, I3, I4, I5 = shop.SHOP
# Polls often, and has patience with a busy machine.
CONFIG = GatewayConfig(
    request_timeout_seconds=30,
    recall_timeout_seconds=20,
    reorder_timeout_seconds=20,
    rank_timeout_seconds=20,
    encode_timeout_seconds=20,
    store_timeout_seconds=10,
    release_poll_seconds=0.05,
    feed_poll_seconds=0.02,
)
# Red as i0 is, named as i2 is, and of i3's category.
NEW = shop.ShopItem("n0", "c1", "s0", "blue blue thing", shop.RED)


@dataclass
class Gateway:
    """An engine, and everything that it stands on."""

    root: Path
    engine: Engine
    index: LmdbEmbeddingIndex
    items: LmdbItemStore
    queue: SqliteItemQueue
    server: Client

    def announce(self, *items: shop.ShopItem, version: str = "1", factor: float = 1.0) -> None:
        """Does what putting items and the encoder service do."""
        self.items.put([each.stored for each in items], {each.item_id: each.image for each in items})
        for modality in shop.MODALITIES:
            self.index.put(version, modality, shop.vectors_of(items, modality, factor), announce=True)


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pushed") / "serving"
    shop.push_all(root)
    return root


@pytest.fixture
def root(pushed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pushed, tmp_path / "serving"))


@pytest.fixture
def gateway(root: Path) -> Iterator[Gateway]:
    with opened(root) as gateway:
        yield gateway


@contextmanager
def opened(
    root: Path,
    config: GatewayConfig = CONFIG,
    models: Sequence[str] = shop.MODELS,
    observe: Callable[[str, Sequence[float]], None] = lambda _stage, _seconds: None,
) -> Iterator[Gateway]:
    with ExitStack() as stack:
        index = LmdbEmbeddingIndex(root.parent / "index", max_bytes=1 << 26)
        items = LmdbItemStore(root.parent / "items", max_bytes=1 << 26)
        queue = SqliteItemQueue(root.parent / "queue.db")
        stack.callback(index.close)
        stack.callback(items.close)
        shop.fill_stores(index, items)
        server = stack.enter_context(running(shop.server_models(root, models)))
        client = ModelClient(stack.enter_context(open_channel(f"127.0.0.1:{server.server.grpc_port}")), 0.2)
        engine = Engine(config, root, client, index, items, queue, observe)
        engine.start()
        stack.callback(engine.stop)
        if "recall" in models:
            wait_for(lambda: not engine.readiness())
        wait_for(lambda: engine.status()["searchable"] == {"image": 5, "text": 5})
        yield Gateway(root, engine, index, items, queue, server)


def wait_for(holds: Callable[[], Any], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.01)


def behavior(item: shop.ShopItem) -> Behavior:
    return Behavior(item.item_id, item.category_id, item.shop_id)


def asked(*behaviors: shop.ShopItem, gender: str = "f", **options: Any) -> RecommendRequest:
    return RecommendRequest({"gender": gender}, [behavior(each) for each in behaviors], **options)


def scores(answer: Any) -> dict[str, float]:
    return {ad.item_id: ad.score for ad in answer.ads}


def test_ranks_what_is_recalled_with_content_and_features(gateway: Gateway) -> None:
    answer = gateway.engine.recommend(asked(I0, I3))
    expected = {each.item_id: shop.click_probability(each, [I0, I3], "f") for each in shop.SHOP}
    assert scores(answer) == pytest.approx(expected, abs=1e-6)
    assert [ad.item_id for ad in answer.ads] == sorted(expected, key=lambda each: -expected[each])
    assert answer.degraded == [] and answer.ranked_by == "ctr"
    # A behavior of c0 and one of c1; 10 less for those that the user has had.
    assert {ad.item_id: ad.recall_score for ad in answer.ads} == {
        "i0": -9, "i1": 1, "i2": 1, "i3": -9, "i4": 0, "i5": 0,
    }  # fmt: skip
    assert {ad.item_id: ad.recall_rank for ad in answer.ads} == {
        "i1": 1, "i2": 2, "i4": 3, "i5": 4, "i0": 5, "i3": 6,
    }  # fmt: skip
    assert [ad.rank for ad in answer.ads] == [1, 2, 3, 4, 5, 6]
    first = {ad.item_id: ad for ad in answer.ads}["i3"]
    assert (first.title, first.category_id, first.shop_id) == ("red blue hat", "c1", "s1")
    assert answer.versions == {"recall": "1", "ctr": "1", "image_encoder": "1", "text_encoder": "1"}
    assert set(answer.timings_ms) == {"recall", "retrieve", "reorder", "items", "embeddings", "rank"}


def test_a_missing_feature_and_no_behaviors(gateway: Gateway) -> None:
    answer = gateway.engine.recommend(RecommendRequest({}, k=2))
    expected = {each.item_id: shop.click_probability(each) for each in shop.SHOP}
    best = sorted(expected, key=lambda each: -expected[each])[:2]
    assert scores(answer) == pytest.approx({each: expected[each] for each in best}, abs=1e-6)


def test_looks_up_what_behaviors_do_not_say(gateway: Gateway) -> None:
    bare = RecommendRequest({"gender": "f"}, [Behavior("i0"), Behavior("i3", shop_id="other")])
    assert scores(gateway.engine.recommend(bare)) == pytest.approx(
        scores(gateway.engine.recommend(asked(I0, I3))), abs=1e-6
    )
    # An unknown behavior counts for nothing.
    bare = RecommendRequest({"gender": "f"}, [*bare.behaviors, Behavior("unknown")])
    assert not gateway.engine.recommend(bare).degraded


def test_ranks_only_the_best_that_are_recalled(root: Path) -> None:
    with opened(root, replace(CONFIG, num_retrieved=4, num_ranked=2)) as gateway:
        answer = gateway.engine.recommend(asked(I0, I3))
        # Retrieved are the four of c0 and c1; after reordering i1 and i2 lead.
        assert {ad.item_id for ad in answer.ads} == {"i1", "i2"}


def test_blocked_items_and_those_that_are_ranked_in_any_case(gateway: Gateway) -> None:
    request = asked(I0, k=2, blocked_item_ids=["i1", "unknown"], also_rank=["i1", "unknown", "i0", "i1"])
    answer = gateway.engine.recommend(request)
    plain = gateway.engine.recommend(asked(I0, k=2, blocked_item_ids=["i1"]))
    assert [ad.item_id for ad in answer.ads[:2]] == [ad.item_id for ad in plain.ads]
    behind = {ad.item_id: ad for ad in answer.ads[2:]}
    assert set(behind) | {"i0"} == {"i1", "unknown", "i0"}
    assert all(ad.also_ranked for ad in behind.values())
    assert behind["i1"].recall_score is None
    assert behind["i1"].score == pytest.approx(shop.click_probability(I1, [I0], "f"), abs=1e-6)
    unknown = shop.ShopItem("unknown", "", "", None, None)
    assert behind["unknown"].score == pytest.approx(shop.click_probability(unknown, [I0], "f"), abs=1e-6)


def test_explains(gateway: Gateway) -> None:
    answer = gateway.engine.recommend(asked(I0, I4, explain=True, also_rank=["unknown"]))
    why = {ad.item_id: ad.why for ad in answer.ads}
    half = pytest.approx(0.5**0.5)
    assert why["i3"].content == {"image": "index", "text": "index"}
    # Magenta and red; i4 has no picture. [1, 0, 1] and [1, 0, 0]; [0, 1, 0].
    assert why["i3"].similarities == {"image": [half, None], "text": [half, 0.0]}
    # Four tiers: [-1, -0.5), [-0.5, 0), [0, 0.5), [0.5, 1].
    assert why["i3"].tiers == {"image": [0, 0, 0, 1], "text": [0, 0, 1, 1]}
    assert why["i4"].content == {"image": "none", "text": "index"}
    assert why["i4"].similarities["image"] == [None, None]
    assert why["unknown"].content == {"image": "model", "text": "model"}


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ({"gendre": "f"}, "request.user must have features among gender, user_id, got 'gendre'; did you mean 'gender'?"),
        ({"gender": 1.0}, "request.user.gender must be a text, got 1.0"),
    ],
)  # fmt: skip
def test_refuses_features_that_no_model_takes(gateway: Gateway, user: dict, message: str) -> None:
    with pytest.raises(InputError) as error:
        gateway.engine.recommend(RecommendRequest(user))
    assert str(error.value) == message


def test_similar_items(gateway: Gateway) -> None:
    by_item = gateway.engine.similar(SimilarRequest(item_id="i0", k=2))
    half, third = 0.5**0.5, 3**-0.5
    assert by_item.modality == "image" and by_item.version == "1"
    # Red is nearer to magenta than to white.
    assert [(each.item_id, each.similarity) for each in by_item.items] == [
        ("i3", pytest.approx(half)), ("i5", pytest.approx(third)),
    ]  # fmt: skip
    assert by_item.items[0].title == "red blue hat"
    by_text = gateway.engine.similar(SimilarRequest(text="a blue and red coat", k=1))
    assert [(each.item_id, each.similarity) for each in by_text.items] == [("i3", pytest.approx(1.0))]
    by_picture = gateway.engine.similar(SimilarRequest(image=shop.picture(shop.GREEN), k=1))
    assert [(each.item_id, each.similarity) for each in by_picture.items] == [("i1", pytest.approx(1.0))]
    assert gateway.engine.similar(SimilarRequest(item_id="i4")).modality == "text"
    assert gateway.engine.similar(SimilarRequest(item_id="i0", modality="text")).modality == "text"
    with pytest.raises(UnknownItem):
        gateway.engine.similar(SimilarRequest(item_id="i4", modality="image"))
    with pytest.raises(InputError, match="JPEG, PNG or WebP"):
        gateway.engine.similar(SimilarRequest(image=b"no picture"))
    with pytest.raises(InputError, match="at least one word"):
        gateway.engine.similar(SimilarRequest(text=" "))


def test_a_new_item_is_found_and_ranked_with_its_own_content(root: Path) -> None:
    observed: list[tuple[str, int]] = []
    with opened(root, observe=lambda stage, seconds: observed.append((stage, len(seconds)))) as gateway:
        engine, stop = gateway.engine, threading.Event()
        with open_channel(f"127.0.0.1:{gateway.server.server.grpc_port}") as channel:
            config = EncoderServiceConfig(workers=1, poll_seconds=0.02)
            workers = Workers(gateway.queue, gateway.index, channel, config)
            thread = threading.Thread(target=workers.run, args=(stop,))
            thread.start()
            try:
                put(gateway, NEW)
                assert engine.item("n0").modalities == {"image": "waiting", "text": "waiting"}
                wait_for(lambda: engine.item("n0").recallable and engine.item("n0").searchable)
                wait_for(lambda: set(engine.item("n0").modalities.values()) == {"ready"})
                wait_for(lambda: len(observed) == 2)
            finally:
                stop.set()
                thread.join()
        found = engine.similar(SimilarRequest(image=shop.picture(shop.RED), k=2))
        assert {each.item_id for each in found.items} == {"i0", "n0"}
        answer = engine.recommend(asked(I2))
        assert scores(answer)["n0"] == pytest.approx(shop.click_probability(NEW, [I2], "f"), abs=1e-6)
        # As a behavior it brings its own picture: red with red 1, and one behavior of c1.
        recall_scores = {ad.item_id: ad.recall_score for ad in engine.recommend(asked(NEW)).ads}
        assert recall_scores == pytest.approx(
            # n0: 1 + 1 - 10, and 0.5 for two "blue" with two.
            {"i0": 1, "i1": 0, "i2": 1, "i3": 2, "i4": 0, "i5": 1, "n0": -8 + 0.5 * 4}
        )
        assert sorted(observed) == [("recallable", 1), ("searchable", 1)]
        status = engine.status()
        assert status["searchable"] == {"image": 6, "text": 6} and status["recallable"] == 7
        assert status["freshness"]["recallable"]["items"] == 1
        assert status["feed"] == {"added": 3, "not_added": 0, "errors": 0, "last_error": None}


def put(gateway: Gateway, item: shop.ShopItem) -> None:
    new = NewItem(item.item_id, item.image, item.title, item.category_id, item.shop_id, time.time())
    gateway.engine.put_item(new, {})


def nearest(engine: Engine, color: tuple[int, int, int]) -> set[str]:
    """The two items that are most like a color."""
    return {each.item_id for each in engine.similar(SimilarRequest(image=shop.picture(color), k=2)).items}


def test_a_changed_item_and_one_that_loses_its_picture(gateway: Gateway) -> None:
    engine = gateway.engine
    green = replace(I0, color=shop.GREEN)
    gateway.announce(green)
    wait_for(lambda: nearest(engine, shop.GREEN) == {"i0", "i1"})
    found = engine.similar(SimilarRequest(image=shop.picture(shop.RED), k=6)).items
    assert [each.similarity for each in found if each.item_id == "i0"] == [pytest.approx(0.0)]
    gateway.announce(replace(I0, color=None))
    wait_for(lambda: engine.status()["searchable"]["image"] == 4)
    found = engine.similar(SimilarRequest(image=shop.picture(shop.GREEN), k=6)).items
    assert "i0" not in {each.item_id for each in found}
    gateway.announce(I0)
    wait_for(lambda: engine.status()["searchable"]["image"] == 5)


def test_more_new_items_than_there_is_room_for(root: Path) -> None:
    with opened(root, replace(CONFIG, max_added_items=3, feed_batch=2)) as gateway:
        many = [replace(NEW, item_id=f"n{number}") for number in range(5)]
        gateway.announce(*many)
        # There is room for three; the others come in when all is read anew. Recall has room for all five.
        wait_for(lambda: gateway.engine.status()["searchable"] == {"image": 10, "text": 10})
        wait_for(lambda: gateway.engine.status()["recallable"] == 11)
        wait_for(lambda: gateway.engine.status()["feed"]["not_added"] == 0)
        # One that is in may still change.
        gateway.announce(replace(many[0], color=shop.WHITE))
        wait_for(lambda: nearest(gateway.engine, shop.WHITE) == {"i5", "n0"})
        assert not gateway.engine.recommend(asked(I0)).degraded


def test_without_ranking_recall_decides(root: Path) -> None:
    with opened(root, models=("recall", "image_encoder", "text_encoder")) as gateway:
        answer = gateway.engine.recommend(asked(I0, I3, k=3, also_rank=["unknown"], explain=True))
        assert [ad.item_id for ad in answer.ads] == ["i1", "i2", "i4", "unknown"]
        assert {ad.score for ad in answer.ads} == {None} and {ad.rank_by for ad in answer.ads} == {"recall"}
        assert [ad.recall_score for ad in answer.ads] == [1, 1, 0, None]
        assert answer.degraded == ["ranking"] and answer.ranked_by == "recall"
        assert answer.ads[0].why is not None and answer.ads[0].why.similarities["image"] == [0.0, 0.0]


def test_without_recall_there_is_no_answer(root: Path) -> None:
    with opened(root, models=("ctr", "image_encoder", "text_encoder")) as gateway:
        # What everybody may read has no addresses.
        wait_for(lambda: gateway.engine.readiness() == ["recall is not available"])
        assert "NOT_FOUND" in gateway.engine.status()["reasons"][0]
        with pytest.raises(Unavailable, match="recall does not answer"):
            gateway.engine.recommend(asked(I0))
        assert gateway.engine.similar(SimilarRequest(item_id="i0", k=1)).items[0].item_id == "i3"


def test_without_the_embedding_index_scores_lack_content(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise IndexUnavailable("the disk is gone")

    monkeypatch.setattr(gateway.index, "get_version", fail)
    answer = gateway.engine.recommend(asked(I0))
    expected = {each.item_id: shop.click_probability(each, [I0], "f", modalities=()) for each in shop.SHOP}
    assert answer.degraded == ["embeddings"] and scores(answer) == pytest.approx(expected, abs=1e-6)


def test_an_item_store_that_hangs_costs_its_time_and_then_none(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(root, replace(CONFIG, store_timeout_seconds=0.1)) as gateway:
        released = threading.Event()
        monkeypatch.setattr(gateway.items, "get", lambda _: released.wait(5) and [])
        bare = [replace(each, price=None, category_id="") for each in shop.SHOP]
        for _ in range(4):
            started = time.monotonic()
            answer = gateway.engine.recommend(asked(I0))
            seconds = time.monotonic() - started
            assert answer.degraded == ["items"] and answer.ads[0].title is None
            expected = {each.item_id: shop.click_probability(each, [I0], "f") for each in bare}
            assert scores(answer) == pytest.approx(expected, abs=1e-6)
        # After three that waited in vain the store is left alone.
        assert seconds < 0.1
        released.set()
        monkeypatch.undo()
        wait_for(lambda: not gateway.engine.recommend(asked(I0)).degraded)


def test_an_item_store_that_fails_is_the_gateways_outage_where_nothing_replaces_it(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ItemStoreUnavailable("gone")

    for name in ("get", "put", "image", "first", "count"):
        monkeypatch.setattr(gateway.items, name, fail)
    for call in (
        lambda: gateway.engine.item("i0"),
        lambda: gateway.engine.image("i0"),
        lambda: gateway.engine.list_items(3),
        lambda: put(gateway, NEW),
    ):
        with pytest.raises(Unavailable, match="gone|did not answer"):
            call()
    assert gateway.queue.waiting() == 0 and gateway.engine.status()["items"] is None


def test_items_that_cannot_be_put(gateway: Gateway) -> None:
    with pytest.raises(InputError, match="expected a picture or a title"):
        gateway.engine.put_item(NewItem("n", None, " ", "", "", 0.0), {})
    with pytest.raises(InputError, match="item feature price must be a number, got 'much'"):
        gateway.engine.put_item(NewItem("n", None, "red", "", "", 0.0), {"price": "much"})
    with pytest.raises(UnknownItem):
        gateway.engine.item("n")


def test_reads_items(gateway: Gateway) -> None:
    engine = gateway.engine
    answer = engine.item("i4")
    assert answer.item == I4.stored and not answer.has_image
    assert answer.modalities == {"image": "none", "text": "ready"}
    assert answer.searchable and answer.recallable
    assert [each.item_id for each in engine.list_items(2, "i1")] == ["i2", "i3"]
    assert engine.image("i0") == I0.image
    with pytest.raises(UnknownItem):
        engine.image("i4")
    assert [list(each["behaviors"]) for each in engine.sample_users()] == [
        [
            {"item_id": "i0", "category_id": "c0", "shop_id": "s0"},
            {"item_id": "i1", "category_id": "c0", "shop_id": "s1"},
        ]
    ]


def test_pushes_cost_no_request(root: Path) -> None:
    """New versions of both models under load: one of IDs alone, and back, and one without reordering."""
    with opened(root) as gateway, load(gateway.engine) as answers:
        gateway.announce(NEW)
        wait_for(lambda: len(answers) > 5)
        shop.push_ctr(root, 2, bias=1.0, modalities=(), price=False)
        wait_for(lambda: gateway.engine.status()["versions"]["ctr"] == "2")
        expected = shop.click_probability(replace(I1, price=None), [I0], "f", bias=1.0, modalities=())
        assert scores(gateway.engine.recommend(asked(I0)))["i1"] == pytest.approx(expected, abs=1e-6)
        shop.push_recall(root, 2, [*shop.SHOP, replace(I0, item_id="i6")], modalities=(), reorders=False)
        wait_for(lambda: gateway.engine.status()["versions"]["recall"] == "2")
        shop.push_ctr(root, 3, bias=-1.0)
        wait_for(lambda: gateway.engine.status()["versions"]["ctr"] == "3")
        wait_for(lambda: gateway.engine.status()["recallable"] == 8)
        answer = gateway.engine.recommend(asked(I0))
        recall_scores = {ad.item_id: ad.recall_score for ad in answer.ads}
        # One behavior of c0; nothing is taken from what the user has had. The new item is in the new index, too.
        assert recall_scores == {"i0": 1, "i1": 1, "i6": 1, "i2": 0, "i3": 0, "i4": 0, "i5": 0, "n0": 0}
        assert scores(answer)["n0"] == pytest.approx(shop.click_probability(NEW, [I0], "f", -1.0), abs=1e-6)
    seen = {(each.versions["recall"], each.versions["ctr"]) for each in answers}
    assert {recall for recall, _ in seen} == {"1", "2"} and {ctr for _, ctr in seen} == {"1", "2", "3"}
    assert {part for each in answers for part in each.degraded} <= {"reorder", "embeddings"}
    # A request during which a model is switched may do without; there are few.
    assert sum(bool(each.degraded) for each in answers) <= 4


@contextmanager
def load(engine: Engine) -> Iterator[list[Any]]:
    """Two callers in a closed loop; an error of theirs fails the test."""
    answers: list[Any] = []
    problems: list[Exception] = []
    stop = threading.Event()

    def call() -> None:
        while not stop.is_set():
            try:
                answers.append(engine.recommend(asked(I0)))
            except Exception as error:  # noqa: BLE001 - it is reported below
                problems.append(error)

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not problems


def test_a_new_encoder_version_is_switched_to_as_a_whole(root: Path) -> None:
    with opened(root) as gateway:
        engine = gateway.engine
        gateway.announce(NEW)
        wait_for(lambda: engine.status()["recallable"] == 7)
        for modality in shop.MODALITIES:
            shop.push_encoder(root, modality, 2, factor=2.0)
            gateway.index.put("2", modality, shop.vectors_of(shop.SHOP, modality, 2.0))
        gateway.announce(NEW, version="2", factor=2.0)
        shop.write_release(root, 2, encoders={"image": 2, "text": 2}, factor=2.0)
        # The release says that these models were made with encoders of version 2, which are not served yet.
        wait_for(lambda: engine.recommend(asked(I0)).degraded == ["embeddings"])
        expected = shop.click_probability(I1, [I0], "f", modalities=())
        assert scores(engine.recommend(asked(I0)))["i1"] == pytest.approx(expected, abs=1e-6)
        for modality in shop.MODALITIES:
            gateway.index.serve(modality, "2")
        wait_for(lambda: not engine.recommend(asked(I0)).degraded)
        answer = engine.recommend(asked(I0))
        assert answer.versions["image_encoder"] == "2" and answer.versions["text_encoder"] == "2"
        wait_for(lambda: engine.similar(SimilarRequest(item_id="i0", k=1)).version == "2")
        wait_for(lambda: gateway.server.states("image_encoder")[0] == (2, 30))
        # The new item is there, with its vector of the new encoder: twice as long, as a behavior's is.
        wait_for(lambda: engine.item("n0").recallable and engine.item("n0").searchable)
        wait_for(
            lambda: (
                {ad.item_id: ad.recall_score for ad in engine.recommend(asked(NEW)).ads}["n0"]
                == 1 + 4 - 10 + 8
            )
        )
        gateway.index.drop("image", "1")
        assert engine.similar(SimilarRequest(image=shop.picture(shop.RED), k=1)).items[0].item_id in (
            "i0",
            "n0",
        )


def test_models_that_are_pushed_before_their_encoders_vectors_are_served(gateway: Gateway) -> None:
    """Nothing but the models' own words tells that they were made with other encoders than the index serves."""
    engine = gateway.engine
    gateway.announce(NEW)
    wait_for(lambda: engine.status()["recallable"] == 7)
    other = {"image": "image 2", "text": "text 2"}
    shop.push_ctr(gateway.root, 2, encoders=other)
    wait_for(lambda: engine.status()["versions"]["ctr"] == "2")
    answer = engine.recommend(asked(I0))
    without = {each.item_id: shop.click_probability(each, [I0], "f", modalities=()) for each in shop.SHOP}
    assert answer.degraded == ["embeddings"]
    assert {name: score for name, score in scores(answer).items() if name != "n0"} == pytest.approx(
        without, abs=1e-6
    )
    shop.push_recall(gateway.root, 2, encoders=other)
    wait_for(lambda: engine.status()["versions"]["recall"] == "2")
    # The new item is recalled by its columns: of c1, like the behavior, and it was had; its picture is in neither.
    wait_for(lambda: engine.status()["recallable"] == 7)
    recall_scores = {ad.item_id: ad.recall_score for ad in engine.recommend(asked(NEW)).ads}
    assert recall_scores == {"i0": 0, "i1": 0, "i2": 1, "i3": 1, "i4": 0, "i5": 0, "n0": 1 - 10}
    shop.push_ctr(gateway.root, 3, encoders={"image": "image 1", "text": "text 1"})
    wait_for(lambda: engine.status()["versions"]["ctr"] == "3")
    expected = shop.click_probability(I1, [I0], "f")
    assert scores(engine.recommend(asked(I0)))["i1"] == pytest.approx(expected, abs=1e-6)


def test_a_catalog_that_is_published_is_searched(gateway: Gateway) -> None:
    for modality in shop.MODALITIES:
        gateway.index.put("1", modality, shop.vectors_of([NEW], modality))
    time.sleep(0.2)
    assert gateway.engine.status()["searchable"] == {"image": 5, "text": 5}
    gateway.items.set_mark("published", "2")
    wait_for(lambda: gateway.engine.status()["searchable"] == {"image": 6, "text": 6})


def test_of_two_who_put_an_item_at_once_one_wins_everywhere(tmp_path: Path) -> None:
    index, items = LmdbEmbeddingIndex(tmp_path / "index", 1 << 24), LmdbItemStore(tmp_path / "items", 1 << 24)
    queue = SqliteItemQueue(tmp_path / "q.db")
    first = NewItem("n", shop.picture(shop.RED), "red", "c0", "s", 1.0)
    second = NewItem("n", shop.picture(shop.GREEN), None, "c1", "s", 2.0)
    put = queue.put

    def put_late(item: NewItem) -> None:
        queue.put = put  # type: ignore[method-assign]
        engine.put_item(second, {"price": 2.5})
        put(item)

    queue.put = put_late  # type: ignore[method-assign]
    with open_channel("127.0.0.1:1") as channel:
        engine = Engine(CONFIG, tmp_path, ModelClient(channel), index, items, queue)
        try:
            engine.put_item(first, {"price": 1.5})
        finally:
            engine.stop()
    (claim,) = queue.claim("worker", 10, 60.0)
    assert claim.item.image == items.image("n") == second.image and claim.item.title is None
    index.close()
    items.close()


def test_a_modality_without_an_encoder_and_a_queue_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, items = LmdbEmbeddingIndex(tmp_path / "index", 1 << 24), LmdbItemStore(tmp_path / "items", 1 << 24)
    queue, released = SqliteItemQueue(tmp_path / "q.db"), threading.Event()
    monkeypatch.setattr(queue, "waiting", lambda: released.wait(5) and 0)
    index.put("1", "image", shop.vectors_of(shop.SHOP, "image"))
    index.serve("image", "1")
    with open_channel("127.0.0.1:1") as channel:
        config = replace(CONFIG, store_timeout_seconds=0.2)
        engine = Engine(config, tmp_path, ModelClient(channel), index, items, queue)
        engine.start()
        try:
            wait_for(lambda: engine.status()["searchable"]["image"] == 5)
            started = time.monotonic()
            assert engine.status()["queue"] == {"waiting": None, "oldest_seconds": None}
            assert time.monotonic() - started < 2
            engine.put_item(NewItem("n", None, "red", "c", "s", time.time()), {})
            assert engine.item("n").modalities == {"image": "none", "text": "none"}
        finally:
            released.set()
            engine.stop()
            index.close()
            items.close()


def test_before_anything_is_pushed(tmp_path: Path) -> None:
    root = tmp_path / "serving"
    root.mkdir()
    index, items = LmdbEmbeddingIndex(tmp_path / "index", 1 << 24), LmdbItemStore(tmp_path / "items", 1 << 24)
    with open_channel("127.0.0.1:1") as channel:
        engine = Engine(CONFIG, root, ModelClient(channel), index, items, SqliteItemQueue(tmp_path / "q.db"))
        engine.start()
        try:
            wait_for(lambda: engine.readiness() == ["no release is pushed yet"])
            assert engine.status()["reasons"] == [
                f"no release is pushed yet: expected {root / 'release.json'}"
            ]
            with pytest.raises(Unavailable, match="no release is pushed yet"):
                engine.recommend(asked(I0))
            with pytest.raises(Unavailable, match="there are no image vectors yet"):
                engine.similar(SimilarRequest(image=shop.picture(shop.RED)))
            assert engine.status()["ready"] is False and engine.sample_users() == []
        finally:
            engine.stop()
            index.close()
            items.close()


def test_a_release_without_recall_ranks_what_it_is_told(root: Path) -> None:
    shutil.rmtree(root / "recall")
    shop.write_release(root, 2, recall=None)
    with opened(root, models=("ctr", "image_encoder", "text_encoder")) as gateway:
        wait_for(lambda: not gateway.engine.readiness())
        answer = gateway.engine.recommend(asked(I0, also_rank=["i1", "i2"]))
        expected = {each.item_id: shop.click_probability(each, [I0], "f") for each in (I1, I2)}
        assert scores(answer) == pytest.approx(expected, abs=1e-6)
        with pytest.raises(Unavailable, match="has no recall model"):
            gateway.engine.recommend(asked(I0))


def test_vectors_of_another_dim_are_not_sent(root: Path) -> None:
    shop.write_release(root, 2, encoders={"image": 2, "text": 1})
    with opened(root) as gateway:
        gateway.index.put("2", "image", {each.item_id: np.ones(5, np.float32) for each in shop.SHOP})
        gateway.index.serve("image", "2")
        wait_for(lambda: gateway.engine.status()["versions"]["image_encoder"] == "2")
        answer = gateway.engine.recommend(asked(I0))
        expected = shop.click_probability(I1, [I0], "f", modalities=["text"])
        assert answer.degraded == ["embeddings"] and scores(answer)["i1"] == pytest.approx(expected, abs=1e-6)
