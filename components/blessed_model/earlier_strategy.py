"""Finds the model that a day goes on from."""

from ml_metadata import MetadataStore
from tfx import types
from tfx.dsl.components.common import resolver

from components.blessed_model.strategy import MODEL, MODEL_BLESSING
from components.blessed_model.verdicts import CLICK_MODEL, blessed_days, blessed_models
from components.earlier_days.newest import newest_of
from components.span import span_of


class EarlierBlessedModelStrategy(resolver.ResolverStrategy):
    """Resolves the last model that was blessed on an earlier day, and what was made beside it that day.

    A day goes on from it and is measured against it. A day that is run again finds what it found the first time,
    whatever came after it. Encoders and models of recall are gone on from only if the click model of their day was
    blessed too: so a refused day changes nothing, and all that a day goes on from fits together.

        Resolver(
            strategy_class=EarlierBlessedModelStrategy,
            config={"span": 19_732},
            model=Channel(type=Model, producer_component_id="CtrTrainer"),
            model_blessing=Channel(type=ModelBlessing),
            baseline=Channel(type=Model, producer_component_id="IdBaseline"),
        )

    Args:
        span: the day, days since 1970-01-01.
    """

    def __init__(self, span: int) -> None:
        self.span = span

    def resolve_artifacts(
        self, store: MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Picks the model, its blessing and its companions.

        Args:
            store: not asked; the channels bring all that is needed.
            input_dict: `model` and `model_blessing`, where the model is not that of clicks `click_model` and
                `click_blessing`, and companions by any name, all there are.
        Returns:
            At most one of each; of companions the newest of the model's day.
        """
        days = blessed_days(input_dict) if CLICK_MODEL in input_dict else None
        earlier = {
            artifact.id: span
            for artifact in input_dict[MODEL]
            if (span := self._earlier(artifact)) is not None and (days is None or span in days)
        }
        blessed = blessed_models(
            [artifact for artifact in input_dict[MODEL] if artifact.id in earlier], input_dict[MODEL_BLESSING]
        )
        if not blessed:
            return {name: [] for name in input_dict}
        model, blessing = max(blessed, key=lambda pair: (earlier[pair[0].id], pair[1].id))
        companions = {name: newest_of(artifacts, earlier[model.id]) for name, artifacts in input_dict.items()}
        return companions | {MODEL: [model], MODEL_BLESSING: [blessing]}

    def _earlier(self, artifact: types.Artifact) -> int | None:
        span = span_of(artifact)
        return span if span is not None and span < self.span else None
