"""Which models the model server has."""

from collections.abc import Mapping

from serving.gateway.config import GatewayConfig
from serving.gateway.current_release import CurrentRelease
from serving.gateway.errors import PartUnavailable, Unavailable
from serving.gateway.live_index import LiveIndex
from serving.gateway.model_client import ModelClient
from serving.gateway.ranker import SCORE_CANDIDATES
from serving.gateway.signature import Input
from serving.recall_names import ITEM_VECTORS


class ModelWatch:
    """Asks the model server about ranking and recall once in a while, and opens the index of a new recall version.

    So a version that is pushed is known before the first request meets it, and it is known whether anything can
    be answered.

    Args:
        config: the models' names.
        models: asks the server.
        live: opens indexes.
        release: says which models there should be.
    Attributes:
        versions: what the server had when it was asked last, by "recall" and "ctr".
        item_features: the features of items that the models take.
    """

    def __init__(
        self, config: GatewayConfig, models: ModelClient, live: LiveIndex, release: CurrentRelease
    ) -> None:
        self._config, self._models, self._live, self._release = config, models, live, release
        self.versions: dict[str, str] = {}
        self.item_features: Mapping[str, Input] = {}
        # In short, and in full.
        self._reasons = {"the gateway has just started": "the gateway has just started"}
        self._was_ready = False

    def readiness(self) -> list[str]:
        """Why nothing can be answered yet, for everybody's eyes; empty from then on when something can."""
        return [] if self._was_ready else list(self._reasons)

    def problems(self) -> list[str]:
        """As `readiness`, in full: with addresses and paths."""
        return [] if self._was_ready else list(self._reasons.values())

    def look(self) -> None:
        """Asks.

        Raises:
            PartUnavailable: a model that should be there is not.
            Unavailable: the recall model's version has no index.
        """
        release = self._release.release
        if release is None:
            reason = "no release is pushed yet"
            self._reasons = {reason: f"{reason}: expected {self._release.path}"}
            return
        names = {"ctr": self._config.ctr_model}
        if release.recall is not None:
            names["recall"] = self._config.recall_model
        problems: dict[str, RuntimeError] = {}
        for part, name in names.items():
            try:
                self._look_at(part, name)
            except (PartUnavailable, Unavailable) as error:
                problems[part] = error
        needed = "ctr" if release.recall is None else "recall"
        self._was_ready = self._was_ready or needed not in problems
        self._reasons = {f"{part} is not available": str(error) for part, error in problems.items()}
        if problems:
            raise next(iter(problems.values()))

    def _look_at(self, part: str, name: str) -> None:
        signatures = self._models.refresh(name, self._config.recall_timeout_seconds)
        signature = signatures.get(SCORE_CANDIDATES if part == "ctr" else ITEM_VECTORS)
        if signature is None:
            raise PartUnavailable(
                f"{name}: expected a model of {part}, got the signatures {sorted(signatures)}"
            )
        if part == "recall":
            self._live.version(signature.version)
        self.versions[part] = signature.version
        self.item_features = {**self.item_features, **signature.features(None)}
