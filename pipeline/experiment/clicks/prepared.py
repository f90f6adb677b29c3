"""What a run makes before it trains models of clicks."""

from dataclasses import dataclass
from typing import TextIO

from pipeline import lineage
from pipeline.config import RunConfig
from pipeline.pipeline import PIPELINE_NAME, create_preparation_pipeline
from pipeline.root import Root
from pipeline.run import absolute, execute, fingerprint_logs
from transforms.input_error import InputError


@dataclass(frozen=True)
class Prepared:
    """Where the artifacts lie from which models of clicks are trained.

    Attributes:
        examples: of LogIngest.
        transform_graph: of Transform.
        embeddings: of CatalogEmbedder, by the run's own encoders.
    """

    examples: str
    transform_graph: str
    embeddings: str

    @classmethod
    def make(cls, logs: str, places: Root, config: RunConfig, out: TextIO) -> "Prepared":
        """Runs the stages up to embeddings and Transform, or takes what a run over the same ROOT made.

        Args:
            logs: the folder of the four logs.
            places: ROOT.
            config: the configuration of all stages.
            out: where progress goes.
        Raises:
            InputError: the logs or the configuration do not allow it.
        """
        if not config.modalities:
            raise InputError(
                "models with content need embeddings, so `modalities` must name image, text or both"
            )
        logs = absolute(logs)
        fingerprint = fingerprint_logs(logs, config)
        execute(create_preparation_pipeline(logs, places.path, config, fingerprint), "local", out)
        store = lineage.open_store(places)

        def find(node: str, output: str) -> str:
            return lineage.last_outputs(store, PIPELINE_NAME, node)[output]

        return cls(
            find("LogIngest", "examples"),
            find("Transform", "transform_graph"),
            find("CatalogEmbedder", "embeddings"),
        )
