"""Real ratings and posters."""

from pipeline.config import RunConfig
from transforms.ingest_config import IngestConfig


def movielens() -> RunConfig:
    """The logs that `adlens import movielens` makes: no user columns, no context.

    adlens import movielens --input DIR --posters DIR --query-posters DIR --out LOGS
    adlens run --logs LOGS --root ROOT --preset movielens
    """
    return RunConfig(ingest=IngestConfig(features=()))
