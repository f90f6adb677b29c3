"""What a run makes before it trains models of clicks."""

from dataclasses import dataclass
from typing import TextIO

from pipeline.config import RunConfig
from pipeline.experiment.stage_outputs import StageOutputs
from pipeline.pipeline import create_preparation_pipeline
from pipeline.root import Root
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
        made = StageOutputs.make(create_preparation_pipeline, logs, places, config, out)
        return cls(
            made.uri("LogIngest", "examples"),
            made.uri("Transform", "transform_graph"),
            made.uri("CatalogEmbedder", "embeddings"),
        )
