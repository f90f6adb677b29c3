"""What is read of vectors for a request, with a stand-in for the stores."""

from typing import Any

import numpy as np

from serving.gateway.config import GatewayConfig
from serving.gateway.deadline import Deadline
from serving.gateway.recommend_run import RecommendRun
from serving.gateway.recommender import Recommender
from serving.gateway.requests import RecommendRequest

VECTOR = np.array([1, 2], np.float32)


class TextAlone:
    """Serves no version of pictures, and the same vector for all texts."""

    def start_vectors(self, modality: str, item_ids: list[str]) -> Any:
        found = ("4", [VECTOR] * len(item_ids)) if modality == "text" else (None, [None] * len(item_ids))
        return type("Call", (), {"wait": lambda _self, _deadline: found})()


def test_a_modality_that_is_not_served_costs_no_other() -> None:
    stores: Any = TextAlone()
    nothing: Any = None
    run = RecommendRun(RecommendRequest({}), Deadline(5))
    run.candidates = ["a"]
    recommender = Recommender(GatewayConfig(), nothing, stores, nothing, nothing, nothing)
    recommender._read_vectors(run, {"image", "text"})
    assert run.vectors == {"text": {"a": VECTOR}} and run.versions == {"text_encoder": "4"}
    assert run.degraded == ["embeddings"]
