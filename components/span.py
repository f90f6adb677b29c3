"""The day that an artifact belongs to."""

from tfx.types.artifact import Artifact

SPAN = "span"


def set_span(artifact: Artifact, span: int) -> None:
    """Notes the day of an artifact: in the property `span` where its type has one, else in a custom one.

    Args:
        artifact: of any type.
        span: days since 1970-01-01.
    """
    if _has_property(artifact):
        artifact.span = span
    else:
        artifact.set_int_custom_property(SPAN, span)


def span_of(artifact: Artifact) -> int | None:
    """The day of an artifact, days since 1970-01-01; None where no dated run made it."""
    proto = artifact.mlmd_artifact
    found = proto.properties if _has_property(artifact) else proto.custom_properties
    # TFX's own components give those that they make of artifacts without a span the span 0.
    return found[SPAN].int_value or None if SPAN in found else None


def _has_property(artifact: Artifact) -> bool:
    return SPAN in (artifact.PROPERTIES or {})
