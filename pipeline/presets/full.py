"""Sizes of a real shop."""

from typing import Any

from models.ctr.config import CtrConfig
from models.encoder.config import ImageEncoderConfig, TextEncoderConfig
from models.make.config import MakeConfig
from models.recall.config import RecallConfig
from pipeline.config import RunConfig
from transforms.ingest_config import IngestConfig


def full() -> RunConfig:
    """Sizes for billions of impressions and millions of query pairs, with Beam on a cluster and a GPU.

    adlens run --logs LOGS --root ROOT --preset full --beam-arg=--runner=FlinkRunner …

    The bank holds the paper's 196,800 keys. KerasHub fetches the two backbones at their first use.
    """
    scl: dict[str, Any] = {
        "queue_size": 196_800,
        "momentum": 0.999,
        "batch_size": 256,
        "learning_rate": 0.0001,
        "checkpoint_steps": 1_000,
        "mixed_precision": True,
    }
    return RunConfig(
        ingest=IngestConfig(rows_per_file=500_000),
        image_encoder=ImageEncoderConfig(backbone="vit_base_patch16_224_imagenet", image_size=224, **scl),
        text_encoder=TextEncoderConfig(backbone="bert_base_en_uncased", max_length=64, **scl),
        make=MakeConfig(attention_units=(32,), mlp_units=(256, 128, 64), projection_dim=64, batch_size=4_096),
        ctr=CtrConfig(
            embedding_dim=32, attention_units=(64, 32), mlp_units=(512, 256, 128), batch_size=4_096
        ),
        recall=RecallConfig(
            user_units=(512, 256), item_units=(512, 256), batch_size=4_096, queue_size=32_768, epochs=1
        ),
    )
