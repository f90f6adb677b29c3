"""What addresses mean."""

import sys
from pathlib import Path

import pytest

from serving.item_store.errors import ItemStoreUnavailable
from serving.item_store.lmdb_item_store import LmdbItemStore
from serving.item_store.open_item_store import open_item_store
from transforms.input_error import InputError


def test_a_path_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    with pytest.raises(InputError, match="folder: expected the folder of an"):
        open_item_store(str(folder), readonly=True)
    opened = open_item_store(str(folder))
    assert isinstance(opened, LmdbItemStore)
    opened.close()
    assert (folder / "data.mdb").is_file()


def test_redis_is_asked(tmp_path: Path) -> None:
    with pytest.raises(ItemStoreUnavailable):
        open_item_store(f"unix://{tmp_path}/none.sock")


def test_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match="got kafka://"):
        open_item_store("kafka://host:1")


def test_a_missing_client_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    for module in ("serving.redis_connection", "serving.item_store.redis_item_store"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(InputError, match="expected the package redis"):
        open_item_store("redis://localhost:1")
