"""What all trainings of recall models share."""

from dataclasses import dataclass

from components.recall_trainer.training import RecallSources
from pipeline.experiment.bench import Bench
from transforms.time_splits import SPLITS


@dataclass(frozen=True)
class RecallData:
    """What all trainings of recall models share.

    Attributes:
        sources: what the models learn from.
        catalog: the folder of LogIngest's catalog.
        test_examples: the folder of the test split.
        fingerprint: of the embeddings.
    """

    sources: RecallSources
    catalog: str
    test_examples: str
    fingerprint: str

    @classmethod
    def of(cls, bench: Bench) -> "RecallData":
        """Finds the artifacts; makes them where they are missing."""
        data = bench.click_data()
        prepared = data.prepared
        sources = RecallSources(
            f"{prepared.examples}/Split-{SPLITS[0]}",
            prepared.transform_graph,
            bench.data.item_stats,
            prepared.embeddings,
            bench.config.ingest,
        )
        return cls(sources, bench.data.catalog, f"{prepared.examples}/Split-{SPLITS[-1]}", data.fingerprint)
