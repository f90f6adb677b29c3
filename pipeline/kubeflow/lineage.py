"""What each stage gave, below ROOT: what ML Metadata is to a run on one machine."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tfx.dsl.io import fileio
from tfx.types.artifact import Artifact

from components.report.summary import Stage
from pipeline.kubeflow.artifact_metadata import from_json, to_json
from transforms.input_error import InputError

_LAST = "last.json"

Artifacts = Mapping[str, Sequence[Artifact]]


@dataclass(frozen=True)
class StageRecord:
    """What a stage gave when it ended.

    Attributes:
        node: the stage's name.
        number: of the record; a later one has a higher number.
        key: names the stage's work: the same key, the same results.
        seconds: how long it took.
        outputs: by name, the type's name and the artifacts as JSON values.
    """

    node: str
    number: int
    key: str
    seconds: float
    outputs: dict[str, dict[str, Any]]

    def artifacts(self, types: Mapping[str, type[Artifact]]) -> dict[str, list[Artifact]]:
        """The outputs as artifacts of the given types."""
        return {
            name: [from_json(value, types[name]) for value in output["artifacts"]]
            for name, output in self.outputs.items()
        }


@dataclass(frozen=True)
class Lineage:
    """The records of all stages, `ROOT/lineage/<node>/<number>-<key>.json`.

    A stage on Kubeflow cannot ask the metadata store of the cluster, whose interface differs from version to
    version and which none but the backend's own containers are meant to reach. Files need nothing but ROOT; a
    record is written whole or not at all, and two stages never write the same one.

    Args:
        folder: `Root.lineage`.
    """

    folder: str

    def write(self, record: StageRecord) -> None:
        """Keeps a record; from now on resolvers see its artifacts."""
        name = f"{record.number}-{record.key}.json"
        self._write(record.node, name, asdict(record))
        self._note_last(record.node, name, reused=False)

    def reuse(self, node: str, key: str) -> StageRecord | None:
        """The last record of the same work whose artifacts are all still there; None where there is none."""
        names = [name for name in self._names(node) if name.endswith(f"-{key}.json")]
        for name in reversed(names):
            record = self._read(node, name)
            uris = [value["uri"] for output in record.outputs.values() for value in output["artifacts"]]
            if all(fileio.exists(uri) for uri in uris):
                self._note_last(node, name, reused=True)
                return record
        return None

    def find(
        self, artifact_type: type[Artifact], node: str | None = None, output: str | None = None
    ) -> list[Artifact]:
        """All artifacts of a type, in the order in which they were made.

        Args:
            artifact_type: as a channel names it.
            node: of this stage alone; None: of all.
            output: of this output alone; None: of all.
        Raises:
            InputError: a file among the records is none.
        """
        nodes = self._nodes() if node is None else [node]
        found = {
            value["id"]: from_json(value, artifact_type)
            for name in nodes
            for record in self._records(name)
            for key, given in record.outputs.items()
            if given["type"] == artifact_type.TYPE_NAME and output in (None, key)
            for value in given["artifacts"]
        }
        return sorted(found.values(), key=lambda artifact: artifact.id)

    def stages(self, nodes: Sequence[str]) -> list[Stage]:
        """How long each stage took when it last ran, and whether the last run used what an earlier one made."""
        found = []
        for node in nodes:
            if fileio.exists(f"{self.folder}/{node}/{_LAST}"):
                last = self._json(node, _LAST)
                record = self._read(node, last["record"])
                found.append(Stage(name=node, seconds=record.seconds, cached=last["reused"]))
        return found

    def _records(self, node: str) -> Iterator[StageRecord]:
        return (self._read(node, name) for name in self._names(node))

    def _nodes(self) -> list[str]:
        return self._list(self.folder)

    def _names(self, node: str) -> list[str]:
        """The records' files, the oldest first: numbers are times, all of the same length."""
        names = self._list(f"{self.folder}/{node}")
        return [name for name in names if name.endswith(".json") and name != _LAST]

    def _list(self, folder: str) -> list[str]:
        if not fileio.isdir(folder):
            return []
        return sorted(name.rstrip("/") for name in fileio.listdir(folder))

    def _note_last(self, node: str, name: str, reused: bool) -> None:
        self._write(node, _LAST, {"record": name, "reused": reused})

    def _read(self, node: str, name: str) -> StageRecord:
        try:
            return StageRecord(**self._json(node, name))
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{self.folder}/{node}/{name}: expected the record of a stage of this release, got another file"
            ) from error

    def _json(self, node: str, name: str) -> dict[str, Any]:
        with fileio.open(f"{self.folder}/{node}/{name}", "rb") as stream:
            return json.loads(stream.read())

    def _write(self, node: str, name: str, value: dict[str, Any]) -> None:
        folder = f"{self.folder}/{node}"
        fileio.makedirs(folder)
        partial = f"{folder}/{name}.partial"
        with fileio.open(partial, "w") as stream:
            stream.write(json.dumps(value, indent=2))
        fileio.rename(partial, f"{folder}/{name}", overwrite=True)


def output_values(artifacts: Artifacts) -> dict[str, dict[str, Any]]:
    """Outputs as a record keeps them."""
    return {
        name: {
            "type": given[0].type_name if given else "",
            "artifacts": [to_json(artifact) for artifact in given],
        }
        for name, given in artifacts.items()
    }
