"""The run of `make demo`."""

from components.recall_evaluator.config import RecallEvaluatorConfig
from models.encoder.config import ImageEncoderConfig, TextEncoderConfig
from pipeline.config import RunConfig


def demo() -> RunConfig:
    """About 100 thousand simulated impressions and 6 thousand query pairs on a laptop.

    adlens simulate --preset demo --out LOGS && adlens run --logs LOGS --root ROOT --preset demo

    The pictures' encoder starts from ImageNet weights (the extra `pretrained`), the texts' from nothing.
    """
    return RunConfig(
        image_encoder=ImageEncoderConfig(backbone="efficientnet-lite0-imagenet", image_size=64, epochs=2),
        text_encoder=TextEncoderConfig(epochs=4),
        # Of 3,000 items, so that the second stage has something to do and the first something to leave out.
        recall_evaluator=RecallEvaluatorConfig(num_retrieved=500),
    )
