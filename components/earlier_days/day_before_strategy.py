"""Finds what the day before has left."""

from datetime import date, timedelta

from ml_metadata import MetadataStore
from tfx import types
from tfx.dsl.components.common import resolver

from components.earlier_days.newest import newest_of
from transforms.input_error import InputError


class DayBeforeStrategy(resolver.ResolverStrategy):
    """Resolves what the day before has left, of each kind the newest.

        Resolver(
            strategy_class=DayBeforeStrategy,
            config={"span": 19_732},
            transform_graph=Channel(type=TransformGraph),
        )

    Args:
        span: the day itself, days since 1970-01-01.
    """

    def __init__(self, span: int) -> None:
        self.span = span

    def resolve_artifacts(
        self, store: MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Picks one artifact of each kind.

        Args:
            store: not asked; the channels bring all that is needed.
            input_dict: all there are, by kind.
        Returns:
            One of each kind.
        Raises:
            InputError: the day before has left none of a kind.
        """
        return {name: [self._newest(name, artifacts)] for name, artifacts in input_dict.items()}

    def _newest(self, name: str, artifacts: list[types.Artifact]) -> types.Artifact:
        found = newest_of(artifacts, self.span - 1)
        if not found:
            before = date(1970, 1, 1) + timedelta(days=self.span - 1)
            raise InputError(
                f"expected {name} of {before} to go on from, found none; run --date {before} first"
            )
        return found[0]
