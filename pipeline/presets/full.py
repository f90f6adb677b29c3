"""Sizes of a real shop."""

from models.ctr.config import CtrConfig
from pipeline.config import RunConfig
from transforms.ingest_config import IngestConfig


def full() -> RunConfig:
    """Sizes for billions of impressions, with Beam on a cluster.

    adlens run --logs LOGS --root ROOT --preset full --beam-arg=--runner=FlinkRunner …
    """
    return RunConfig(
        ingest=IngestConfig(rows_per_file=500_000),
        ctr=CtrConfig(
            embedding_dim=32, attention_units=(64, 32), mlp_units=(512, 256, 128), batch_size=4_096
        ),
    )
