"""Real ratings and posters."""

from models.ctr.config import CtrConfig
from models.encoder.config import ImageEncoderConfig, TextEncoderConfig
from pipeline.config import RunConfig
from transforms.ingest_config import IngestConfig


def movielens() -> RunConfig:
    """The logs that `adlens import movielens` makes: no user columns, no context.

    adlens import movielens --input DIR --posters DIR --query-posters DIR --out LOGS
    adlens run --logs LOGS --root ROOT --preset movielens

    Both encoders start from pretrained weights that the extra `pretrained` brings; 1,500 pairs of posters
    and 2,400 of tags are too few to begin from nothing. SimTier alone, for MAKE learns too little from these
    embeddings, and with the logarithm of its counts, which the paper does not take: users here have dozens of
    behaviors in a tier, and on the eval split that was better (docs/experiment.md).
    """
    return RunConfig(
        ingest=IngestConfig(features=()),
        image_encoder=ImageEncoderConfig(
            backbone="efficientnet-lite0-imagenet",
            image_size=96,
            epochs=2,
            learning_rate=0.0005,
            augmentation=0.0,
        ),
        text_encoder=TextEncoderConfig(
            backbone="all-minilm-l6-v2", max_length=24, epochs=1, learning_rate=0.0001
        ),
        ctr=CtrConfig(integration="simtier", log_counts=True),
    )
