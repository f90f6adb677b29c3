"""From a release's files into real stores."""

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest
from made_release import make_release

from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex
from serving.item_queue.config import QueueConfig
from serving.item_queue.errors import QueueFull
from serving.item_queue.new_item import NewItem
from serving.item_queue.sqlite_item_queue import SqliteItemQueue
from serving.item_store.lmdb_item_store import LmdbItemStore
from serving.item_store.stored_item import StoredItem
from serving.release.healing import Healing
from serving.release.publish import publish
from serving.release.publish_config import PublishConfig
from serving.release.published import Published
from serving.release.release import Release
from serving.release.requeue import requeue
from serving.release.stopped import Stopped
from transforms.input_error import InputError

QUICK = PublishConfig(wait_seconds=0.3, poll_seconds=0.01)
ROWS = [
    {"item_id": "a", "category_id": "c1", "shop_id": "s1", "title": "red shoe", "image": b"A"},
    {"item_id": "b", "category_id": "c2", "shop_id": "s1", "title": None, "image": None, "price": 4.0},
]
VECTORS: dict[str, list[float] | None] = {"a": [1, 0], "b": None}


class Stores:
    """An index, an item store and a queue in a folder; counts what is written."""

    def __init__(self, folder: Path) -> None:
        self.index = LmdbEmbeddingIndex(folder / "index")
        self.items = LmdbItemStore(folder / "items")
        self.queue = SqliteItemQueue(folder / "queue.db", QueueConfig())
        self.writes: list[str] = []
        self._count(self.index, 2)
        self._count(self.items, 0)

    def _count(self, store: Any, place: int) -> None:
        put = store.put

        def counted(*arguments: Any, **named: Any) -> Any:
            names = [getattr(each, "item_id", each) for each in arguments[place]]
            self.writes += names
            return put(*arguments, **named)

        store.put = counted

    def publish(self, release: Release, **values: Any) -> Published:
        return publish(release, self.index, self.items, self.queue, QUICK, **values)

    def shop_puts(self, item_id: str, title: str, image: bytes = b"new") -> None:
        """What the gateway does with a new item."""
        self.items.put([StoredItem(item_id, "cn", "sn", title, {})], {item_id: image})
        self.queue.put(NewItem(item_id, image, title, "cn", "sn", 1.0))

    def encode(self, *versions: str) -> list[str]:
        """What the encoder service does: [5, picture's length] for all items in the queue, by its versions."""
        claims = self.queue.claim("worker", 100, 15)
        for claim in claims:
            vector = np.array([5, len(claim.item.image or b"")], np.float32)
            for version in versions:
                for modality in ("image", "text"):
                    self.index.put(version, modality, {claim.item.item_id: vector}, announce=True)
        self.queue.acknowledge(claims)
        return sorted(claim.item.item_id for claim in claims)

    def vectors(self, *item_ids: str) -> list[list[float] | None]:
        found = self.index.get("image", item_ids)
        assert [_plain(each) for each in self.index.get("text", item_ids)] == [_plain(each) for each in found]
        return [_plain(each) for each in found]

    def close(self) -> None:
        self.index.close()
        self.items.close()


def _plain(vector: np.ndarray | None) -> list[float] | None:
    return None if vector is None else vector.tolist()


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    opened = Stores(tmp_path / "stores")
    yield opened
    opened.close()


def test_a_release_comes_into_the_stores(stores: Stores, tmp_path: Path) -> None:
    done = stores.publish(make_release(tmp_path, 1, ROWS, VECTORS))
    assert done == Published(items=2, written=2, kept=0, queued=0, late=0)
    assert stores.items.get(["b", "a", "x"]) == [
        StoredItem("b", "c2", "s1", None, {"price": 4.0}),
        StoredItem("a", "c1", "s1", "red shoe", {}),
        None,
    ]
    assert (stores.items.image("a"), stores.items.image("b")) == (b"A", None)
    assert [stores.index.served_version(modality) for modality in ("image", "text")] == ["1", "1"]
    assert stores.vectors("a", "b") == [[1, 0], None]
    assert stores.index.known("1", "image", ["a", "b", "x"]) == [True, True, False]


def test_a_second_time_nothing_is_read_or_written(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = make_release(tmp_path, 1, ROWS, VECTORS)
    stores.publish(release)
    # The item store, and of either modality the index.
    assert sorted(stores.writes) == ["a"] * 3 + ["b"] * 3
    stores.writes.clear()

    def read(item_id: str) -> bytes | None:
        raise AssertionError("a picture is read though nothing can have changed")

    monkeypatch.setattr(stores.items, "image", read)
    assert stores.publish(release) == Published(items=0, written=0, kept=0, queued=0, late=0)
    assert stores.writes == [] and stores.queue.waiting() == 0


def test_the_mark_says_what_is_published_and_comes_last(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_release(tmp_path / "one", 1, ROWS, VECTORS)
    assert stores.items.mark("published") is None
    stores.publish(first)
    assert stores.items.mark("published") == first.identity
    assert re.fullmatch("1:[0-9a-f]{16}", first.identity)
    # It switches, but ends while late items are looked for.
    second = make_release(tmp_path / "one", 2, ROWS, VECTORS, version="2")
    stop = threading.Event()
    serve = stores.index.serve

    def serve_and_stop(modality: str, version: str) -> None:
        serve(modality, version)
        stop.set()

    monkeypatch.setattr(stores.index, "serve", serve_and_stop)
    with pytest.raises(Stopped):
        stores.publish(second, stop=stop)
    assert stores.index.served_version("image") == "2"
    assert stores.items.mark("published") == first.identity
    stores.publish(second)
    assert stores.items.mark("published") == second.identity


def test_a_root_made_anew_begins_at_one_again(stores: Stores, tmp_path: Path) -> None:
    stores.publish(make_release(tmp_path / "one", 1, ROWS, VECTORS))
    other = make_release(tmp_path / "other", 1, [{**ROWS[0], "title": "blue"}], VECTORS)
    assert stores.publish(other).written == 1
    assert stores.items.mark("published") == other.identity


def test_back_to_the_release_before_half_of_the_next(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_release(tmp_path, 1, ROWS, VECTORS)
    stores.publish(first)
    second = make_release(tmp_path, 2, [{**ROWS[0], "title": "blue"}], VECTORS)
    (Path(second.catalog) / "catalog-00001.parquet").write_bytes(b"broken")
    with pytest.raises(InputError):
        stores.publish(second)
    assert stores.publish(first).written == 1
    assert [item.title for item in stores.items.get(["a"]) if item] == ["red shoe"]


def test_only_what_has_changed_is_written(stores: Stores, tmp_path: Path) -> None:
    rows = [
        *ROWS,
        {"item_id": "c", "title": "c", "image": b"C"},
        {"item_id": "d", "title": "d", "image": b"D"},
    ]
    stores.publish(make_release(tmp_path, 1, rows, VECTORS | {"c": [3, 3], "d": [4, 4]}))
    stores.writes.clear()
    # Another title, another picture, no picture any more, and a vector that has become one.
    rows = [{**ROWS[0], "title": "blue"}, ROWS[1], {**rows[2], "image": b"C2"}, {**rows[3], "image": None}]
    vectors: dict[str, list[float] | None] = {"a": [1, 0], "b": [2, 2], "c": [3, 3], "d": None}
    done = stores.publish(make_release(tmp_path, 2, rows, vectors))
    assert (done.items, done.written) == (4, 3)
    assert sorted(stores.writes) == ["a", "b", "b", "c", "d", "d", "d"]
    assert [item.title for item in stores.items.get(["a", "c"]) if item] == ["blue", "c"]
    assert (stores.items.image("c"), stores.items.image("d")) == (b"C2", None)
    assert stores.vectors("a", "b", "c", "d") == [[1, 0], [2, 2], [3, 3], None]


def test_what_a_shop_said_later_survives_a_catalog(stores: Stores, tmp_path: Path) -> None:
    stores.publish(make_release(tmp_path, 1, ROWS, VECTORS))
    stores.shop_puts("a", "red shoe, now with laces", b"12345")
    stores.shop_puts("n", "quite new", b"123")
    assert stores.encode("1") == ["a", "n"]
    # The next catalog knows nothing of it, and has a row and a vector of the older content.
    rows = [{**ROWS[0], "title": "red"}, {**ROWS[1], "title": "b"}]
    done = stores.publish(make_release(tmp_path, 2, rows, VECTORS | {"a": [9, 9]}))
    assert done == Published(items=2, written=1, kept=1, queued=0, late=0)
    titles = [item.title for item in stores.items.get(["a", "b", "n"]) if item]
    assert titles == ["red shoe, now with laces", "b", "quite new"]
    assert (stores.items.image("a"), stores.items.image("n")) == (b"12345", b"123")
    assert stores.vectors("a", "b", "n") == [[5, 5], None, [5, 3]]
    assert stores.queue.waiting() == 0


def test_what_a_shop_said_survives_also_before_it_is_encoded(stores: Stores, tmp_path: Path) -> None:
    stores.publish(make_release(tmp_path, 1, ROWS, VECTORS))
    # The encoder service is away.
    stores.shop_puts("a", "now with laces", b"12345")
    done = stores.publish(make_release(tmp_path, 2, [{**ROWS[0], "title": "red"}], {"a": [9, 9]}))
    assert (done.written, done.kept) == (0, 1)
    assert [item.title for item in stores.items.get(["a"]) if item] == ["now with laces"]
    assert stores.items.image("a") == b"12345"
    assert stores.encode("1") == ["a"] and stores.vectors("a") == [[5, 5]]


def test_a_new_encoder_encodes_the_shops_items_before_it_is_served(stores: Stores, tmp_path: Path) -> None:
    stores.publish(make_release(tmp_path, 1, ROWS, VECTORS))
    stores.shop_puts("a", "changed", b"12345")
    stores.shop_puts("n", "new", b"123")
    stores.encode("1")
    served: list[str | None] = []
    worked = threading.Event()

    def serve_encoders() -> None:
        while not worked.wait(0.01):
            served.append(stores.index.served_version("image"))
            # Both have to be there before readers are switched.
            stores.encode("2")

    worker = threading.Thread(target=serve_encoders)
    worker.start()
    release = make_release(tmp_path, 2, ROWS, {"a": [9, 9], "b": [2, 2]}, version="2")
    done = publish(release, stores.index, stores.items, stores.queue, PublishConfig(60, poll_seconds=0.02))
    worked.set()
    worker.join()
    assert done == Published(items=2, written=0, kept=1, queued=2, late=0)
    assert served[0] == "1" and stores.index.served_version("text") == "2"
    assert stores.vectors("a", "b", "n") == [[5, 5], [2, 2], [5, 3]]
    # The queue got them as they are in the store.
    assert [item.title for item in stores.items.get(["a", "n"]) if item] == ["changed", "new"]


def test_the_wait_is_bounded_and_late_items_come_later(
    stores: Stores, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stores.publish(make_release(tmp_path, 1, ROWS, VECTORS))
    stores.shop_puts("n", "new", b"123")
    stores.encode("1")
    release = make_release(tmp_path, 2, ROWS, VECTORS, version="2")
    done = stores.publish(release)
    assert (done.queued, done.late) == (1, 1)
    assert "1 of 1 items are not encoded by image version 2, text version 2" in caplog.text
    # Nothing wrong in between, and no vector of the old encoder.
    assert stores.vectors("a", "n") == [[1, 0], None]
    assert stores.encode("2") == ["n"]
    assert stores.vectors("n") == [[5, 3]]
    assert stores.publish(release) == Published(items=0, written=0, kept=0, queued=0, late=0)


def test_items_of_two_encoders_ago_are_still_the_shops(stores: Stores, tmp_path: Path) -> None:
    for version in ("1", "2", "3"):
        stores.publish(make_release(tmp_path, int(version), ROWS, VECTORS, version))
        if version == "1":
            stores.shop_puts("a", "the shop's", b"12345")
        # As the encoder service does: by the latest.
        stores.encode(version)
    assert [item.title for item in stores.items.get(["a"]) if item] == ["the shop's"]
    assert stores.vectors("a") == [[5, 5]]


def test_old_versions_are_dropped_but_the_one_before(stores: Stores, tmp_path: Path) -> None:
    stores.index.put("by-hand", "image", {"a": None})
    # A newer encoder has been pushed, and items come in, before its release is there.
    stores.index.put("90", "image", {"a": None})
    for number, version in enumerate(("8", "9", "10"), 1):
        stores.publish(make_release(tmp_path, number, ROWS, VECTORS, version))
    assert stores.index.versions("image") == ["10", "9", "90", "by-hand"]
    assert stores.index.versions("text") == ["10", "9"]
    assert stores.index.served_version("image") == "10"


def test_the_version_that_was_served_before_is_kept(stores: Stores, tmp_path: Path) -> None:
    stores.publish(make_release(tmp_path, 1, ROWS, VECTORS, "8"))
    # Version 9 was pushed without a release, so that readers were never at it.
    stores.index.put("9", "image", {"a": None})
    release = make_release(tmp_path, 2, ROWS, VECTORS, "10")
    for _ in range(2):
        stores.publish(release)
        assert stores.index.versions("image") == ["10", "8"]


def test_late_items_are_put_again_and_old_versions_wait_for_them(stores: Stores, tmp_path: Path) -> None:
    stores.publish(make_release(tmp_path, 1, ROWS, VECTORS, "1"))
    stores.publish(make_release(tmp_path, 2, ROWS, VECTORS, "2"))
    stores.shop_puts("n", "new", b"123")
    stores.encode("1", "2")
    release = make_release(tmp_path, 3, ROWS, VECTORS, "3")
    healing = Healing(release, QUICK)
    assert stores.publish(release, healing=healing).late == 1
    # The model server does not have it yet: the item is settled, without a vector of version 3.
    stores.encode("2")
    assert stores.vectors("n") == [None] and stores.queue.waiting() == 0
    assert healing.heal(stores.index, stores.items, stores.queue, threading.Event()) == ({"n"}, set())
    assert stores.index.versions("image") == ["1", "2", "3"]
    assert stores.encode("3") == ["n"] and stores.vectors("n") == [[5, 3]]
    assert healing.heal(stores.index, stores.items, stores.queue, threading.Event()) == (set(), set())
    assert stores.queue.waiting() == 0 and stores.index.versions("image") == ["2", "3"]


def test_a_restart_finds_late_items_again(stores: Stores, tmp_path: Path) -> None:
    stores.publish(make_release(tmp_path, 1, ROWS, VECTORS))
    stores.shop_puts("a", "the shop's", b"12345")
    stores.encode("1")
    release = make_release(tmp_path, 2, ROWS, VECTORS, version="2")
    stores.publish(release)
    # Encoded by the old version alone. The catalog's vector of the new one is of an older content.
    stores.encode("1")
    assert stores.vectors("a") == [[1, 0]]
    done = stores.publish(release)
    assert (done.queued, done.late) == (1, 1)
    assert stores.encode("2") == ["a"] and stores.vectors("a") == [[5, 5]]


def test_what_cannot_be_encoded_is_not_late_forever(stores: Stores, tmp_path: Path) -> None:
    stores.publish(make_release(tmp_path, 1, ROWS, VECTORS))
    stores.shop_puts("n", "new")
    stores.encode("1")
    release = make_release(tmp_path, 2, ROWS, VECTORS, version="2")
    healing = Healing(release, QUICK)
    assert stores.publish(release, healing=healing).late == 1
    (claim,) = stores.queue.claim("worker", 1, 15)
    stores.queue.bury(claim, "the new encoder refuses it")
    assert healing.heal(stores.index, stores.items, stores.queue, threading.Event()) == (set(), set())
    assert stores.queue.waiting() == 0


def test_rounds_come_soon_while_there_is_progress_and_end(stores: Stores, tmp_path: Path) -> None:
    release = make_release(tmp_path, 1, ROWS, VECTORS)
    healing = Healing(release, PublishConfig(heal_seconds=0.001, max_heal_seconds=1_000))
    stop = threading.Event()
    assert healing.is_due()
    stores.publish(release, healing=healing)
    # One more for those that were on the way, and then no more.
    time.sleep(0.005)
    assert healing.is_due()
    healing.heal(stores.index, stores.items, stores.queue, stop)
    time.sleep(0.005)
    assert not healing.is_due()
    # Late, and nobody encodes it: 2^9 ms and more after 10 rounds.
    stores.shop_puts("n", "new")
    stores.encode("0")
    for _ in range(11):
        healing.heal(stores.index, stores.items, stores.queue, stop)
    time.sleep(0.05)
    assert not healing.is_due()


def test_an_item_that_comes_while_its_vector_is_loaded_keeps_the_newer_one(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores.publish(make_release(tmp_path, 1, ROWS, VECTORS))
    known = stores.index.known
    came: list[str] = []

    def known_later(version: str, modality: str, item_ids: Any) -> list[bool]:
        # Before the put of the catalog's vectors.
        if not came:
            came.append("a")
            stores.shop_puts("a", "just now", b"12345")
            stores.encode("1")
        return known(version, modality, item_ids)

    monkeypatch.setattr(stores.index, "known", known_later)
    done = stores.publish(make_release(tmp_path, 2, ROWS, {"a": [9, 9], "b": None}))
    assert came == ["a"] and (done.queued, stores.queue.waiting()) == (0, 0)
    assert stores.vectors("a") == [[5, 5]]


def test_a_shop_that_changes_an_item_meanwhile_has_the_last_word(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores.publish(make_release(tmp_path, 1, ROWS, VECTORS))
    stores.shop_puts("n", "new", b"123")
    stores.encode("1")
    put = stores.queue.put
    titles: list[str | None] = []

    def put_later(item: NewItem) -> None:
        if not titles:
            # The shop's write of the store, before its own entry in the queue.
            stores.items.put([StoredItem("n", "cn", "sn", "newer", {})], {"n": b"1234567"})
        titles.append(item.title)
        put(item)

    monkeypatch.setattr(stores.queue, "put", put_later)
    stores.publish(make_release(tmp_path, 2, ROWS, VECTORS, version="2"))
    # The last is of the look after the switch, for it is late.
    assert titles == ["new", "newer", "newer"]
    assert stores.encode("2") == ["n"]
    assert stores.vectors("n") == [[5, 7]]


def test_a_full_queue_makes_items_late_and_costs_no_release(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores.publish(make_release(tmp_path, 1, ROWS, VECTORS))
    stores.shop_puts("n", "new")
    stores.encode("1")

    def full(item: NewItem) -> None:
        raise QueueFull("no room")

    monkeypatch.setattr(stores.queue, "put", full)
    done = stores.publish(make_release(tmp_path, 2, ROWS, VECTORS, version="2"))
    assert (done.queued, done.late) == (0, 1)
    assert stores.index.served_version("image") == "2" and stores.items.mark("published") is not None


def test_shops_find_room_while_items_are_encoded_again(stores: Stores, tmp_path: Path) -> None:
    stores.publish(make_release(tmp_path, 1, ROWS, VECTORS))
    for number in range(5):
        stores.shop_puts(f"n{number}", "new")
    stores.encode("1")
    config = PublishConfig(wait_seconds=0.2, poll_seconds=0.01, max_waiting=3)
    release = make_release(tmp_path, 2, ROWS, VECTORS, version="2")
    done = publish(release, stores.index, stores.items, stores.queue, config)
    assert stores.queue.waiting() == 3 and (done.queued, done.late) == (3, 5)
    assert stores.encode("2") == ["n0", "n1", "n2"]
    done = publish(release, stores.index, stores.items, stores.queue, config)
    assert (done.queued, done.late) == (2, 2)


def test_items_are_no_longer_put_once_it_is_told_to_stop(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        stores.items.put([StoredItem(name, "", "", "new", {})], {})
    stop, put = threading.Event(), stores.queue.put

    def put_and_stop(item: NewItem) -> None:
        put(item)
        stop.set()

    monkeypatch.setattr(stores.queue, "put", put_and_stop)
    later = time.monotonic() + 60
    found = requeue(["unknown", "a", "b"], stores.items, stores.queue, QUICK, stop, later)
    assert found == ({"a"}, {"b"}) and stores.queue.waiting() == 1


def test_broken_entries_are_written_again(stores: Stores, tmp_path: Path) -> None:
    rows = [*ROWS, {"item_id": "n", "title": "catalog's"}]
    stores.publish(make_release(tmp_path, 1, rows, VECTORS))
    stores.shop_puts("n", "the shop's")
    stores.encode("1")
    stores.close()
    for database, keys in ((b"items", b"an"), (b"images", b"a")):
        with lmdb.open(str(tmp_path / "stores" / "items"), max_dbs=1) as environment:
            opened = environment.open_db(database)
            with environment.begin(write=True, db=opened) as transaction:
                for key in keys:
                    assert transaction.replace(bytes([key]), b"broken!!")
    again = Stores(tmp_path / "stores")
    done = again.publish(make_release(tmp_path, 2, rows, VECTORS, version="2"))
    # The shop's cannot be mended from a catalog, nor encoded again, and holds up nobody.
    assert (done.written, done.kept, done.queued, done.late) == (2, 1, 0, 0)
    assert [item and item.title for item in again.items.get(["a", "b"])] == ["red shoe", None]
    assert again.items.image("a") == b"A" and again.index.served_version("image") == "2"
    again.close()


def test_a_broken_picture_alone(stores: Stores, tmp_path: Path) -> None:
    stores.publish(make_release(tmp_path, 1, ROWS, VECTORS))
    stores.close()
    with lmdb.open(str(tmp_path / "stores" / "items"), max_dbs=1) as environment:
        opened = environment.open_db(b"images")
        with environment.begin(write=True, db=opened) as transaction:
            transaction.put(b"a", b"broken!!")
    again = Stores(tmp_path / "stores")
    assert again.publish(make_release(tmp_path, 2, ROWS, VECTORS)).written == 1
    assert again.items.image("a") == b"A"
    again.close()


def test_rows_that_the_store_refuses_are_left_out(
    stores: Stores, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"item_id": "x" * 257}, {"item_id": "c", "category_id": "\0"}, {"item_id": None}, *ROWS]
    vectors = VECTORS | {"x" * 257: [1, 1], "c": [2, 2]}
    done = stores.publish(make_release(tmp_path, 1, rows, vectors))
    assert done == Published(items=5, written=2, kept=0, queued=0, late=0, refused=3)
    assert caplog.text.count("an item of the catalog is left out: ") == 3
    assert stores.items.get(["a", "c"])[1] is None and stores.vectors("a") == [[1, 0]]


def test_embeddings_of_another_encoder_change_nothing_that_is_served(stores: Stores, tmp_path: Path) -> None:
    release = make_release(tmp_path, 1, ROWS, VECTORS)
    stores.publish(release)
    other = make_release(tmp_path, 2, ROWS, VECTORS, version="2")
    wrong = Release(3, other.ctr, None, other.encoders, other.catalog, release.embeddings)
    with pytest.raises(
        InputError, match="expected image embeddings of the encoder image 2, got such of image 1"
    ):
        stores.publish(wrong)
    assert stores.index.served_version("image") == "1"


def test_a_run_of_ids_alone(stores: Stores, tmp_path: Path) -> None:
    release = make_release(tmp_path, 1, ROWS, VECTORS)
    done = stores.publish(Release(1, release.ctr, None, {}, release.catalog, None))
    assert done.written == 2 and stores.index.versions("image") == []


def test_it_stops_when_it_is_told_to(stores: Stores, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        stores.publish(make_release(tmp_path, 1, ROWS, VECTORS), stop=stop)
    assert stores.items.count() == 0 and stores.index.served_version("image") is None
