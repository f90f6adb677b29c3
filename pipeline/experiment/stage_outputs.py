"""What stages of the pipeline have made of the logs, for an experiment to go on from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from ml_metadata.metadata_store import MetadataStore
from tfx.orchestration.pipeline import Pipeline

from pipeline import lineage
from pipeline.config import RunConfig
from pipeline.pipeline import PIPELINE_NAME
from pipeline.root import Root
from pipeline.run import absolute, execute, fingerprint_logs


@dataclass(frozen=True)
class StageOutputs:
    """Where stages have put what they made.

    Attributes:
        fingerprint: of the logs that they read.
        store: the lineage.
    """

    fingerprint: str
    store: MetadataStore

    @classmethod
    def make(
        cls,
        create_pipeline: Callable[[str, str, RunConfig, str], Pipeline],
        logs: str,
        places: Root,
        config: RunConfig,
        out: TextIO,
    ) -> "StageOutputs":
        """Runs the stages, or takes what a run over the same ROOT made of the same logs.

        Args:
            create_pipeline: wires them.
            logs: the folder of the four logs.
            places: ROOT.
            config: the configuration of all stages.
            out: where progress goes.
        Raises:
            InputError: the logs or the configuration do not allow it.
        """
        logs = absolute(logs)
        fingerprint = fingerprint_logs(logs, config)
        execute(create_pipeline(logs, places.path, config, fingerprint), "local", out)
        return cls(fingerprint, lineage.open_store(places))

    def uri(self, node: str, output: str) -> str:
        """Where an output of a node lies."""
        return lineage.last_outputs(self.store, PIPELINE_NAME, node)[output]
