"""Reading a catalog's embeddings."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.content.item_embeddings import ItemEmbeddings
from transforms.input_error import InputError

Vector = list[float] | None
# Of an item its image's and its text's embedding.
Items = dict[str, tuple[Vector, Vector]]


def _table(items: Items) -> pa.Table:
    return pa.table(
        {
            "item_id": pa.array(list(items), pa.string()),
            "image_embedding": pa.array([image for image, _ in items.values()], pa.list_(pa.float32())),
            "has_image": pa.array([image is not None for image, _ in items.values()]),
            "text_embedding": pa.array([text for _, text in items.values()], pa.list_(pa.float32())),
        }
    )


def _write(folder: Path, *tables: pa.Table, row_group_size: int = 1_000) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for number, table in enumerate(tables):
        pq.write_table(table, folder / f"embeddings-{number:05d}.parquet", row_group_size=row_group_size)
    return str(folder)


def _as_dict(embeddings: ItemEmbeddings, modality: str) -> dict[str, Vector]:
    """Item by item, through its row."""
    vectors = embeddings.vectors[modality].tolist()
    rows = embeddings.rows[modality].tolist()
    pairs = zip(embeddings.item_ids.to_pylist(), rows, strict=True)
    return {item: vectors[row] if row else None for item, row in pairs}


def test_nulls_in_several_files(tmp_path: Path) -> None:
    first: Items = {"a": ([1.0, 0.0], [0.0, 0.0, 1.0]), "b": (None, [0.0, 1.0, 0.0]), "c": (None, None)}
    second: Items = {"d": ([0.0, 1.0], None), "e": ([0.5, -0.5], [1.0, 0.0, 0.0])}
    folder = _write(tmp_path, _table(first), _table(second))
    embeddings = ItemEmbeddings.read(folder, ["text", "image"])
    assert embeddings.item_ids.to_pylist() == ["a", "b", "c", "d", "e"]
    # Row 0 is for none; the others follow in the order of the items.
    assert embeddings.rows["image"].tolist() == [1, 0, 0, 2, 3]
    assert embeddings.rows["text"].tolist() == [1, 2, 0, 0, 3]
    assert embeddings.vectors["image"].tolist() == [[0, 0], [1, 0], [0, 1], [0.5, -0.5]]
    assert embeddings.vectors["text"].tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert {array.dtype for array in embeddings.rows.values()} == {np.dtype(np.int32)}
    assert {array.dtype for array in embeddings.vectors.values()} == {np.dtype(np.float32)}


def test_reads_the_modalities_that_it_is_asked_for(tmp_path: Path) -> None:
    folder = _write(tmp_path, _table({"a": ([1.0], None), "b": ([0.5], None)}))
    embeddings = ItemEmbeddings.read(folder, ["image"])
    assert list(embeddings.rows) == list(embeddings.vectors) == ["image"]


def test_sliced_arrays_and_chunks(tmp_path: Path) -> None:
    items: Items = {f"i{n}": (None if n % 3 == 0 else [n, -n], [n]) for n in range(20)}
    sliced = _table(items).slice(5, 11)  # i5 to i15, in row groups of 2
    folder = _write(tmp_path, sliced.slice(0, 4), sliced.slice(4), row_group_size=2)
    embeddings = ItemEmbeddings.read(folder, ["image", "text"])
    kept = {item: vectors for item, vectors in items.items() if 5 <= int(item[1:]) <= 15}
    assert _as_dict(embeddings, "image") == {item: image for item, (image, _) in kept.items()}
    assert _as_dict(embeddings, "text") == {item: text for item, (_, text) in kept.items()}


def test_a_file_without_any_embedding_among_others(tmp_path: Path) -> None:
    folder = _write(tmp_path, _table({"a": (None, [1.0])}), _table({"b": ([2.0], None)}), _table({}))
    embeddings = ItemEmbeddings.read(folder, ["image", "text"])
    assert _as_dict(embeddings, "image") == {"a": None, "b": [2.0]}
    assert _as_dict(embeddings, "text") == {"a": [1.0], "b": None}


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"expected embeddings in {tmp_path}, got no file"):
        ItemEmbeddings.read(str(tmp_path), ["image"])


@pytest.mark.parametrize("items", [{"a": ([1.0], None), "b": ([1.0], None)}, {}])
def test_a_modality_without_any_embedding(tmp_path: Path, items: Items) -> None:
    with pytest.raises(InputError, match="no item has an embedding of its text"):
        ItemEmbeddings.read(_write(tmp_path, _table(items)), ["text"])


def test_embeddings_of_several_sizes(tmp_path: Path) -> None:
    folder = _write(tmp_path, _table({"a": ([1.0, 2.0, 3.0], None)}), _table({"b": ([1.0, 2.0], None)}))
    with pytest.raises(InputError, match=r"the image embeddings must be of one size, got \[2, 3\]"):
        ItemEmbeddings.read(folder, ["image"])


vectors = st.none() | st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3)
catalogs = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4), vectors, max_size=12
)


@settings(max_examples=50, deadline=None)
@given(catalogs=st.lists(catalogs, min_size=1, max_size=3), row_group_size=st.integers(1, 4))
def test_any_catalog(
    tmp_path_factory: pytest.TempPathFactory, catalogs: list[dict[str, Vector]], row_group_size: int
) -> None:
    expected: dict[str, Vector] = {"there": [1.0, 0.0, 0.0]}
    files = [_table({"there": ([1.0, 0.0, 0.0], None)})]
    for catalog in catalogs:
        new = {item: vector for item, vector in catalog.items() if item not in expected}
        files.append(_table({item: (vector, None) for item, vector in new.items()}))
        expected |= new
    folder = _write(tmp_path_factory.mktemp("embeddings"), *files, row_group_size=row_group_size)
    embeddings = ItemEmbeddings.read(folder, ["image"])
    assert _as_dict(embeddings, "image") == expected
    assert embeddings.vectors["image"].shape == (1 + sum(v is not None for v in expected.values()), 3)
    assert not embeddings.vectors["image"][0].any()
