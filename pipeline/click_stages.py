"""Wires the stages that train models of clicks."""

import dataclasses
from dataclasses import dataclass

from tfx import types
from tfx.dsl.components.base.base_node import BaseNode

from components.ctr_trainer.component import CtrTrainer
from components.make_trainer.component import MakeTrainer
from pipeline.config import RunConfig

BASELINE_NAME = "IdBaseline"


@dataclass(frozen=True)
class ClickStages:
    """From examples and embeddings to models of clicks.

    Attributes:
        make: trains the knowledge extractor; None where the model has none, or one without a training of its
            own.
        trainer: trains and exports the model.
        baseline: trains and exports the model of IDs alone; None where it is not asked for, or is the model.
    """

    make: MakeTrainer | None
    trainer: CtrTrainer
    baseline: CtrTrainer | None

    @property
    def nodes(self) -> list[BaseNode]:
        """In the order in which they run."""
        return [node for node in (self.make, self.trainer, self.baseline) if node is not None]


def click_stages(
    examples: types.BaseChannel,
    transform_graph: types.BaseChannel,
    embeddings: types.BaseChannel | None,
    config: RunConfig,
) -> ClickStages:
    """Wires the training of the model that `config` names, and of what it needs and is compared with.

    Args:
        examples: `Examples` of LogIngest.
        transform_graph: `TransformGraph` of Transform.
        embeddings: `Embeddings` of CatalogEmbedder; None in a run without encoders.
        config: the configuration of all stages.
    """
    ctr = dataclasses.replace(config.ctr, modalities=config.ctr_modalities)
    make = None
    if ctr.uses_make and config.make.epochs and embeddings is not None:
        make = MakeTrainer(
            examples, embeddings, config.ctr_modalities, config.ingest.max_behaviors, config.make
        )
    trainer = CtrTrainer(
        examples,
        transform_graph,
        config.ingest,
        ctr,
        embeddings=embeddings if ctr.uses_content else None,
        make=make.outputs["make"] if make is not None else None,
        make_config=config.make if ctr.uses_make else None,
    )
    baseline = None
    if ctr.baseline and ctr.uses_content:
        baseline = CtrTrainer(examples, transform_graph, config.ingest, ctr.of_ids_alone())
        baseline = baseline.with_id(BASELINE_NAME)
    return ClickStages(make, trainer, baseline)
