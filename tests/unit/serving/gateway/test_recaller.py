"""The first stage while models and encoders are switched, with stand-ins for the models and the indexes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.gateway.config import GatewayConfig
from serving.gateway.current_release import CurrentRelease
from serving.gateway.deadline import Deadline
from serving.gateway.errors import PartUnavailable, Unavailable
from serving.gateway.model_client import Inputs, Prediction
from serving.gateway.recaller import Recaller
from serving.gateway.recommend_run import RecommendRun
from serving.gateway.requests import Behavior, RecommendRequest
from serving.gateway.signature import Input, Signature
from serving.model_description import write_description
from transforms.input_error import InputError

TEXT, NUMBER = np.dtype(object), np.dtype(np.float32)
INPUTS = {"new_item_id": Input(TEXT, (None,)), "new_image_embedding": Input(NUMBER, (None, 2))}


class Switched:
    """Version 1 gives the user's vector, and then version 2 is pushed; which are there still, `versions` says."""

    def __init__(self) -> None:
        self.versions = ["1", "2"]
        self.given: dict[str, Any] = {}

    def signatures(self, model: str, timeout: float, version: str | None = None) -> dict[str, Signature]:
        if version not in (None, *self.versions):
            raise PartUnavailable("NOT_FOUND")
        return {"reorder": Signature(version or "2", INPUTS)}

    def ask(
        self,
        model: str,
        signature: str,
        inputs: Callable[[Signature], Inputs],
        timeout: float,
        version: str | None = None,
    ) -> Prediction:
        if signature == "serving_default":
            self.given = dict(inputs(Signature("1", INPUTS)))
            return Prediction("1", {"user_vector": np.ones((1, 2), np.float32)})
        given: Any = inputs(Signature(version or "2", INPUTS))
        # The last shall be the first.
        return Prediction(version or "2", {"score": -given["score"]})


class Index:
    """The index of a version."""

    def version(self, version: str) -> "Index":
        assert version == "1"
        return self

    def search(self, vector: np.ndarray, k: int, blocked: Sequence[str]) -> tuple[list[str], np.ndarray]:
        if len(vector) != 2:
            raise InputError("another dim")
        return ["a", "b"], np.array([2, 1], np.float32)


class Lately:
    """An item that came lately, with a vector of an encoder version."""

    def new_vectors(self, item_ids: Sequence[str]) -> tuple[str, dict[str, np.ndarray]]:
        return "5", {each: np.array([3, 4], np.float32) for each in item_ids if each == "n"}


@pytest.fixture
def models() -> Switched:
    return Switched()


def recall(models: Any, folder: Path, *behaviors: str) -> RecommendRun:
    config = GatewayConfig()
    release = CurrentRelease(folder, config)
    live: Any = Index()
    similar: Any = {"image": Lately()}
    run = RecommendRun(RecommendRequest({}, [Behavior(each) for each in behaviors]), Deadline(5))
    Recaller(config, models, live, similar, release).recall(run)
    return run


def test_the_version_that_gave_the_users_vector_reorders(models: Switched, tmp_path: Path) -> None:
    run = recall(models, tmp_path)
    assert run.recall_scores == {"b": -1, "a": -2} and run.degraded == []
    # Once it is gone, the order is the index'.
    models.versions = ["2"]
    run = recall(models, tmp_path)
    assert run.recall_scores == {"a": 2, "b": 1} and run.degraded == ["reorder"]


def test_a_new_items_vector_goes_to_models_that_are_made_with_its_encoder(
    models: Switched, tmp_path: Path
) -> None:
    run = recall(models, tmp_path, "n", "old")
    assert models.given["new_item_id"].values == [b"n"] and run.degraded == []
    assert models.given["new_image_embedding"].tolist() == [[3, 4]]
    write_description(str(tmp_path / "image_encoder" / "5"), {"fingerprint": "five"})
    write_description(str(tmp_path / "recall" / "1"), {"encoders": {"image": "six"}})
    run = recall(models, tmp_path, "n", "old")
    assert models.given["new_item_id"].values == [] and run.degraded == ["embeddings"]
    # Nothing is amiss where there is nothing new.
    assert recall(models, tmp_path, "old").degraded == []


def test_an_index_that_does_not_fit_its_model_is_no_mistake_of_the_client(
    models: Switched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = Prediction("1", {"user_vector": np.ones((1, 3), np.float32)})
    monkeypatch.setattr(models, "ask", lambda *_: wide)
    with pytest.raises(Unavailable, match="recall version 1 does not fit its index: another dim"):
        recall(models, tmp_path)
