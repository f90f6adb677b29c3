"""What addresses mean."""

import sys
from pathlib import Path

import pytest

from serving.embedding_index.errors import IndexUnavailable
from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex
from serving.embedding_index.open_embedding_index import open_embedding_index
from transforms.input_error import InputError


def test_a_path_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    with pytest.raises(InputError, match="folder: expected the folder of an"):
        open_embedding_index(str(folder), readonly=True)
    opened = open_embedding_index(str(folder))
    assert isinstance(opened, LmdbEmbeddingIndex)
    opened.close()
    assert (folder / "data.mdb").is_file()


def test_redis_is_asked(tmp_path: Path) -> None:
    with pytest.raises(IndexUnavailable):
        open_embedding_index(f"unix://{tmp_path}/none.sock")


def test_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match="got kafka://"):
        open_embedding_index("kafka://host:1")


def test_a_missing_client_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    for module in ("serving.redis_connection", "serving.embedding_index.redis_embedding_index"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(InputError, match="expected the package redis"):
        open_embedding_index("redis://localhost:1")
