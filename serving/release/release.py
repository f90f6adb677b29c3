"""What a run of the pipeline hands to serving."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from serving.checked_arguments import shown
from serving.release.checked_values import (
    no_number,
    read_list,
    read_mapping,
    read_object,
    read_scalar,
    read_text,
    read_whole,
)
from serving.release.released_ctr import ReleasedCtr
from serving.release.released_encoder import ReleasedEncoder
from serving.release.released_recall import ReleasedRecall
from serving.release.sample_user import SampleUser
from transforms.input_error import InputError

FORMAT = 1
RELEASE_FILE = "release.json"
MODALITIES = ("image", "text")
BEHAVIOR_COLUMNS = ("item_id", "category_id", "shop_id")

MAX_BYTES = 16 * 2**20
MAX_SAMPLE_USERS = 1_000
_VERSION = re.compile(r"[1-9][0-9]{0,18}")
_KEYS = ("format", "release", "ctr", "recall", "encoders", "catalog", "embeddings", "sample_users")


@dataclass(frozen=True)
class Release:
    """Models that were pushed and fit together, and the items that they were made with.

    The file `release.json` is written last, when everything it names is in its place, so whoever reads it finds
    a whole. In it, `catalog` and `embeddings` are relative to its folder, or URIs; here they can be opened as
    they are.

    Attributes:
        number: of the release, 1 or more; a later one has a larger one.
        ctr: the model of clicks.
        recall: the model of recall; None in a run without one.
        encoders: by modality, "image" or "text"; none in a run of ids alone.
        catalog: the folder of the catalog's Parquet files.
        embeddings: the folder of CatalogEmbedder's Parquet files; None without encoders.
        sample_users: users to try requests with.
    """

    number: int
    ctr: ReleasedCtr
    recall: ReleasedRecall | None
    encoders: Mapping[str, ReleasedEncoder]
    catalog: str
    embeddings: str | None
    sample_users: tuple[SampleUser, ...] = ()

    @property
    def identity(self) -> str:
        """Its number and a digest of all that it says: the numbers of a ROOT that is made anew begin again."""
        content = json.dumps(asdict(self), sort_keys=True).encode()
        return f"{self.number}:{hashlib.sha256(content).hexdigest()[:16]}"

    @property
    def versions(self) -> dict[str, str]:
        """By modality, the versions of the encoders."""
        return {modality: encoder.version for modality, encoder in self.encoders.items()}

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Reads `release.json`, a local file.

        Raises:
            InputError: there is no such file, or it is no release.
        """
        path = Path(path)
        try:
            with open(path, "rb") as stream:
                content = stream.read(MAX_BYTES + 1)
        except OSError as error:
            raise InputError(f"release {path}: expected a file, got: {error.strerror}") from error
        if len(content) > MAX_BYTES:
            raise InputError(f"release {path}: expected at most {MAX_BYTES} bytes, got more")
        try:
            values = json.loads(content, parse_constant=no_number)
        except (ValueError, RecursionError) as error:
            raise InputError(f"release {path}: expected JSON, got: {error}") from error
        try:
            return cls(**_parse(values, str(path.parent)))
        except InputError as error:
            raise InputError(f"release {path}: {error}") from error

    def write(self, path: str | Path) -> None:
        """Writes `release.json`; a reader sees the old file or the new one, also after a power cut.

        Raises:
            InputError: it could not be read again; then the old file stays.
        """
        path = Path(path)
        folder = str(path.parent)
        values = {
            "format": FORMAT,
            "release": self.number,
            "ctr": asdict(self.ctr),
            "recall": None if self.recall is None else asdict(self.recall),
            "encoders": {modality: asdict(encoder) for modality, encoder in self.encoders.items()},
            "catalog": _relative(self.catalog, folder),
            "embeddings": None if self.embeddings is None else _relative(self.embeddings, folder),
            "sample_users": [
                {"user": dict(each.user), "behaviors": [dict(behavior) for behavior in each.behaviors]}
                for each in self.sample_users
            ],
        }
        # What cannot be read must not be written.
        _parse(values, folder)
        content = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False).encode()
        if len(content) > MAX_BYTES:
            raise InputError(f"release {path}: expected at most {MAX_BYTES} bytes, got {len(content)}")
        partial = path.with_name(f"{path.name}.partial")
        with open(partial, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _parse(values: Any, folder: str) -> dict[str, Any]:
    values = read_object(values, "the file", _KEYS)
    if values["format"] != FORMAT:
        raise InputError(f"format: expected {FORMAT}, got {shown(values['format'])}")
    recall, embeddings = values["recall"], values["embeddings"]
    encoders = read_mapping(values["encoders"], "encoders")
    for modality in encoders:
        if modality not in MODALITIES:
            raise InputError(f"encoders: expected {' and '.join(MODALITIES)}, got {shown(modality)}")
    if bool(encoders) != (embeddings is not None):
        raise InputError(f"embeddings: expected a folder where there are encoders, got {shown(embeddings)}")
    return {
        "number": read_whole(values["release"], "release", 1),
        "ctr": _ctr(values["ctr"]),
        "recall": None if recall is None else ReleasedRecall(_version(recall, "recall", ("version",))),
        "encoders": {modality: _encoder(value, modality) for modality, value in encoders.items()},
        "catalog": _place(values["catalog"], "catalog", folder),
        "embeddings": None if embeddings is None else _place(embeddings, "embeddings", folder),
        "sample_users": read_list(values["sample_users"], "sample_users", MAX_SAMPLE_USERS, _sample_user),
    }


def _ctr(value: Any) -> ReleasedCtr:
    version = _version(value, "ctr", ("version", "model", "num_tiers"))
    return ReleasedCtr(
        version, read_text(value["model"], "ctr.model"), read_whole(value["num_tiers"], "ctr.num_tiers", 1)
    )


def _encoder(value: Any, modality: str) -> ReleasedEncoder:
    where = f"encoders.{modality}"
    version = _version(value, where, ("version", "fingerprint"))
    return ReleasedEncoder(version, read_text(value["fingerprint"], f"{where}.fingerprint"))


def _version(value: Any, where: str, keys: tuple[str, ...]) -> str:
    """The version of a model's entry, whose keys are checked too."""
    version = read_object(value, where, keys)["version"]
    if not (isinstance(version, str) and _VERSION.fullmatch(version)):
        raise InputError(f"{where}.version: expected a whole number as text, got {shown(version)}")
    return version


def _place(value: Any, where: str, folder: str) -> str:
    """A folder below the file's own, or a URI."""
    place = read_text(value, where)
    if "://" in place:
        return place
    if os.path.isabs(place) or ".." in Path(place).parts or "\0" in place:
        raise InputError(f"{where}: expected a path below the file's folder, or a URI, got {shown(place)}")
    return os.path.join(folder, place)


def _relative(place: str, folder: str) -> str:
    return place if "://" in place else os.path.relpath(place, folder)


def _sample_user(value: Any, where: str) -> SampleUser:
    value = read_object(value, where, ("user", "behaviors"))
    user = read_mapping(value["user"], f"{where}.user")
    columns = {name: read_scalar(entry, f"{where}.user.{name}") for name, entry in user.items()}
    return SampleUser(columns, read_list(value["behaviors"], f"{where}.behaviors", 10_000, _behavior))


def _behavior(value: Any, where: str) -> Mapping[str, str]:
    value = read_object(value, where, BEHAVIOR_COLUMNS)
    return {
        name: read_text(value[name], f"{where}.{name}", least=name == "item_id") for name in BEHAVIOR_COLUMNS
    }
