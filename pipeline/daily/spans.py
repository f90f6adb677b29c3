"""Has all that a day makes bear the day."""

from collections.abc import Iterable

from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver

from components.span import SPAN


def tag_outputs(nodes: Iterable[BaseNode], span: int) -> None:
    """Has all artifacts that stages put out bear a day, as `components.span` reads it.

    TFX itself writes it to each artifact before its stage runs, those of TFX's own stages too. Its cache looks at it,
    so nothing of one day is taken for another's.

    Args:
        nodes: the stages; what a resolver finds keeps the day that it bears.
        span: days since 1970-01-01.
    """
    for node in nodes:
        if isinstance(node, Resolver):
            continue
        for channel in node.outputs.values():
            has_property = SPAN in (channel.type.PROPERTIES or {})
            tags = channel.additional_properties if has_property else channel.additional_custom_properties
            tags[SPAN] = span
