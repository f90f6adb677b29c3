"""The file that names a release."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from serving.release.release import Release
from serving.release.released_ctr import ReleasedCtr
from serving.release.released_encoder import ReleasedEncoder
from serving.release.released_recall import ReleasedRecall
from serving.release.sample_user import SampleUser
from transforms.input_error import InputError


def made(folder: Path, number: int = 3, **values: Any) -> Release:
    whole: dict[str, Any] = {
        "number": number,
        "ctr": ReleasedCtr("17", "simtier_make", 20),
        "recall": ReleasedRecall("18"),
        "encoders": {"image": ReleasedEncoder("11", "ab"), "text": ReleasedEncoder("12", "cd")},
        "catalog": f"{folder}/items/3/catalog",
        "embeddings": f"{folder}/items/3/embeddings",
        "sample_users": (
            SampleUser(
                {"user_id": "ü1", "age": 31.5, "visits": 7},
                ({"item_id": "i", "category_id": "", "shop_id": "s"},),
            ),
        ),
    }
    return Release(**whole | values)


def test_the_file_as_it_is_documented(tmp_path: Path) -> None:
    made(tmp_path).write(tmp_path / "release.json")
    assert json.loads((tmp_path / "release.json").read_text()) == {
        "format": 1,
        "release": 3,
        "ctr": {"version": "17", "model": "simtier_make", "num_tiers": 20},
        "recall": {"version": "18"},
        "encoders": {
            "image": {"version": "11", "fingerprint": "ab"},
            "text": {"version": "12", "fingerprint": "cd"},
        },
        "catalog": "items/3/catalog",
        "embeddings": "items/3/embeddings",
        "sample_users": [
            {
                "user": {"user_id": "ü1", "age": 31.5, "visits": 7},
                "behaviors": [{"item_id": "i", "category_id": "", "shop_id": "s"}],
            }
        ],
    }


def test_reading_gives_what_was_written_wherever_the_folder_went(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    made(tmp_path / "before").write(tmp_path / "before" / "release.json")
    assert Release.read(tmp_path / "before" / "release.json") == made(tmp_path / "before")
    (tmp_path / "before").rename(tmp_path / "after")
    assert Release.read(str(tmp_path / "after" / "release.json")) == made(tmp_path / "after")


def test_a_run_of_ids_alone_and_uris(tmp_path: Path) -> None:
    release = made(
        tmp_path, recall=None, encoders={}, embeddings=None, catalog="gs://shop/catalog", sample_users=()
    )
    release.write(tmp_path / "release.json")
    assert Release.read(tmp_path / "release.json") == release


def changed(folder: Path, path: str, value: Any) -> Path:
    """A file with another value at a path of keys."""
    made(folder).write(folder / "release.json")
    values = json.loads((folder / "release.json").read_text())
    *above, last = path.split("/")
    inner = values
    for key in above:
        inner = inner[int(key) if key.isdecimal() else key]
    inner[last] = value
    (folder / "release.json").write_text(json.dumps(values))
    return folder / "release.json"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", 2, "format: expected 1, got 2"),
        ("release", 0, "release: expected a whole number of at least 1, got 0"),
        ("release", True, "release: expected a whole number of at least 1, got True"),
        ("release", 2**63, "release: expected a whole number"),
        ("surplus", 1, "the file: expected the keys format, release, ctr"),
        ("ctr", None, "ctr: expected an object, got None"),
        ("ctr/version", "latest", "ctr.version: expected a whole number as text, got 'latest'"),
        ("ctr/version", 17, "ctr.version: expected a whole number as text, got 17"),
        ("ctr/num_tiers", 1.5, "ctr.num_tiers: expected a whole number of at least 1"),
        ("ctr/model", "", "ctr.model: expected a text of 1 to 16384 characters, got ''"),
        ("recall/version", "../17", "recall.version: expected a whole number as text"),
        ("recall/more", 1, "recall: expected the keys version, got 'version, more'"),
        (
            "encoders/sound",
            {"version": "1", "fingerprint": "x"},
            "encoders: expected image and text, got 'sound'",
        ),
        ("encoders/image/fingerprint", 5, "encoders.image.fingerprint: expected a text"),
        ("encoders", {}, "embeddings: expected a folder where there are encoders"),
        ("embeddings", None, "embeddings: expected a folder where there are encoders, got None"),
        ("catalog", "/etc", "catalog: expected a path below the file's folder, or a URI, got '/etc'"),
        ("catalog", "items/../../secret", "catalog: expected a path below the file's folder"),
        ("embeddings", "a\0b", "embeddings: expected a path below the file's folder"),
        ("sample_users", [{}] * 1_001, "sample_users: expected a list of at most 1000"),
        ("sample_users/0/user/age", None, r"sample_users\[0\].user.age: expected a text"),
        ("sample_users/0/user/age", [1], r"sample_users\[0\].user.age: expected a text"),
        ("sample_users/0/user/age", True, r"sample_users\[0\].user.age: expected a whole number"),
        ("sample_users/0/user/age", 10**30, r"sample_users\[0\].user.age: expected a whole number"),
        ("sample_users/0/behaviors/0/item_id", "", r"behaviors\[0\].item_id: expected a text of 1"),
        ("sample_users/0/behaviors/0/shop_id", None, r"behaviors\[0\].shop_id: expected a text of 0"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, path: str, value: Any, message: str) -> None:
    file = changed(tmp_path, path, value)
    with pytest.raises(InputError, match=f"release .*release.json: .*{message}"):
        Release.read(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected JSON"),
        (b"[1]", "the file: expected an object"),
        (b'{"release": NaN}', "NaN is no number"),
        (b"\xff\xfe", "expected JSON"),
        (b"[" * 100_000, "expected JSON"),
    ],
)
def test_bytes_that_are_no_release(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "release.json").write_bytes(content)
    with pytest.raises(InputError, match=message):
        Release.read(tmp_path / "release.json")


def test_no_file_and_one_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="release.json: expected a file, got: No such file"):
        Release.read(tmp_path / "release.json")
    made(tmp_path).write(tmp_path / "release.json")
    monkeypatch.setattr("serving.release.release.MAX_BYTES", 50)
    with pytest.raises(InputError, match="expected at most 50 bytes"):
        Release.read(tmp_path / "release.json")


@pytest.mark.parametrize(
    "values",
    [{"number": 0}, {"catalog": "/elsewhere"}, {"sample_users": (SampleUser({"age": float("nan")}, ()),)}],
)
def test_what_could_not_be_read_is_not_written(tmp_path: Path, values: dict[str, Any]) -> None:
    made(tmp_path).write(tmp_path / "release.json")
    with pytest.raises(InputError):
        made(tmp_path, **values).write(tmp_path / "release.json")
    assert Release.read(tmp_path / "release.json").number == 3


def test_more_than_can_be_read_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "release.json"
    # Bytes count, and not characters.
    large = made(tmp_path, ctr=ReleasedCtr("1", "ä" * 1_000, 5))
    large.write(file)
    size = file.stat().st_size
    made(tmp_path).write(file)
    monkeypatch.setattr("serving.release.release.MAX_BYTES", size - 1)
    with pytest.raises(InputError, match=f"expected at most {size - 1} bytes, got {size}"):
        large.write(file)
    assert Release.read(file) == made(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["release.json"]


def test_an_identity_is_of_all_that_a_release_says(tmp_path: Path) -> None:
    release = made(tmp_path)
    release.write(tmp_path / "release.json")
    assert Release.read(tmp_path / "release.json").identity == release.identity == made(tmp_path).identity
    others = [
        made(tmp_path, 4),
        made(tmp_path, ctr=ReleasedCtr("9", "other", 5)),
        made(tmp_path, recall=ReleasedRecall("999")),
        made(tmp_path, sample_users=()),
    ]
    assert len({each.identity for each in [release, *others]}) == 5


def test_readers_see_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "release.json"
    made(tmp_path, 1).write(file)
    done = threading.Event()

    def write() -> None:
        for number in range(2, 60):
            made(tmp_path, number).write(file)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while not done.is_set():
        seen.append(Release.read(file).number)
    writer.join()
    assert seen == sorted(seen) and Release.read(file).number == 59
    assert [path.name for path in tmp_path.iterdir()] == ["release.json"]
