"""The model of recall of a release."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReleasedRecall:
    """The model of recall of a release.

    Attributes:
        version: the pushed version, as the model server calls it.
    """

    version: str
