"""A search during which another encoder version is switched to."""

from typing import Any

import numpy as np
import pytest

from serving.gateway.config import GatewayConfig
from serving.gateway.errors import Unavailable
from serving.gateway.requests import SimilarRequest
from serving.gateway.similar_search import SimilarSearch


class Switching:
    """Items of one modality, of a version that gives way to the next one `switches` times, just before a search."""

    def __init__(self, switches: int) -> None:
        self.switches = switches
        self.number = 1

    @property
    def version(self) -> str:
        return str(self.number)

    def search(
        self, vector: np.ndarray, k: int, without: list[str], version: str
    ) -> list[tuple[str, float]] | None:
        if self.switches:
            self.switches, self.number = self.switches - 1, self.number + 1
        # The stores' vector says which version it is of.
        assert vector.tolist() == [float(version)]
        return [("b", 0.5)] if version == self.version else None


class Stores:
    """Each item's vector is the number of its version."""

    def vector(self, modality: str, version: str, item_id: str, deadline: Any) -> np.ndarray:
        return np.array([float(version)], np.float32)

    def start_items(self, item_ids: list[str]) -> Any:
        return type("Call", (), {"wait": lambda _self, _deadline: [None] * len(item_ids)})()


def search(switches: int) -> Any:
    stores: Any = Stores()
    models: Any = None
    similar: Any = {"image": Switching(switches)}
    return SimilarSearch(GatewayConfig(), models, stores, similar).search(SimilarRequest(item_id="a"))


@pytest.mark.parametrize("switches", [0, 1])
def test_compares_vectors_of_one_version(switches: int) -> None:
    answer = search(switches)
    assert answer.version == str(1 + switches) and answer.items[0].item_id == "b"


def test_gives_up_when_it_is_switched_all_the_time() -> None:
    with pytest.raises(Unavailable, match="another encoder version is being switched to"):
        search(2)
