"""The executor, with real catalogs, encoders and embeddings in files."""

import json
import logging
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from small_logs import picture
from tfx.types import standard_artifacts
from tiny_encoders import Lengths, save_encoder, save_image_encoder

from components.artifacts import Catalog, Embeddings
from components.catalog_embedder import embed_catalog
from components.catalog_embedder.config import EmbedderConfig
from components.catalog_embedder.encoder_handler import LoadedEncoder
from components.catalog_embedder.executor import Executor
from transforms.configuration import to_json
from transforms.input_error import InputError

Row = dict[str, Any]

CATALOG_SCHEMA = pa.schema([("item_id", pa.string()), ("title", pa.string()), ("image", pa.binary())])


def item(item_id: str, title: str | None = None, image: bytes | None = None) -> Row:
    return {"item_id": item_id, "title": title, "image": image}


# Gray pictures: all three means are the color. "dää" has 3 characters and 5 bytes.
ITEMS = [
    item("a", "one", picture(10)),
    item("b", "dää", picture(20)),
    item("c", "three", None),
    item("d", " \t\u3000", picture(40)),
    item("e", None, None),
]


def rgb(color: float) -> list[float]:
    return [color] * 3


@dataclass
class Shop:
    """A catalog, encoders and a cache, and what was encoded: each run overwrites what it is given."""

    folder: Path
    encoders: dict[str, str]
    runs: int = 0
    calls: list[list[bytes]] = field(default_factory=list)

    @property
    def pointer(self) -> Path:
        return self.folder / "cache" / "embeddings.json"

    @property
    def encoded(self) -> list[bytes]:
        return sorted(content for call in self.calls for content in call)

    def embed(
        self,
        files: list[list[Row]],
        blessed: bool = True,
        baselines: dict[str, str] | None = None,
        **config: Any,
    ) -> Path:
        """Runs the executor over a catalog of these files; returns the folder of the embeddings."""
        self.runs += 1
        self.calls.clear()
        catalog, out = Catalog(), Embeddings()
        catalog.uri = str(write_catalog(self.folder / f"catalog{self.runs}", files))
        out.uri = str(self.folder / f"embeddings{self.runs}")
        inputs: dict[str, list] = {"catalog": [catalog]}
        for name, uri in self.encoders.items():
            inputs[f"{name}_model"] = [model(uri)]
            inputs[f"{name}_blessing"] = [blessing(blessed)]
            inputs[f"{name}_baseline"] = [model(uri) for key, uri in (baselines or {}).items() if key == name]
        context = Executor.Context(make_beam_pipeline_fn=make_pipeline)
        parameters = {"config": to_json(EmbedderConfig(**config)), "cache": str(self.pointer.parent)}
        Executor(context).Do(inputs, {"embeddings": [out]}, parameters)
        return Path(out.uri)


@pytest.fixture
def shop(tmp_path: Path, image_encoder: str, text_encoder: str, monkeypatch: pytest.MonkeyPatch) -> Shop:
    shop = Shop(tmp_path, {"image": image_encoder, "text": text_encoder})
    encode = LoadedEncoder.__call__

    def spy(self: LoadedEncoder, contents: np.ndarray) -> np.ndarray:
        texts = [content.encode() if isinstance(content, str) else content for content in contents]
        shop.calls.append(texts)
        return encode(self, contents)

    monkeypatch.setattr(LoadedEncoder, "__call__", spy)
    return shop


def make_pipeline() -> beam.Pipeline:
    return beam.Pipeline(
        options=PipelineOptions(["--runner=DirectRunner", "--direct_running_mode=in_memory"])
    )


def model(uri: str) -> standard_artifacts.Model:
    artifact = standard_artifacts.Model()
    artifact.uri = uri
    return artifact


def blessing(blessed: bool) -> standard_artifacts.ModelBlessing:
    artifact = standard_artifacts.ModelBlessing()
    artifact.set_int_custom_property("blessed", int(blessed))
    return artifact


def write_catalog(folder: Path, files: list[list[Row]]) -> Path:
    folder.mkdir()
    for number, rows in enumerate(files):
        pq.write_table(
            pa.Table.from_pylist(rows, schema=CATALOG_SCHEMA),
            folder / f"catalog-{number:05d}-0000000000.parquet",
            row_group_size=2,
        )
    return folder


def read(out: Path) -> list[Row]:
    """All rows by item, without the hashes."""
    table = pa.concat_tables([pq.read_table(path) for path in sorted(out.glob("embeddings-*.parquet"))])
    return table.drop_columns(["image_hash", "text_hash"]).sort_by("item_id").to_pylist()


def vectors(out: Path, name: str) -> dict[str, list[float] | None]:
    return {row["item_id"]: row[f"{name}_embedding"] for row in read(out)}


def counts(out: Path) -> Row:
    return json.loads((out / "counts.json").read_text())


def rejects(out: Path) -> list[Row]:
    return [row for path in sorted(out.glob("rejects/*.parquet")) for row in pq.read_table(path).to_pylist()]


def embedded(item_id: str, image: list[float] | None, text: list[float] | None) -> Row:
    return {
        "item_id": item_id,
        "image_embedding": image,
        "has_image": image is not None,
        "image_encoder": "colors",
        "text_embedding": text,
        "has_text": text is not None,
        "text_encoder": "lengths",
    }


EMBEDDED = [
    embedded("a", rgb(10), [3, 3]),
    embedded("b", rgb(20), [3, 5]),
    embedded("c", None, [5, 5]),
    embedded("d", rgb(40), None),
    embedded("e", None, None),
]


def test_each_item_gets_the_vectors_of_what_it_has(shop: Shop) -> None:
    out = shop.embed([ITEMS[:3], ITEMS[3:]])
    assert read(out) == EMBEDDED
    assert rejects(out) == []
    # Three of the three pictures and three of the three titles that are not blank.
    assert counts(out) == {
        "items": 5,
        "with_image": 3,
        "with_title": 3,
        "image_embeddings": 3,
        "text_embeddings": 3,
        "image_coverage": 1.0,
        "text_coverage": 1.0,
        "encoded": {"image": 3, "text": 3},
        "reused": {"image": 0, "text": 0},
        "rejects": {"image": {}, "text": {}},
    }
    assert json.loads(shop.pointer.read_text()) == {"uri": str(out)}


def test_the_columns_have_the_announced_types(shop: Shop) -> None:
    schema = pq.read_schema(next(shop.embed([ITEMS]).glob("embeddings-*.parquet")))
    assert {field.name: field.type for field in schema} == {
        "item_id": pa.string(),
        "image_embedding": pa.list_(pa.float32()),
        "has_image": pa.bool_(),
        "image_hash": pa.int64(),
        "image_encoder": pa.string(),
        "text_embedding": pa.list_(pa.float32()),
        "has_text": pa.bool_(),
        "text_hash": pa.int64(),
        "text_encoder": pa.string(),
    }


@pytest.mark.parametrize(("batch_size", "rows_per_file"), [(1, 50), (2, 2), (100, 1)])
def test_batches_and_shards_change_nothing(shop: Shop, batch_size: int, rows_per_file: int) -> None:
    out = shop.embed([ITEMS[:3], ITEMS[3:]], batch_size=batch_size, rows_per_file=rows_per_file)
    assert read(out) == EMBEDDED
    assert max(len(call) for call in shop.calls) <= batch_size
    assert len(list(out.glob("embeddings-*.parquet"))) <= -(-5 // rows_per_file)


def test_batches_are_full_over_the_borders_of_files(shop: Shop) -> None:
    rows = [item(f"i{number}", f"title {number}") for number in range(7)]
    shop.embed([rows[:3], rows[3:5], rows[5:]], batch_size=3)
    assert sorted(len(call) for call in shop.calls) == [1, 3, 3]


def test_nothing_is_encoded_the_second_time(shop: Shop) -> None:
    first = shop.embed([ITEMS])
    # Other files, order and shards make no difference.
    second = shop.embed([ITEMS[:1:-1], ITEMS[:2]], rows_per_file=2)
    assert shop.calls == []
    assert read(second) == read(first) == EMBEDDED
    assert counts(second)["encoded"] == {"image": 0, "text": 0}
    assert counts(second)["reused"] == {"image": 3, "text": 3}
    assert json.loads(shop.pointer.read_text()) == {"uri": str(second)}
    # And the third run builds on the second.
    shutil.rmtree(first)
    third = shop.embed([ITEMS])
    assert shop.calls == []
    assert read(third) == EMBEDDED


def test_only_new_and_changed_contents_are_encoded(shop: Shop) -> None:
    shop.embed([ITEMS])
    new_title, new_picture = "eleven char", picture(60)
    out = shop.embed(
        [
            [
                item("a", "one", new_picture),  # a changed picture, the title as before
                item("b", new_title, picture(20)),  # the other way around
                # "c" was removed
                item("d", None, None),  # lost its picture
                item("e", None, picture(20)),  # has one now, the same as another item's
                item("f", "one", None),  # is new; so is its title, though not to the world
            ]
        ]
    )
    assert shop.encoded == sorted([new_picture, picture(20), new_title.encode(), b"one"])
    assert read(out) == [
        embedded("a", rgb(60), [3, 3]),
        embedded("b", rgb(20), [11, 11]),
        embedded("d", None, None),
        embedded("e", rgb(20), None),
        embedded("f", None, [3, 3]),
    ]
    assert counts(out)["encoded"] == {"image": 2, "text": 2}
    assert counts(out)["reused"] == {"image": 1, "text": 1}


def test_exchanged_pictures_are_changes_of_both_items(shop: Shop) -> None:
    shop.embed([[item("a", None, picture(1)), item("b", None, picture(2))]])
    out = shop.embed([[item("a", None, picture(2)), item("b", None, picture(1))]])
    assert vectors(out, "image") == {"a": rgb(2), "b": rgb(1)}
    assert counts(out)["encoded"]["image"] == 2


def test_a_new_encoder_encodes_everything_of_its_modality(shop: Shop) -> None:
    shop.embed([ITEMS])
    shop.encoders["image"] = save_image_encoder(shop.folder / "doubling", "doubled", factor=2.0)
    out = shop.embed([ITEMS])
    assert shop.encoded == sorted([picture(10), picture(20), picture(40)])
    assert vectors(out, "image") == {"a": rgb(20), "b": rgb(40), "c": None, "d": rgb(80), "e": None}
    assert vectors(out, "text") == {"a": [3, 3], "b": [3, 5], "c": [5, 5], "d": None, "e": None}
    assert {row["image_encoder"] for row in read(out)} == {"doubled"}
    assert counts(out)["reused"] == {"image": 0, "text": 3}


@pytest.mark.parametrize(("absent", "present"), [("image", "text"), ("text", "image")])
def test_one_modality_alone(shop: Shop, absent: str, present: str) -> None:
    encoders = dict(shop.encoders)
    del shop.encoders[absent]
    out = shop.embed([ITEMS])
    for row, full in zip(read(out), EMBEDDED, strict=True):
        gone = {f"{absent}_embedding": None, f"has_{absent}": False, f"{absent}_encoder": None}
        assert row == full | gone
    found = counts(out)
    assert (found["with_image"], found["with_title"]) == (3, 3)
    assert (found[f"{absent}_embeddings"], found[f"{present}_embeddings"]) == (0, 3)
    assert (found[f"{absent}_coverage"], found[f"{present}_coverage"]) == (0.0, 1.0)
    # The other one joins in: only its contents are encoded.
    shop.encoders = encoders
    both = shop.embed([ITEMS])
    assert read(both) == EMBEDDED
    assert counts(both)["encoded"] == {absent: 3, present: 0}


def test_a_catalog_without_pictures(shop: Shop) -> None:
    out = shop.embed([[item("a", "one"), item("b", "two")]])
    assert counts(out)["image_coverage"] is None
    assert counts(out)["text_coverage"] == 1.0


def test_what_cannot_be_encoded_is_rejected_alone(shop: Shop) -> None:
    broken, torn = b"no picture", picture(9, size=(40, 40), image_format="JPEG")[:400]
    rows = [
        item("a", "one", picture(10)),
        item("b", "poison", broken),
        item("c", "nan", torn),
        item("d", "four", picture(40)),
        item("e", "five", picture(50)),
    ]
    out = shop.embed([rows], max_reject_fraction=0.4)
    assert vectors(out, "image") == {"a": rgb(10), "b": None, "c": None, "d": rgb(40), "e": rgb(50)}
    assert vectors(out, "text") == {"a": [3, 3], "b": None, "c": None, "d": [4, 4], "e": [4, 4]}
    assert [row["has_image"] for row in read(out)] == [True, False, False, True, True]
    assert rejects(out) == [
        {"item_id": "b", "modality": "image", "reason": "undecodable_image"},
        {"item_id": "b", "modality": "text", "reason": "unreadable_text"},
        {"item_id": "c", "modality": "image", "reason": "undecodable_image"},
        {"item_id": "c", "modality": "text", "reason": "not_finite"},
    ]
    assert counts(out)["rejects"] == {
        "image": {"undecodable_image": 2},
        "text": {"not_finite": 1, "unreadable_text": 1},
    }
    # Three of five.
    assert counts(out)["image_coverage"] == counts(out)["text_coverage"] == 0.6
    # They are rejected again, not forgotten, and nothing else is encoded.
    again = shop.embed([rows], max_reject_fraction=0.4)
    assert rejects(again) == rejects(out)
    assert counts(again)["encoded"] == {"image": 0, "text": 0}
    assert set(shop.encoded) == {broken, torn, b"poison", b"nan"}


def test_too_many_rejects_stop(shop: Shop) -> None:
    rows = [item("a", None, b"?"), item("b", None, picture(1)), item("c", "no picture", None)]
    with pytest.raises(InputError, match=r"image encoder cannot encode 1 of 2 items \(undecodable_image 1\)"):
        shop.embed([rows], max_reject_fraction=0.49)
    assert not shop.pointer.exists()


def test_another_error_of_the_encoder_stops(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: LoadedEncoder, contents: np.ndarray) -> np.ndarray:
        raise MemoryError("no room")

    monkeypatch.setattr(LoadedEncoder, "__call__", fail)
    with pytest.raises(MemoryError):
        shop.embed([ITEMS])
    assert not shop.pointer.exists()


def test_a_run_that_stops_half_way_leaves_the_old_pointer(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shop.embed([ITEMS])

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        # The last thing that the transform does: all files of embeddings are there.
        patched.setattr(embed_catalog, "_name_counts", die)
        with pytest.raises(BaseException):  # noqa: B017
            shop.embed([[item("a", "half way")]])
    assert json.loads(shop.pointer.read_text()) == {"uri": str(first)}
    assert read(shop.embed([ITEMS])) == EMBEDDED
    assert shop.calls == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"uri": "/nowhere/at/all"}', "is gone"),
        ('{"uri": "/now', "nothing that can be read"),
        ("[1]", "nothing that can be read"),
    ],
)
def test_a_pointer_to_nothing_encodes_everything_and_says_so(
    shop: Shop, caplog: pytest.LogCaptureFixture, content: str, told: str
) -> None:
    shop.pointer.parent.mkdir()
    shop.pointer.write_text(content)
    with caplog.at_level(logging.WARNING):
        assert read(shop.embed([ITEMS])) == EMBEDDED
    assert told in caplog.text


def test_previous_embeddings_of_another_schema(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    file = next(shop.embed([ITEMS]).glob("embeddings-*.parquet"))
    table = pq.read_table(file)
    pq.write_table(table.rename_columns([name.replace("has_", "with_") for name in table.column_names]), file)
    with caplog.at_level(logging.WARNING):
        out = shop.embed([ITEMS])
    assert read(out) == EMBEDDED
    assert counts(out)["encoded"] == {"image": 3, "text": 3}
    assert "another schema than expected (has_image)" in caplog.text
    assert "another schema than expected (has_text)" in caplog.text


def test_previous_embeddings_that_are_damaged(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    file = next(shop.embed([ITEMS]).glob("embeddings-*.parquet"))
    file.write_bytes(file.read_bytes()[:-20])
    with caplog.at_level(logging.WARNING):
        assert read(shop.embed([ITEMS])) == EMBEDDED
    assert "no readable Parquet file" in caplog.text


def test_an_unblessed_candidate_gives_way_to_the_baseline(shop: Shop) -> None:
    del shop.encoders["text"]
    baseline = save_image_encoder(shop.folder / "baseline", "tripled", factor=3.0)
    out = shop.embed([ITEMS[:1]], blessed=False, baselines={"image": baseline})
    assert vectors(out, "image") == {"a": rgb(30)}
    assert read(out)[0]["image_encoder"] == "tripled"
    # A blessed one does not.
    assert vectors(shop.embed([ITEMS[:1]], baselines={"image": baseline}), "image") == {"a": rgb(10)}


@pytest.mark.parametrize("name", ["image", "text"])
def test_without_a_blessed_encoder_it_stops(shop: Shop, name: str) -> None:
    shop.encoders = {name: shop.encoders[name]}
    with pytest.raises(InputError, match=f"expected a blessed {name} encoder .* was refused"):
        shop.embed([ITEMS], blessed=False)


def test_an_encoder_of_the_other_modality_is_told(shop: Shop) -> None:
    shop.encoders = {"image": shop.encoders["text"]}
    with pytest.raises(InputError, match="expected an encoder of modality image, got text"):
        shop.embed([ITEMS])


def test_vectors_of_another_length_than_announced_are_a_defect(shop: Shop) -> None:
    shop.encoders = {"text": save_encoder(shop.folder / "wrong", Lengths(), "text", "wrong", 7)}
    with pytest.raises(ValueError, match=r"expected vectors of shape \(3, 7\), got \(3, 2\)"):
        shop.embed([ITEMS])
