"""Finds what was made last on the days before."""

from ml_metadata import MetadataStore
from tfx import types
from tfx.dsl.components.common import resolver

from components.blessed_model.verdicts import CLICK_BLESSING, CLICK_MODEL, blessed_days
from components.earlier_days.newest import newest_of


class LastMadeStrategy(resolver.ResolverStrategy):
    """Resolves what was made last before a day, on a day whose click model was blessed; none where there is none.

    Args:
        span: the day, days since 1970-01-01.
    """

    def __init__(self, span: int) -> None:
        self.span = span

    def resolve_artifacts(
        self, store: MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Picks at most one artifact of each kind.

        Args:
            store: not asked; the channels bring all that is needed.
            input_dict: `click_model`, `click_blessing` and other kinds, all there are.
        Returns:
            At most one of each of the other kinds.
        """
        days = sorted(span for span in blessed_days(input_dict) if span < self.span)
        found = {
            name: [artifact for day in days for artifact in newest_of(artifacts, day)][-1:]
            for name, artifacts in input_dict.items()
        }
        return found | {CLICK_MODEL: [], CLICK_BLESSING: []}
