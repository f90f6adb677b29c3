"""Configuration of the gateway's engine."""

import math
from dataclasses import dataclass
from functools import partial

from transforms.input_error import check_setting

_check = partial(check_setting, "gateway")


@dataclass(frozen=True)
class GatewayConfig:
    """The gateway's engine.

    Attributes:
        recall_model: the model server's name of the recall model, and of its base path below the serving root.
        ctr_model: its name of the ranking model.
        image_model: its name of the encoder of pictures.
        text_model: its name of the encoder of texts.
        num_retrieved: items that the index brings; those of a model with reordering are reordered.
        num_ranked: the best of them, which the ranking model scores.
        request_timeout_seconds: for a whole request.
        recall_timeout_seconds: for the user's vector, at most.
        reorder_timeout_seconds: for reordering, at most.
        rank_timeout_seconds: for the candidates' scores, at most.
        encode_timeout_seconds: for a picture's or a text's vector, at most.
        store_timeout_seconds: for a read of the item store or the embedding index, at most.
        outage_seconds: how long a part that did not answer is not asked again.
        feed_poll_seconds: between two looks for newly encoded items.
        release_poll_seconds: between two looks for a new release, model or encoder version.
        feed_batch: newly encoded items that are taken in at once, at most.
        max_added_items: newly encoded items that each index of similar items takes in, and whose vectors are kept
            at hand for recall.
    """

    recall_model: str = "recall"
    ctr_model: str = "ctr"
    image_model: str = "image_encoder"
    text_model: str = "text_encoder"
    num_retrieved: int = 500
    num_ranked: int = 200
    request_timeout_seconds: float = 2.0
    recall_timeout_seconds: float = 1.0
    reorder_timeout_seconds: float = 0.5
    rank_timeout_seconds: float = 1.0
    encode_timeout_seconds: float = 2.0
    store_timeout_seconds: float = 0.5
    outage_seconds: float = 1.0
    feed_poll_seconds: float = 0.1
    release_poll_seconds: float = 1.0
    feed_batch: int = 500
    max_added_items: int = 20_000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name.endswith("_model"):
                is_name = bool(value) and "/" not in value and not value.startswith(".")
                _check(name, value, is_name, "a model's name, without a slash or a dot before it")
            elif name.endswith("_seconds"):
                _check(name, value, math.isfinite(value) and value > 0, "positive and finite")
            else:
                _check(name, value, value >= 1, "at least 1")
        _check("num_ranked", self.num_ranked, self.num_ranked <= self.num_retrieved, "at most num_retrieved")

    def encoder(self, modality: str) -> str:
        """The model server's name of a modality's encoder."""
        return self.image_model if modality == "image" else self.text_model
