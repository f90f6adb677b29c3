"""What an experiment needs of LogIngest."""

import hashlib
import json
from dataclasses import dataclass
from importlib import metadata
from typing import TextIO

from components.report import files
from models.parquet_files import list_files
from pipeline.config import RunConfig
from pipeline.experiment.stage_outputs import StageOutputs
from pipeline.pipeline import create_ingest_pipeline
from pipeline.root import Root
from transforms.configuration import to_json
from transforms.ingest_config import parse_time
from transforms.log_counts import COUNTS_FILE


@dataclass(frozen=True)
class Ingested:
    """The artifacts of LogIngest.

    Attributes:
        query_pairs: where the pairs lie.
        catalog: where the catalog lies.
        item_stats: where the items' statistics of the training days lie.
        rejects: where the counts lie.
        fingerprint: of the logs, of how they were read, and of the version of Adlens.
    """

    query_pairs: str
    catalog: str
    item_stats: str
    rejects: str
    fingerprint: str

    @classmethod
    def make(cls, logs: str, places: Root, config: RunConfig, out: TextIO) -> "Ingested":
        """Runs LogIngest, or takes what a run over the same ROOT made of the same logs.

        Args:
            logs: the folder of the four logs.
            places: ROOT.
            config: the configuration of all stages.
            out: where progress goes.
        Raises:
            InputError: the logs cannot be used.
        """
        made = StageOutputs.make(create_ingest_pipeline, logs, places, config, out)
        state = json.dumps([made.fingerprint, to_json(config.ingest), metadata.version("adlens")])
        return cls(
            made.uri("LogIngest", "query_pairs"),
            made.uri("LogIngest", "catalog"),
            made.uri("LogIngest", "item_stats"),
            made.uri("LogIngest", "rejects"),
            hashlib.sha256(state.encode()).hexdigest(),
        )

    def pair_files(self, split: str) -> list[str]:
        """The Parquet files of a split's query pairs."""
        return list_files(f"{self.query_pairs}/Split-{split}")

    @property
    def catalog_files(self) -> list[str]:
        """The Parquet files of the catalog."""
        return list_files(self.catalog)

    @property
    def train_end(self) -> int:
        """When the training days end, in microseconds since 1970-01-01 UTC."""
        counts = files.read_json(f"{self.rejects}/{COUNTS_FILE}")
        return parse_time("boundaries.train_end", counts["boundaries"]["train_end"])
