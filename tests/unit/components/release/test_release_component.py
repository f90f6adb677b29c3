"""Release over real files: which models belong together, and what serving gets."""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from tfx import types
from tfx.types import standard_artifacts

from components import artifacts
from components.release import item_files
from components.release.component import Release
from components.release.config import ReleaseConfig
from components.release.executor import Executor
from serving.model_description import write_description
from serving.release.release import Release as ReleaseFile
from serving.release.released_ctr import ReleasedCtr
from serving.release.released_encoder import ReleasedEncoder
from serving.release.released_recall import ReleasedRecall
from serving.release.sample_user import SampleUser
from transforms.configuration import to_json
from transforms.feature import Feature
from transforms.ingest_config import IngestConfig
from transforms.input_error import InputError

INGEST = IngestConfig(features=(Feature("gender"), Feature("age", "numeric"), Feature("brand", side="item")))


def artifact(kind: type[types.Artifact], uri: Path | str) -> Any:
    made = kind()
    made.uri = str(uri)
    return made


def example(**columns: list[Any]) -> bytes:
    features = {}
    for name, values in columns.items():
        if values and isinstance(values[0], str):
            lists = {"bytes_list": tf.train.BytesList(value=[value.encode() for value in values])}
        elif values and isinstance(values[0], float):
            lists = {"float_list": tf.train.FloatList(value=values)}
        else:
            lists = {"int64_list": tf.train.Int64List(value=values)}
        features[name] = tf.train.Feature(**lists)
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def impression(user: str, behaviors: int, **columns: list[Any]) -> bytes:
    of_behaviors = {
        f"behavior_{name}": [f"{name[0]}{place}" for place in range(behaviors)]
        for name in ("item_id", "category_id", "shop_id")
    }
    return example(user_id=[user], item_id=["i9"], brand=["x"], clicked=[1], **of_behaviors, **columns)


class Root:
    """A ROOT with artifacts and pushed models, which the executor runs over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.serving = folder / "serving"
        self.runs = 0
        self.examples = folder / "examples"
        (self.examples / "Split-test").mkdir(parents=True)
        with tf.io.TFRecordWriter(str(self.examples / "Split-test" / "examples-00000-of-00001")) as writer:
            writer.write(impression("few", 4))
            writer.write(impression("u1", 5, gender=["f"], age=[31.5]))
            writer.write(impression("u1", 7, gender=["f"], age=[32.5]))
            writer.write(impression("ü2", 6, gender=[], age=[float("nan")]))
            writer.write(impression("u3", 9))
        self.embed(image="image-a", text="text-a")

    def push(self, name: str, version: int, **description: Any) -> None:
        """What a Pusher leaves of a model."""
        folder = self.serving / name / str(version)
        write_description(str(folder), description)
        (folder / "saved_model.pb").write_bytes(b"")

    def push_all(self, version: int = 1, image: str = "image-a", text: str = "text-a") -> None:
        encoders = {"image": image, "text": text}
        for modality, fingerprint in encoders.items():
            self.push(f"{modality}_encoder", version, fingerprint=fingerprint)
        self.push("ctr", version, model="simtier", num_tiers=7, encoders=encoders)
        self.push("recall", version, model="output", encoders=encoders)

    def embed(self, **fingerprints: str) -> None:
        """A run's catalog and embeddings, by these encoders."""
        self.runs += 1
        columns = {"item_id": ["a", "b"]} | {
            f"{modality}_encoder": [fingerprint, None] for modality, fingerprint in fingerprints.items()
        }
        for name, table in (
            ("catalog", {"item_id": ["a", "b"], "run": [self.runs] * 2}),
            ("embeddings", columns),
        ):
            folder = self.folder / name / str(self.runs)
            (folder / "rejects").mkdir(parents=True)
            pq.write_table(pa.table(table), folder / f"{name}-00000.parquet")
            (folder / "counts.json").write_text("{}")

    def release(
        self, modalities: tuple[str, ...] = ("image", "text"), recall: bool = True, users: int = 20
    ) -> Any:
        """Runs the executor; what its `result.json` says."""
        examples = artifact(standard_artifacts.Examples, self.examples)
        examples.split_names = '["train", "eval", "test"]'
        inputs = {
            "examples": [examples],
            "catalog": [artifact(artifacts.Catalog, self.folder / "catalog" / str(self.runs))],
        }
        # Artifacts of Pushers are there also where they pushed nothing.
        models = ["ctr", *(f"{modality}_encoder" for modality in modalities), *(["recall"] if recall else [])]
        for name in models:
            inputs[f"pushed_{name}"] = [
                artifact(standard_artifacts.PushedModel, self.folder / "pushed" / name)
            ]
        if modalities:
            inputs["embeddings"] = [
                artifact(artifacts.Embeddings, self.folder / "embeddings" / str(self.runs))
            ]
        out = self.folder / "release" / str(self.runs)
        properties = {
            "serving": str(self.serving),
            "ingest": to_json(INGEST),
            "config": to_json(ReleaseConfig(users)),
        }
        Executor().Do(inputs, {"release": [artifact(artifacts.Release, out)]}, properties)
        return json.loads((out / "result.json").read_text())

    def read(self) -> ReleaseFile:
        return ReleaseFile.read(self.serving / "release.json")


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


def test_a_run_that_pushed_everything(root: Root) -> None:
    root.push_all(17)
    assert root.release() == {"release": 1, "reason": None}
    release = root.read()
    assert (release.number, release.ctr) == (1, ReleasedCtr("17", "simtier", 7))
    assert release.recall == ReleasedRecall("17")
    assert release.encoders == {
        "image": ReleasedEncoder("17", "image-a"),
        "text": ReleasedEncoder("17", "text-a"),
    }
    assert Path(release.catalog) == root.serving / "items" / "1" / "catalog"
    # Parquet files alone, and without a second copy on the disk.
    (file,) = Path(release.catalog).iterdir()
    assert os.path.samefile(file, root.folder / "catalog" / "1" / "catalog-00000.parquet")
    assert [path.name for path in Path(str(release.embeddings)).iterdir()] == ["embeddings-00000.parquet"]


def test_sample_users_are_raw_columns_as_requests_have_them(root: Root) -> None:
    root.push_all()
    root.release(users=2)
    first, second = root.read().sample_users
    behaviors = tuple({"item_id": f"i{n}", "category_id": f"c{n}", "shop_id": f"s{n}"} for n in range(5))
    # At the first impression, without the item's columns; what is missing is left out.
    assert first == SampleUser({"user_id": "u1", "gender": "f", "age": 31.5}, behaviors)
    assert second.user == {"user_id": "ü2"} and len(second.behaviors) == 6
    root.release()
    assert [user.user["user_id"] for user in root.read().sample_users] == ["u1", "ü2", "u3"]
    root.release(users=0)
    assert root.read().sample_users == ()


def test_only_the_model_of_clicks_was_blessed(root: Root) -> None:
    root.push_all(1)
    root.release()
    # The encoders of the second run were refused, so that the last blessed ones embedded its catalog.
    root.embed(image="image-a", text="text-a")
    root.push("ctr", 2, model="simtier", num_tiers=7, encoders={"image": "image-a", "text": "text-a"})
    assert root.release() == {"release": 2, "reason": None}
    release = root.read()
    assert (release.ctr.version, release.recall, release.encoders["text"].version) == (
        "2",
        ReleasedRecall("1"),
        "1",
    )
    assert pq.read_table(release.catalog)["run"].to_pylist() == [2, 2]


def test_new_encoders_without_their_models_are_not_released(root: Root) -> None:
    root.push_all(1)
    root.release()
    before = (root.serving / "release.json").read_bytes()
    root.embed(image="image-b", text="text-a")
    root.push("image_encoder", 2, fingerprint="image-b")
    root.push("ctr", 2, model="simtier", num_tiers=7, encoders={"image": "image-b", "text": "text-a"})
    result = root.release()
    assert result["release"] is None
    assert result["reason"] == (
        "the recall model 1, the latest one pushed, was trained with image embeddings of the encoder image-a, "
        "but the catalog's are of image-b"
    )
    assert (root.serving / "release.json").read_bytes() == before
    assert [path.name for path in (root.serving / "items").iterdir()] == ["1"]
    # Once its recall model is there too, it is.
    root.push("recall", 2, model="output", encoders={"image": "image-b", "text": "text-a"})
    assert root.release()["release"] == 2
    release = root.read()
    assert (release.encoders["image"].version, release.encoders["text"].version) == ("2", "1")


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("ctr", "no ctr model was pushed, in this run or before"),
        ("recall", "no recall model was pushed, in this run or before"),
        (
            "text_encoder",
            "the catalog's text embeddings are of the encoder text-a, of which no version was pushed",
        ),
    ],
)
def test_a_model_that_was_never_pushed(root: Root, missing: str, reason: str) -> None:
    root.push_all()
    # A push that was cut short.
    (root.serving / missing / "1" / "saved_model.pb").unlink()
    (root.serving / missing / "notes").mkdir()
    assert root.release() == {"release": None, "reason": reason}
    assert not (root.serving / "release.json").exists()


def test_nothing_was_ever_pushed(root: Root) -> None:
    assert root.release()["reason"].startswith("the catalog's image embeddings are of the encoder image-a")


def test_a_model_that_does_not_say_what_it_is(root: Root) -> None:
    root.push_all()
    (root.serving / "ctr" / "1" / "assets.extra" / "description.json").unlink()
    assert "expected assets.extra/description.json, got none" in root.release()["reason"]


def test_versions_are_numbers_not_texts(root: Root) -> None:
    for version in (9, 10):
        root.push_all(version)
    root.release()
    assert root.read().ctr.version == root.read().encoders["image"].version == "10"


def test_a_run_without_recall_or_encoders(root: Root) -> None:
    root.push("ctr", 5, model="id", num_tiers=20, encoders={})
    assert root.release(modalities=(), recall=False)["release"] == 1
    release = root.read()
    assert (release.recall, release.encoders, release.embeddings) == (None, {}, None)


def test_a_model_of_more_modalities_than_the_run_has(root: Root) -> None:
    root.push_all()
    assert root.release(modalities=("text",))["reason"].endswith("but the catalog's are of none")


def test_the_items_of_the_last_two_are_kept(root: Root) -> None:
    root.push_all()
    for _ in range(3):
        root.release()
    assert sorted(path.name for path in (root.serving / "items").iterdir()) == ["2", "3"]
    assert pq.read_table(root.read().catalog).num_rows == 2


def test_what_a_killed_run_left_is_written_anew(root: Root) -> None:
    root.push_all()
    half = root.serving / "items" / "1" / "catalog"
    half.mkdir(parents=True)
    (half / "catalog-99999.parquet").write_bytes(b"half")
    assert root.release()["release"] == 1
    assert [path.name for path in half.iterdir()] == ["catalog-00000.parquet"]


def test_where_there_are_no_links_files_are_copied(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: Any) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(item_files.os, "link", no_links)
    root.push_all()
    root.release()
    (file,) = Path(root.read().catalog).iterdir()
    source = root.folder / "catalog" / "1" / file.name
    assert file.read_bytes() == source.read_bytes() and not os.path.samefile(file, source)


def test_a_last_release_that_cannot_be_read_is_no_silent_beginning(root: Root) -> None:
    root.push_all()
    (root.serving / "release.json").write_text("{")
    result = root.release()
    assert result["release"] is None and "release.json: expected JSON" in result["reason"]
    assert (root.serving / "release.json").read_text() == "{"


def test_a_release_that_is_too_large_is_none(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    root.push_all()
    root.release()
    before = (root.serving / "release.json").read_bytes()
    monkeypatch.setattr("serving.release.release.MAX_BYTES", len(before) - 1)
    (root.serving / "release.json").unlink()
    result = root.release()
    assert result["release"] is None
    assert result["reason"].endswith(
        f"release.json: expected at most {len(before) - 1} bytes, got {len(before)}"
    )
    assert not (root.serving / "release.json").exists()


def test_settings() -> None:
    assert ReleaseConfig().sample_users == 20
    for users in (-1, 1_001):
        with pytest.raises(InputError, match=f"release.sample_users must be 0 to 1000, got {users}"):
            ReleaseConfig(users)


def test_component_is_wired_by_type() -> None:
    examples = types.Channel(type=standard_artifacts.Examples)
    catalog = types.Channel(type=artifacts.Catalog)
    pushed = types.Channel(type=standard_artifacts.PushedModel)
    alone = Release(examples, catalog, pushed, "serving", INGEST, ReleaseConfig())
    assert set(alone.inputs) == {"examples", "catalog", "pushed_ctr"}
    whole = Release(
        examples,
        catalog,
        pushed,
        "serving",
        INGEST,
        ReleaseConfig(),
        types.Channel(type=artifacts.Embeddings),
        {"image": pushed, "text": pushed},
        pushed,
    )
    encoders = {"pushed_image_encoder", "pushed_text_encoder"}
    assert (
        set(whole.inputs) == {"examples", "catalog", "embeddings", "pushed_ctr", "pushed_recall"} | encoders
    )
    with pytest.raises(TypeError):
        Release(catalog, catalog, pushed, "serving", INGEST, ReleaseConfig())
