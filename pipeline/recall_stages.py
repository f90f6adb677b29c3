"""Wires the stages that train, measure and push the model of recall."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from tfx import types
from tfx.components import Pusher
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts

from components.blessed_model.strategy import BlessedModelStrategy
from components.index_builder.component import IndexBuilder
from components.log_ingest.component import LogIngest
from components.recall_evaluator.component import RecallEvaluator
from components.recall_trainer.component import RecallTrainer
from pipeline.config import RunConfig
from pipeline.daily.day import Day
from pipeline.daily.day_config import MEASURED_SPLITS
from pipeline.daily.resolvers import last_blessed_recall_model
from pipeline.root import Root

INDEX_BUILDER_NAME = "IndexBuilder"
LAST_BLESSED_NAME = "LastBlessedRecall"
PUSHER_NAME = "RecallPusher"
MODEL = "recall"


@dataclass(frozen=True)
class RecallStages:
    """From examples and embeddings to a pushed model with its index.

    Attributes:
        trainer: trains and exports the model.
        last_blessed: finds the model that it would replace.
        evaluator: measures the two, and blesses or refuses.
        index_builder: puts the index beside the model, and refuses where it finds too little.
        pusher: pushes both as one.
    """

    trainer: RecallTrainer
    last_blessed: Resolver
    evaluator: RecallEvaluator
    index_builder: IndexBuilder
    pusher: Pusher

    @property
    def nodes(self) -> list[BaseNode]:
        """In the order in which they run."""
        return [self.trainer, self.last_blessed, self.evaluator, self.index_builder, self.pusher]


def recall_stages(
    ingest: LogIngest,
    transform_graph: types.BaseChannel,
    embeddings: types.BaseChannel | None,
    config: RunConfig,
    places: Root,
    day: Day | None = None,
    earlier_stats: types.BaseChannel | None = None,
) -> RecallStages:
    """Wires the stages.

    Args:
        ingest: the run's LogIngest.
        transform_graph: `TransformGraph` of Transform.
        embeddings: `Embeddings` of CatalogEmbedder; None in a run without encoders.
        config: the configuration of all stages.
        places: ROOT.
        day: of a run by days.
        earlier_stats: `artifacts.ItemStats` of the day before; None on the first.
    """
    daily: dict[str, Any] = {}
    if day is not None:
        earlier = last_blessed_recall_model(day)
        daily = {"base": earlier.outputs["model"], "earlier_stats": earlier_stats, "resumable": True}
    trainer = RecallTrainer(
        examples=ingest.outputs["examples"],
        transform_graph=transform_graph,
        item_stats=ingest.outputs["item_stats"],
        ingest=config.ingest,
        config=dataclasses.replace(config.recall, modalities=config.recall_modalities),
        embeddings=embeddings if config.recall.uses_content else None,
        checkpoints=places.checkpoints,
        **daily,
    )
    last_blessed = earlier if day is not None else _last_blessed(trainer)
    evaluator = RecallEvaluator(
        examples=ingest.outputs["examples"],
        catalog=ingest.outputs["catalog"],
        item_stats=ingest.outputs["item_stats"],
        model=trainer.outputs["model"],
        config=config.recall_evaluator,
        last_blessed=last_blessed.outputs["model"],
        **({} if day is None else {"splits": MEASURED_SPLITS}),
    )
    index_builder = IndexBuilder(
        vectors=evaluator.outputs["vectors"],
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        config=config.index,
        k=config.recall_evaluator.k,
        num_retrieved=config.recall_evaluator.num_retrieved,
    ).with_id(INDEX_BUILDER_NAME)
    pusher = Pusher(
        model=index_builder.outputs["indexed_model"],
        model_blessing=index_builder.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=places.serving(MODEL))
        ),
    ).with_id(PUSHER_NAME)
    return RecallStages(trainer, last_blessed, evaluator, index_builder, pusher)


def _last_blessed(trainer: RecallTrainer) -> Resolver:
    return Resolver(
        strategy_class=BlessedModelStrategy,
        candidate=trainer.outputs["model"],
        model=types.Channel(type=standard_artifacts.Model, producer_component_id=trainer.id),
        # The index's: a model whose index was refused was never pushed.
        model_blessing=types.Channel(
            type=standard_artifacts.ModelBlessing, producer_component_id=INDEX_BUILDER_NAME
        ),
    ).with_id(LAST_BLESSED_NAME)
