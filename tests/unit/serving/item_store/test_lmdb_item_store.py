"""What the item store in a folder does beyond what every item store does."""

from pathlib import Path

import lmdb
import pytest

from serving import lmdb_environment
from serving.item_store.errors import CorruptItem, ItemStoreFull, ItemStoreUnavailable
from serving.item_store.lmdb_item_store import LmdbItemStore
from serving.item_store.stored_item import StoredItem
from transforms.input_error import InputError

MIB = 2**20
A = StoredItem("a", "shoes", "shop_1", "red shoe", {"price": 9.5})


def test_is_as_it_was_when_opened_again(tmp_path: Path) -> None:
    store = LmdbItemStore(tmp_path / "new" / "folder")
    store.put([A], {"a": b"picture"})
    store.set_mark("published", "1:abc")
    store.close()
    for readonly in (True, False):
        store = LmdbItemStore(tmp_path / "new" / "folder", readonly=readonly)
        assert (store.get(["a"]), store.image("a"), store.count()) == ([A], b"picture", 1)
        assert store.mark("published") == "1:abc"
        store.close()


def test_the_map_grows_to_its_limit_and_what_was_acknowledged_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmdb_environment, "_FIRST_BYTES", MIB)
    store = LmdbItemStore(tmp_path, max_bytes=5 * MIB)
    acknowledged = 0
    with pytest.raises(ItemStoreFull, match="the item store has reached its limit of 5242880 bytes"):
        for number in range(1_000):
            names = [f"{number}-{part}" for part in range(10)]
            pictures = {name: name.encode() * 1_000 for name in names}
            store.put([StoredItem(name, "", "", None, {}) for name in names], pictures)
            acknowledged += 1
    # 10 pictures of about 4 KB take one or two pages of 4 KiB each.
    assert acknowledged > 40
    assert store.count() == 10 * acknowledged
    names = [f"{number}-{part}" for number in range(acknowledged) for part in range(10)]
    assert all(store.image(name) == name.encode() * 1_000 for name in names)
    assert all(item is not None for item in store.get(names))
    store.close()


def test_a_broken_item_is_an_error(tmp_path: Path) -> None:
    store = LmdbItemStore(tmp_path)
    store.put([A, StoredItem("b", "", "", None, {})], {"a": b"picture"})
    store.close()
    with lmdb.open(str(tmp_path), max_dbs=2) as environment:
        for name in (b"items", b"images"):
            with environment.begin(write=True, db=environment.open_db(name)) as transaction:
                transaction.put(b"a", b"\x80\x04N.")  # a pickle, which nobody opens
    store = LmdbItemStore(tmp_path)
    for ask in (lambda: store.get(["b", "a"]), lambda: store.image("a"), lambda: store.first(1)):
        with pytest.raises(CorruptItem, match="item 'a': expected checksum"):
            ask()
    assert store.get(["b"])[0] is not None
    store.close()


def test_a_reader_does_not_write_and_a_closed_store_does_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected the folder of an item store"):
        LmdbItemStore(tmp_path / "nowhere", readonly=True)
    LmdbItemStore(tmp_path).close()
    store = LmdbItemStore(tmp_path, readonly=True)
    with pytest.raises(ItemStoreUnavailable, match="Cannot start write transaction with read-only"):
        store.put([A], {})
    store.close()
    with pytest.raises(ItemStoreUnavailable, match="closed"):
        store.count()
