"""The first stage: from all items to those that a user may like."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from serving.gateway.config import GatewayConfig
from serving.gateway.current_release import CurrentRelease
from serving.gateway.errors import ModelRefused, PartUnavailable, Unavailable
from serving.gateway.live_index import LiveIndex
from serving.gateway.model_client import Inputs, ModelClient
from serving.gateway.model_inputs import behavior_inputs, new_item_inputs, user_inputs
from serving.gateway.recommend_run import RecommendRun
from serving.gateway.signature import Signature
from serving.gateway.similar_items import SimilarItems
from serving.gateway.tensors import Strings
from serving.recall_names import REORDER, SCORE, USER_VECTOR
from transforms.input_error import InputError

DEFAULT_SIGNATURE = "serving_default"


class Recaller:
    """Asks the recall model for the user's vector, searches its version's index, and reorders what that finds.

    Args:
        config: names, sizes and timeouts.
        models: has the recall model.
        live: the items of its versions.
        similar: knows the vectors of new items, by modality.
        release: which models and encoders belong together.
    """

    def __init__(
        self,
        config: GatewayConfig,
        models: ModelClient,
        live: LiveIndex,
        similar: Mapping[str, SimilarItems],
        release: CurrentRelease,
    ) -> None:
        self._config, self._models, self._live = config, models, live
        self._similar, self._release = similar, release

    def recall(self, run: RecommendRun) -> None:
        """Fills `run.recall_scores`.

        Raises:
            Unavailable: the model does not answer, or the version that did has no index.
        """
        with run.timing("recall"):
            version, user_vector = self._embed_user(run)
        with run.timing("retrieve"):
            recalled = self._live.version(version)
            run.versions["recall"] = version
            blocked = run.request.blocked_item_ids
            try:
                item_ids, scores = recalled.search(user_vector, self._config.num_retrieved, blocked)
            except InputError as error:
                raise Unavailable(f"recall version {version} does not fit its index: {error}") from error
        with run.timing("reorder"):
            scores = self._reorder(run, version, item_ids, scores)
        run.recall_scores = {item_ids[row]: float(scores[row]) for row in np.argsort(-scores, kind="stable")}

    def _embed_user(self, run: RecommendRun) -> tuple[str, np.ndarray]:
        """The version that answered and its vector, float32 `[dim]`."""

        def inputs(signature: Signature) -> Inputs:
            new = self._new_vectors(run, signature, [each.item_id for each in run.behaviors])
            user = user_inputs(signature, run.request.user, None)
            return {**user, **behavior_inputs(run.behaviors), **new_item_inputs(signature, new)}

        timeout = run.deadline.limit(self._config.recall_timeout_seconds)
        try:
            answer = self._models.ask(self._config.recall_model, DEFAULT_SIGNATURE, inputs, timeout)
        except (PartUnavailable, ModelRefused) as error:
            raise Unavailable(f"recall does not answer: {error}") from error
        user_vector = answer.outputs[USER_VECTOR][0]
        if not np.isfinite(user_vector).all():
            raise Unavailable(f"recall version {answer.version} answers numbers that are not finite")
        return answer.version, user_vector

    def _reorder(
        self, run: RecommendRun, version: str, item_ids: Sequence[str], scores: np.ndarray
    ) -> np.ndarray:
        """The scores after reordering; of a model without it, or where it fails, those of the first stage.

        The version that gave the user's vector is asked, for another one's addition means nothing beside its scores.
        Servers keep it for a while after a new one is pushed.
        """

        def inputs(signature: Signature) -> Inputs:
            behaviors = behavior_inputs(run.behaviors)["behavior_item_id"]
            new = self._new_vectors(run, signature, [*(each.item_id for each in run.behaviors), *item_ids])
            return {
                "behavior_item_id": behaviors,
                "item_id": Strings([each.encode() for each in item_ids]),
                SCORE: scores,
                **new_item_inputs(signature, new),
            }

        config = self._config
        try:
            timeout = run.deadline.limit(config.reorder_timeout_seconds)
            if not item_ids or REORDER not in self._models.signatures(config.recall_model, timeout, version):
                return scores
            answer = self._models.ask(config.recall_model, REORDER, inputs, timeout, version)
        except (PartUnavailable, ModelRefused) as error:
            run.degrade("reorder", error)
            return scores
        reordered = answer.outputs[SCORE]
        if not np.isfinite(reordered).all():
            run.degrade("reorder", f"version {version} answered numbers that are not finite")
            return scores
        return reordered

    def _new_vectors(
        self, run: RecommendRun, signature: Signature, item_ids: Collection[str]
    ) -> dict[str, dict[str, np.ndarray]]:
        """The vectors, by modality, of those items that came after the model was saved."""
        found: dict[str, dict[str, np.ndarray]] = {}
        wanted = signature.embeddings("new_")
        for modality, similar in self._similar.items():
            encoder, vectors = similar.new_vectors(item_ids) if modality in wanted else ("", {})
            if vectors and not self._release.fits("recall", signature.version, modality, encoder):
                reason = f"recall version {signature.version} is not made with {modality} {encoder}"
                run.degrade("embeddings", reason)
                continue
            for item_id, vector in vectors.items():
                found.setdefault(item_id, {})[modality] = vector
        return found
