"""What an index says of itself."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from serving.retrieval.config import IndexConfig
from serving.retrieval.scann_parameters import ScannParameters
from transforms.configuration import from_json, to_json
from transforms.input_error import InputError

DESCRIPTION_FILE = "index.json"
_MAX_BYTES = 65_536


@dataclass(frozen=True)
class IndexDescription:
    """What `index.json` holds.

    Attributes:
        version: of the vectors, as who built the index named it.
        num_items: how many were built in; those that were added later are not counted.
        dim: numbers of a vector.
        recall: share of the exact top items that the index found when it was built; 1 where search is exact.
        recall_at: how many top items that share is of.
        num_recall_queries: how many queries measured it; 0 where search is exact.
        build_seconds: what building took, with measuring.
        config: what was asked for.
        parameters: ScaNN's; None where search is exact.
        scann_sha256: of the sha256 of each of ScaNN's files, once they are written.
    """

    version: str
    num_items: int
    dim: int
    recall: float
    recall_at: int
    num_recall_queries: int
    build_seconds: float
    config: IndexConfig
    parameters: ScannParameters | None = None
    scann_sha256: str | None = None

    def __post_init__(self) -> None:
        holds = self.num_items >= 0 and self.dim >= 1 and 0 <= self.recall <= 1 and self.recall_at >= 1
        if not holds or not 0 <= self.build_seconds < math.inf or self.num_recall_queries < 0:
            raise InputError(f"expected an index of no negative sizes and a recall of at most 1, got {self}")

    def write(self, folder: Path) -> None:
        """Writes `index.json`."""
        text = json.dumps(json.loads(to_json(self)), indent=2, sort_keys=True)
        (folder / DESCRIPTION_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "IndexDescription":
        """Reads `index.json`.

        Raises:
            InputError: it is missing, too large, no JSON or says something impossible.
        """
        path = folder / DESCRIPTION_FILE
        try:
            with path.open("rb") as stream:
                content = stream.read(_MAX_BYTES + 1)
            if len(content) > _MAX_BYTES:
                raise InputError(f"expected at most {_MAX_BYTES} bytes, got more")
            return from_json(cls, content.decode())
        # Deep nesting ends in RecursionError.
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"{path}: expected the description of an index, got {error}") from error
