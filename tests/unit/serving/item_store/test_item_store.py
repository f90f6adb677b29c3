"""What every item store does."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis_server import RedisServer

from serving.item_store.item_store import ItemStore
from serving.item_store.lmdb_item_store import LmdbItemStore
from serving.item_store.redis_item_store import RedisItemStore
from serving.item_store.stored_item import StoredItem
from transforms.input_error import InputError


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(params=["lmdb", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ItemStore]:
    opened: ItemStore
    if request.param == "lmdb":
        opened = LmdbItemStore(tmp_path)
    else:
        opened = RedisItemStore(request.getfixturevalue("redis_url"), prefix=tmp_path.name)
    yield opened
    opened.close()


def _item(item_id: str, title: str | None = "red shoe", **features: str | float) -> StoredItem:
    return StoredItem(item_id, "shoes", "shop_1", title, features)


def _ids(items: Sequence[StoredItem]) -> list[str]:
    return [item.item_id for item in items]


def test_reads_in_the_order_asked(store: ItemStore) -> None:
    a = StoredItem("a", "shoes", "shop_1", "rote Schuhe, größer 👟", {"brand": "ä", "price": 9.95, "age": 3})
    b = StoredItem("b", "", "", None, {})
    store.put([a, b], {})
    assert store.get(["b", "unknown", "a", "b"]) == [b, None, a, b]
    assert store.get([]) == []


def test_values_keep_their_types(store: ItemStore) -> None:
    features = {"whole": 3, "real": 3.0, "text": "3", "large": 2**63 - 1, "small": -(2**63), "tiny": 5e-324}
    store.put([_item("a", "", **features)], {})
    found = store.get(["a"])[0]
    assert found is not None and found.title == ""
    assert {name: (type(value), value) for name, value in found.features.items()} == {
        name: (type(value), value) for name, value in features.items()
    }


def test_the_last_put_wins(store: ItemStore) -> None:
    store.put([_item("a", "old", price=1.0), _item("b")], {})
    store.put([_item("a", None, brand="x")], {})
    assert store.get(["a", "b"]) == [_item("a", None, brand="x"), _item("b")]
    assert store.count() == 2


def test_a_catalog_leaves_the_items_of_shops_alone(store: ItemStore) -> None:
    assert store.put([_item("a", "of the shop"), _item("bare", "bare")], {"a": b"picture of the shop"}) == 2
    names = ("a", "bare", "new")
    for title in ("of the catalog", "of the next catalog"):
        catalog = [_item(name, title) for name in names]
        # An older catalog's item is replaced.
        assert store.put(catalog, dict.fromkeys(names, title.encode()), of_catalog=True) == 1
        assert [item and item.title for item in store.get(names)] == ["of the shop", "bare", title]
        assert [store.image(name) for name in names] == [b"picture of the shop", None, title.encode()]
    # What has been a catalog's is the shop's once it has put it.
    assert store.put([_item("new", "of the shop too")], {}) == 1
    assert store.put([_item("new", "of a catalog")], {"new": None}, of_catalog=True) == 0
    assert [item and item.title for item in store.get(["new"])] == ["of the shop too"]
    assert store.image("new") == b"of the next catalog"


def test_pictures_are_kept_replaced_and_removed(store: ItemStore) -> None:
    store.put([_item("a"), _item("b")], {"a": bytes(range(256)), "b": None})
    assert (store.image("a"), store.image("b"), store.image("c")) == (bytes(range(256)), None, None)
    store.put([_item("a", "new title")], {})
    assert store.image("a") == bytes(range(256))
    store.put([_item("a")], {"a": b"new picture"})
    assert store.image("a") == b"new picture"
    store.put([_item("a")], {"a": None})
    store.put([_item("a")], {"a": None})
    assert store.image("a") is None
    assert store.count() == 2


def test_items_are_listed_by_the_bytes_of_their_ids(store: ItemStore) -> None:
    # As UTF-8 "ä" begins with 0xC3, "€" with 0xE2 and "👟" with 0xF0; "Z" is before "a".
    ordered = ["Z", "a", "a!", "aa", "b", "ä", "€", "👟"]
    assert store.first(10) == []
    store.put([_item(item_id) for item_id in reversed(ordered)], {})
    assert _ids(store.first(10_000)) == ordered
    assert store.first(2) == [_item("Z"), _item("a")]
    assert _ids(store.first(3, after="a")) == ["a!", "aa", "b"]
    # "a0" is not there; "0" comes after "!" and before "a".
    assert _ids(store.first(2, after="a0")) == ["aa", "b"]
    assert store.first(5, after="👟") == []
    pages, after = [], ""
    while page := store.first(3, after):
        pages.append(_ids(page))
        after = page[-1].item_id
    assert pages == [ordered[:3], ordered[3:6], ordered[6:]]


@pytest.mark.parametrize(
    "items, images, message",
    [
        ([_item("")], {}, "item_id: expected 1 to 256 bytes, got 0"),
        ([_item("ä" * 128 + "x")], {}, "item_id: expected 1 to 256 bytes, got 257"),
        ([_item("\ud800")], {}, "item_id: expected a text that UTF-8 can hold"),
        ([_item("a\0")], {}, "item_id: expected no zero byte"),
        ([_item(7)], {}, "item_id: expected text, got int"),
        ([StoredItem("a", "x" * 257, "", None, {})], {}, "item 'a': category_id: expected 0 to 256 bytes"),
        ([StoredItem("a", "", None, None, {})], {}, "item 'a': shop_id: expected text, got NoneType"),
        ([_item("a", "x" * 16_385)], {}, "item 'a': title: expected 0 to 16384 bytes, got 16385"),
        (
            [_item("a", price=float("nan"))],
            {},
            "item 'a': feature 'price': expected a finite number, got nan",
        ),
        ([_item("a", price=2**63)], {}, "feature 'price': expected a whole number of 64 bits, got 64 bits"),
        ([_item("a", price=True)], {}, "feature 'price': expected a text or a number, got bool"),
        ([_item("a", price=None)], {}, "feature 'price': expected a text or a number, got NoneType"),
        ([_item("a", brand="x" * 16_385)], {}, "feature 'brand': expected 0 to 16384 bytes"),
        ([_item("a", **{"": 1})], {}, "name of a feature: expected 1 to 256 bytes, got 0"),
        ([_item("a", **{f"f{n}": n for n in range(257)})], {}, "expected at most 256 features, got 257"),
        ([_item("a"), _item("a")], {}, "expected items with distinct ids, got 3 with 2 ids"),
        ([_item("a")], {"b": b"x"}, "expected pictures of the items that are put, got one of 'b'"),
        ([_item("a")], {"a": b""}, "item 'a': expected a picture of 1 to 20000000 bytes, got 0"),
        ([_item("a")], {"a": bytes(20_000_001)}, "got 20000001"),
        ([_item("a")], {"a": "text"}, "item 'a': expected a picture as bytes, got str"),
        ([_item(str(n)) for n in range(10_000)], {}, "expected at most 10000 items a call, got 10001"),
        (
            [_item(str(n)) for n in range(7)],
            dict.fromkeys(map(str, range(7)), bytes(20_000_000)),
            "expected items of at most 134217728 bytes a put, got 140",
        ),
    ],
)
def test_a_put_that_cannot_be_leaves_nothing(
    store: ItemStore, items: list[StoredItem], images: Mapping[str, bytes | None], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        store.put([_item("before"), *items], images)
    assert store.count() == 0


def test_what_cannot_be_asked_for(store: ItemStore) -> None:
    for item_ids in (["x"] * 10_001, [""], ["x" * 257], ["\ud800"], [b"x"]):
        with pytest.raises(InputError):
            store.get(item_ids)
    for item_id in ("", "x" * 257):
        with pytest.raises(InputError, match="expected an item id of 1 to 256 bytes"):
            store.image(item_id)
    with pytest.raises(InputError, match="expected an item id of 1 to 256 bytes"):
        store.first(1, after="x" * 257)
    for limit in (0, 10_001):
        with pytest.raises(InputError, match="expected a limit of 1 to 10000"):
            store.first(limit)


def test_marks_are_apart_from_items(store: ItemStore) -> None:
    assert store.mark("published") is None
    store.set_mark("published", "1:ä")
    store.set_mark("other", "x" * 256)
    store.set_mark("published", "2:ü")
    assert (store.mark("published"), store.mark("other")) == ("2:ü", "x" * 256)
    assert store.count() == 0 and store.get(["published"]) == [None]


def test_marks_that_cannot_be(store: ItemStore) -> None:
    for name, value in (("", "x"), ("a/b", "x"), ("x" * 129, "x"), ("a", ""), ("a", "ä" * 129), ("a", "\0")):
        with pytest.raises(InputError):
            store.set_mark(name, value)
    with pytest.raises(InputError, match="expected a name of 1 to 128"):
        store.mark("a/b")
    assert store.mark("a") is None


def test_the_largest_calls(store: ItemStore) -> None:
    items = [_item(f"{number:0256}", price=number) for number in range(10_000)]
    store.put(items, {})
    assert store.get(_ids(items)) == items
    assert store.first(10_000) == items
    largest = bytes(20_000_000)
    store.put([_item("a", "x" * 16_384)], {"a": largest})
    assert store.image("a") == largest


_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
_stored = st.builds(
    StoredItem,
    st.sampled_from(["a", "b", "ä", "a b"]),
    _texts,
    _texts,
    st.none() | _texts,
    st.dictionaries(
        _texts.filter(bool),
        _texts | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1),
        max_size=3,
    ),
)
_images = st.none() | st.binary(min_size=1, max_size=4) | st.just("keep")
_puts = st.tuples(
    st.lists(st.tuples(_stored, _images), max_size=4, unique_by=lambda pair: pair[0].item_id), st.booleans()
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(puts=st.lists(_puts, max_size=4))
def test_is_a_dictionary(store: ItemStore, puts: list) -> None:
    # Nothing is ever removed, so each example has ids of its own.
    salt = f"{store.count()}:"
    items: dict[str, StoredItem] = {}
    pictures: dict[str, bytes | None] = {}
    shops: set[str] = set()
    for pairs, of_catalog in puts:
        given_items = [
            StoredItem(salt + item.item_id, item.category_id, item.shop_id, item.title, item.features)
            for item, _ in pairs
        ]
        images = {
            item.item_id: image
            for item, (_, image) in zip(given_items, pairs, strict=True)
            if image != "keep"
        }
        written = [item for item in given_items if not (of_catalog and item.item_id in shops)]
        assert store.put(given_items, images, of_catalog) == len(written)
        shops |= set() if of_catalog else {item.item_id for item in given_items}
        for item in written:
            items[item.item_id] = item
            pictures |= {item.item_id: images[item.item_id]} if item.item_id in images else {}
    asked = [salt + name for name in ("a", "b", "ä", "a b")]
    assert store.get(asked) == [items.get(item_id) for item_id in asked]
    assert [store.image(item_id) for item_id in asked] == [pictures.get(item_id) for item_id in asked]
    listed = [item_id for item_id in _ids(store.first(10_000)) if item_id.startswith(salt)]
    assert listed == sorted(items, key=str.encode)


def test_many_writers_lose_nothing(store: ItemStore) -> None:
    """Four threads put 200 items, each item by two of them, and every put is seen as a whole."""

    def write(writer: int) -> None:
        for batch in range(20):
            names = [f"{writer // 2}-{batch}-{number}" for number in range(5)]
            store.put([_item(name, str(writer)) for name in names], dict.fromkeys(names, b"%d" % writer))
            titles = {item.title for item in store.get(names) if item is not None}
            assert len(titles) == 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert store.count() == 2 * 20 * 5
    for item in store.first(10_000):
        picture = store.image(item.item_id)
        assert picture is not None and picture.decode() == item.title
