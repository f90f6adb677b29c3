"""What came of each day."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from tfx.dsl.io import fileio

from components.report.day_record import DAYS_FOLDER, PUSHED, REFUSED, build_day_record
from pipeline.daily.day import Day
from transforms.input_error import InputError


@dataclass(frozen=True)
class Ledger:
    """What came of each day: a file `ROOT/days/<date>.json`, written when the day is over.

    Args:
        root: ROOT, a folder or a URI.
    """

    root: str

    @property
    def folder(self) -> str:
        """Where the files lie."""
        return f"{self.root.rstrip('/')}/{DAYS_FOLDER}"

    def write(self, day: Day, summary: Mapping[str, Any]) -> None:
        """Writes a day's record, in the place of an older one. Readers see the old file or the new one.

        Args:
            day: as it was planned.
            summary: of its run; see `build_day_record`.
        """
        planned = {"first": day.first, "trains_encoders": day.trains_encoders}
        record = build_day_record(summary, day.date.isoformat()) | planned
        fileio.makedirs(self.folder)
        path = f"{self.folder}/{record['date']}.json"
        partial = f"{path}.partial"
        with fileio.open(partial, "w") as stream:
            stream.write(json.dumps(record, indent=2, allow_nan=False) + "\n")
        fileio.rename(partial, path, overwrite=True)

    def read(self) -> dict[date, dict[str, Any]]:
        """The records of all days, in their order.

        Raises:
            InputError: a file of the folder is no record.
        """
        if not fileio.isdir(self.folder):
            return {}
        names = sorted(name.rstrip("/") for name in fileio.listdir(self.folder))
        records = [self._read(f"{self.folder}/{name}") for name in names if name.endswith(".json")]
        return {date.fromisoformat(record["date"]): record for record in records}

    def planned(self, day: date) -> Day | None:
        """How a day was planned; None where it has no record."""
        record = self.read().get(day)
        return None if record is None else Day(day, record["first"], record["trains_encoders"])

    def _read(self, path: str) -> dict[str, Any]:
        with fileio.open(path, "rb") as stream:
            content = stream.read()
        name = path.rsplit("/", 1)[1].removesuffix(".json")
        try:
            record = json.loads(content)
            flags = record["first"], record["trains_encoders"]
            whole = record["status"] in (PUSHED, REFUSED) and all(isinstance(flag, bool) for flag in flags)
            named = date.fromisoformat(record["date"]).isoformat() == name
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: expected the record of a day, got {content[:100]!r}") from error
        if not (named and whole):
            raise InputError(f"{path}: expected the record of that day, got {content[:100]!r}")
        return record
