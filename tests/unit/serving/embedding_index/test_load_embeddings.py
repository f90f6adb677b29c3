"""From CatalogEmbedder's files into the index."""

from collections.abc import Iterator
from pathlib import Path

import lmdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex
from serving.embedding_index.load_embeddings import LoadedEmbeddings, load_embeddings
from transforms.input_error import InputError

Vectors = dict[str, list[float] | None]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LmdbEmbeddingIndex]:
    opened = LmdbEmbeddingIndex(tmp_path / "index")
    yield opened
    opened.close()


def _write(folder: Path, *files: Vectors, encoders: tuple[str | None, ...] = ("fingerprint",)) -> str:
    """Files as CatalogEmbedder writes them, of an image encoder alone; the encoders in turn."""
    folder.mkdir(exist_ok=True)
    for number, vectors in enumerate(files):
        rows = range(len(vectors))
        columns = {
            "item_id": pa.array(list(vectors), pa.string()),
            "image_embedding": pa.array(list(vectors.values()), pa.list_(pa.float32())),
            "has_image": pa.array([vector is not None for vector in vectors.values()], pa.bool_()),
            "image_encoder": pa.array([encoders[row % len(encoders)] for row in rows], pa.string()),
            "text_embedding": pa.nulls(len(rows), pa.list_(pa.float32())),
            "text_encoder": pa.nulls(len(rows), pa.string()),
        }
        pq.write_table(pa.table(columns), folder / f"embeddings-{number:05d}.parquet")
    return str(folder)


def _read(index: LmdbEmbeddingIndex, *items: str) -> list:
    return [None if vector is None else vector.tolist() for vector in index.get("image", items)]


@pytest.mark.parametrize("batch_size", [1, 2, 10_000])
def test_loads_and_serves(index: LmdbEmbeddingIndex, tmp_path: Path, batch_size: int) -> None:
    folder = _write(tmp_path / "e", {"a": [1, 0], "bare": None, "c": [0, 1]}, {"d": [0.5, -0.5]}, {})
    loaded = load_embeddings(index, folder, "image", "v1", "fingerprint", batch_size)
    assert loaded == LoadedEmbeddings(items=4, vectors=3)
    assert (index.served_version("image"), index.count("image", "v1")) == ("v1", 4)
    assert _read(index, "d", "bare", "a", "c", "new") == [[0.5, -0.5], None, [1, 0], [0, 1], None]
    assert index.known("v1", "image", ["bare", "new"]) == [True, False]


def test_younger_entries_can_be_kept(index: LmdbEmbeddingIndex, tmp_path: Path) -> None:
    first = _write(tmp_path / "e", {"a": [1.0], "b": [2.0]})
    second = _write(tmp_path / "f", {"a": [3.0], "c": [4.0]})
    load_embeddings(index, first, "image", "v1")
    load_embeddings(index, second, "image", "v1", replace=False)
    assert _read(index, "a", "b", "c") == [[1], [2], [4]]
    load_embeddings(index, second, "image", "v1")
    assert _read(index, "a", "b", "c") == [[3], [2], [4]]


def test_announced_entries_can_be_kept(index: LmdbEmbeddingIndex, tmp_path: Path) -> None:
    index.put("v1", "image", {"a": np.array([7], np.float32)}, announce=True)
    index.put("v1", "image", {"b": np.array([7], np.float32)})
    folder = _write(tmp_path / "e", {"a": [1.0], "b": [2.0]})
    load_embeddings(index, folder, "image", "v1", unless_announced=True)
    assert _read(index, "a", "b") == [[7], [2]]


def test_a_broken_entry_is_written_again(index: LmdbEmbeddingIndex, tmp_path: Path) -> None:
    folder = _write(tmp_path / "e", {"a": [1.0], "bare": None})
    load_embeddings(index, folder, "image", "v1")
    index.close()
    with lmdb.open(str(tmp_path / "index"), max_dbs=1) as environment:
        entries = environment.open_db(b"entries")
        with environment.begin(write=True, db=entries) as transaction:
            keys = [key for key, _ in transaction.cursor()]
            for key in keys:
                transaction.put(key, b"broken!!")
    opened = LmdbEmbeddingIndex(tmp_path / "index")
    load_embeddings(opened, folder, "image", "v1")
    assert len(keys) == 2 and _read(opened, "a", "bare") == [[1], None]
    opened.close()


def test_an_id_that_no_index_takes_is_left_out(
    index: LmdbEmbeddingIndex, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load_embeddings(index, _write(tmp_path / "e", {"x" * 257: [3.0], "a": [1.0], "": [2.0]}), "image", "v1")
    assert (index.count("image", "v1"), _read(index, "a")) == (1, [[1]])
    assert caplog.text.count("an item's embedding is left out: expected an item id of 1 to 256 bytes") == 2


@pytest.mark.parametrize("encoders", [("one", "other"), (None,)])
def test_vectors_of_no_or_several_encoders(
    index: LmdbEmbeddingIndex, tmp_path: Path, encoders: tuple[str | None, ...]
) -> None:
    folder = _write(tmp_path / "e", {"a": [1.0], "b": [2.0]}, encoders=encoders)
    got = "one, other" if None not in encoders else "none"
    with pytest.raises(InputError, match=f"expected image embeddings of one encoder, got such of {got}"):
        load_embeddings(index, folder, "image", "v1")
    assert index.versions("image") == []


def test_an_item_whose_encoder_is_unknown_is_no_second_encoder(
    index: LmdbEmbeddingIndex, tmp_path: Path
) -> None:
    folder = _write(tmp_path / "e", {"a": [1.0], "bare": None}, encoders=("one", None))
    assert load_embeddings(index, folder, "image", "v1").vectors == 1


def test_another_encoder_than_expected(index: LmdbEmbeddingIndex, tmp_path: Path) -> None:
    folder = _write(tmp_path / "e", {"a": [1.0]})
    with pytest.raises(InputError, match="of the encoder other, got such of fingerprint"):
        load_embeddings(index, folder, "image", "v1", fingerprint="other")
    assert index.versions("image") == []


def test_the_old_version_is_served_on_when_a_file_is_broken(
    index: LmdbEmbeddingIndex, tmp_path: Path
) -> None:
    load_embeddings(index, _write(tmp_path / "e", {"a": [1.0]}), "image", "v1")
    folder = _write(tmp_path / "f", {"a": [2.0]}, {"b": [1.0, 2.0]})
    with pytest.raises(InputError, match="image version v2: expected vectors of dim 1, got 2"):
        load_embeddings(index, folder, "image", "v2")
    (tmp_path / "f" / "embeddings-00001.parquet").write_bytes(b"PAR1 no Parquet")
    with pytest.raises(InputError, match="embeddings-00001.parquet: expected a Parquet file of embeddings"):
        load_embeddings(index, folder, "image", "v2")
    assert (index.served_version("image"), _read(index, "a", "b")) == ("v1", [[1], None])


def test_missing_files_columns_and_sizes(index: LmdbEmbeddingIndex, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected embeddings in .*nowhere, got no file"):
        load_embeddings(index, str(tmp_path / "nowhere"), "image", "v1")
    folder = _write(tmp_path / "e", {"a": [1.0]})
    with pytest.raises(InputError, match="expected embeddings with sound_encoder, got none"):
        load_embeddings(index, folder, "sound", "v1")
    for batch_size in (0, 10_001):
        with pytest.raises(InputError, match="expected a batch_size of 1 to 10000"):
            load_embeddings(index, folder, "image", "v1", batch_size=batch_size)
