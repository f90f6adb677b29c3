"""Finds what the last days have left whose models were blessed."""

from ml_metadata import MetadataStore
from tfx import types
from tfx.dsl.components.common import resolver

from components.blessed_model.verdicts import CLICK_BLESSING, CLICK_MODEL, blessed_days
from components.earlier_days.newest import newest_of


class EarlierBlessedDaysStrategy(resolver.ResolverStrategy):
    """Resolves what the last days before a day have left, of those alone whose click model was blessed.

    What a refused day has left (clicks that are none, say) is no more to be learned from another day.

    Args:
        span: the day, days since 1970-01-01.
        days: how many days count, the day itself among them.
    """

    def __init__(self, span: int, days: int) -> None:
        self.span = span
        self.days = days

    def resolve_artifacts(
        self, store: MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Picks one artifact for each day.

        Args:
            store: not asked; the channels bring all that is needed.
            input_dict: `click_model`, `click_blessing` and other kinds, all there are.
        Returns:
            Of each of the other kinds the newest of each day, in the order of the days.
        """
        first = self.span - self.days + 1
        days = sorted(span for span in blessed_days(input_dict) if first <= span < self.span)
        found = {
            name: [artifact for day in days for artifact in newest_of(artifacts, day)]
            for name, artifacts in input_dict.items()
        }
        return found | {CLICK_MODEL: [], CLICK_BLESSING: []}
