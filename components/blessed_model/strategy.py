"""Finds the model that a candidate has to be measured against."""

from ml_metadata import MetadataStore
from tfx import types
from tfx.dsl.components.common import resolver

from components.blessed_model.verdicts import blessed_models

CANDIDATE = "candidate"
MODEL = "model"
MODEL_BLESSING = "model_blessing"


class BlessedModelStrategy(resolver.ResolverStrategy):
    """Resolves the last blessed model other than the candidate.

    TFX's LatestBlessedModelStrategy takes the last blessed model whichever it is. When a run is repeated
    after its Evaluator has finished (because it was killed later, say), that is the candidate itself: the
    Evaluator would see another baseline, run anew, and compare the model with itself. Here the candidate is
    left out, so a repeated run finds the same baseline and the finished Evaluator is not run again. Where an
    older configuration is run again and its model comes out of the cache, the baseline is what was blessed
    since.

        Resolver(
            strategy_class=BlessedModelStrategy,
            candidate=trainer.outputs["model"],
            model=Channel(type=Model, producer_component_id=trainer.id),
            model_blessing=Channel(type=ModelBlessing),
        )

    Where nothing else was blessed, `model` and `model_blessing` are empty and the Evaluator goes without a
    baseline.
    """

    def resolve_artifacts(
        self, store: MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Picks the model and its blessing.

        Args:
            store: not asked; the channels bring all that is needed.
            input_dict: `candidate`, the model of this run; `model` and `model_blessing`, all there are.
        Returns:
            `candidate` as it came, and at most one `model` with its `model_blessing`.
        """
        candidates = {artifact.id for artifact in input_dict[CANDIDATE]}
        others = [artifact for artifact in input_dict[MODEL] if artifact.id not in candidates]
        last = blessed_models(others, input_dict[MODEL_BLESSING])[-1:]
        return {
            CANDIDATE: input_dict[CANDIDATE],
            MODEL: [model for model, _ in last],
            MODEL_BLESSING: [blessing for _, blessing in last],
        }
