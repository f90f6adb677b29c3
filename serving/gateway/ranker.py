"""The second stage: how likely a user is to click each candidate."""

from collections.abc import Sequence

import numpy as np

from serving.gateway.config import GatewayConfig
from serving.gateway.current_release import CurrentRelease
from serving.gateway.errors import ModelRefused, PartUnavailable
from serving.gateway.model_client import Inputs, ModelClient
from serving.gateway.model_inputs import behavior_inputs, item_inputs, matrix, user_inputs
from serving.gateway.recommend_run import RecommendRun
from serving.gateway.signature import Signature
from serving.gateway.tensors import Tensor

SCORE_CANDIDATES, PROBABILITIES = "score_candidates", "probabilities"


class Ranker:
    """Asks the ranking model for the candidates' click probabilities.

    Args:
        config: the model's name, and its time.
        models: has it.
        release: which models and encoders belong together.
    """

    def __init__(self, config: GatewayConfig, models: ModelClient, release: CurrentRelease) -> None:
        self._config, self._models, self._release = config, models, release

    def modalities(self, run: RecommendRun) -> list[str]:
        """Whose vectors the model takes; none of a model of IDs alone, or that does not answer."""
        try:
            timeout = run.deadline.limit(self._config.rank_timeout_seconds)
            signatures = self._models.signatures(self._config.ctr_model, timeout)
        except PartUnavailable:
            # Ranking will meet the same, and say so.
            return []
        found = signatures.get(SCORE_CANDIDATES)
        return [] if found is None else list(found.embeddings())

    def rank(self, run: RecommendRun) -> None:
        """Fills `run.scores`; if the model does not answer, they stay None and the run is degraded."""
        if not run.candidates:
            run.scores = {}
            return
        try:
            timeout = run.deadline.limit(self._config.rank_timeout_seconds)
            answer = self._models.ask(
                self._config.ctr_model,
                SCORE_CANDIDATES,
                lambda signature: self._inputs(run, signature),
                timeout,
            )
        except (PartUnavailable, ModelRefused) as error:
            run.degrade("ranking", error)
            return
        probabilities = answer.outputs[PROBABILITIES]
        if not np.isfinite(probabilities).all():
            run.degrade("ranking", f"version {answer.version} answered numbers that are not finite")
            return
        run.versions["ctr"] = answer.version
        run.scores = dict(zip(run.candidates, probabilities.tolist(), strict=True))

    def _inputs(self, run: RecommendRun, signature: Signature) -> Inputs:
        run.sent.clear()
        inputs: dict[str, Tensor] = {
            **user_inputs(signature, run.request.user, 1),
            **behavior_inputs(run.behaviors),
            **item_inputs(signature, run.candidates, [run.items.get(each) for each in run.candidates]),
        }
        behaviors = [each.item_id for each in run.behaviors]
        for modality, dim in signature.embeddings().items():
            inputs[f"{modality}_embedding"] = self._matrix(run, signature, modality, run.candidates, dim)
            of_behaviors = self._matrix(run, signature, modality, behaviors, dim)
            inputs[f"behavior_{modality}_embedding"] = of_behaviors[None]
        return inputs

    def _matrix(
        self, run: RecommendRun, signature: Signature, modality: str, item_ids: Sequence[str], dim: int
    ) -> np.ndarray:
        """float32 `[items, dim]`, zeros where there is no vector."""
        encoder = run.versions.get(f"{modality}_encoder")
        nothing = matrix([None] * len(item_ids), dim)
        if encoder is None:
            run.degrade("embeddings", f"no {modality} vectors were read")
            return nothing
        vectors = [run.vectors[modality].get(each) for each in item_ids]
        fits = self._release.fits("ctr", signature.version, modality, encoder)
        if not fits or any(each is not None and len(each) != dim for each in vectors):
            run.degrade(
                "embeddings", f"ctr version {signature.version} is not made with {modality} {encoder}"
            )
            return nothing
        run.sent.add(modality)
        return matrix(vectors, dim)
