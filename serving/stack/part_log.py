"""What a part says, in a file that does not grow without end."""

import contextlib
import os
import shutil
from pathlib import Path
from typing import BinaryIO

_LAST_BYTES = 4096


class PartLog:
    """A log file, and one older one beside it.

    A process appends to it by itself, so that what it said stays though whoever watches it dies.

    Args:
        path: the file; the older one has `.1` behind its name.
        max_bytes: beyond which the file is emptied when `trim` looks at it.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self.max_bytes = max_bytes

    def open(self) -> BinaryIO:
        """For a process to append to, unbuffered."""
        return self.path.open("ab", buffering=0)

    def trim(self) -> None:
        """Where the file is too long, makes it the older one; lines said meanwhile may be lost.

        Raises:
            OSError: it cannot be looked at or emptied.
        """
        try:
            is_long = self.path.stat().st_size > self.max_bytes
        except FileNotFoundError:
            return
        if is_long:
            # Emptied and not replaced, for the process has it open, and appends wherever its end is. A full disk, on
            # which there can be no copy, needs the room all the more.
            with contextlib.suppress(OSError):
                shutil.copyfile(self.path, self.path.with_name(f"{self.path.name}.1"))
            os.truncate(self.path, 0)

    def last_line(self) -> str:
        """The last line that is not empty; an empty text where there is none, or it cannot be read."""
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, self.path.stat().st_size - _LAST_BYTES))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1] if lines else ""
