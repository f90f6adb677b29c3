"""Picks an artifact by its day."""

from collections.abc import Iterable

from tfx import types

from components.span import span_of


def newest_of(artifacts: Iterable[types.Artifact], span: int) -> list[types.Artifact]:
    """The artifact of a day that was made last, since a day may have been run several times; none without one."""
    found = [artifact for artifact in artifacts if span_of(artifact) == span]
    return sorted(found, key=lambda artifact: artifact.id)[-1:]
