"""A process of the stack."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Part:
    """A process of the stack.

    Attributes:
        name: names it to the user, and its log.
        command: what to start.
        ready_url: answers 200 over HTTP once the part does its work.
        ready_file: is there once it does; what an earlier process left is removed. With neither it does once it runs.
    """

    name: str
    command: tuple[str, ...]
    ready_url: str | None = None
    ready_file: Path | None = None
