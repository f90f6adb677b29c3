"""The rows of the parts, so that a call that makes one of them keeps the others."""

import json
from collections.abc import Iterable

from components.report import files
from pipeline.experiment.rows import Rows


class RowStore:
    """Keeps one JSON file a part, with what its rows follow from.

    Rows of other logs or of another configuration stay where they are until their part is made again, and are
    not shown beside these.

    Args:
        folder: where the files lie.
        fingerprint: of the logs and the configuration.
    """

    def __init__(self, folder: str, fingerprint: str) -> None:
        self.folder = folder
        self.fingerprint = fingerprint

    def save(self, part: str, rows: Rows) -> None:
        """Replaces a part's rows."""
        kept = {"fingerprint": self.fingerprint, "rows": rows}
        files.write_text(self._path(part), json.dumps(kept, indent=2, allow_nan=False) + "\n")

    def load(self, parts: Iterable[str]) -> dict[str, Rows]:
        """The rows of those parts that were made of the same logs by the same configuration, in their order."""
        kept = {part: files.read_json(self._path(part)) for part in parts if files.exists(self._path(part))}
        return {
            part: found["rows"] for part, found in kept.items() if found["fingerprint"] == self.fingerprint
        }

    def _path(self, part: str) -> str:
        return f"{self.folder}/{part}.json"
