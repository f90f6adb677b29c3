"""Wires the stages that train models of clicks."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from tfx import types
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver

from components.ctr_trainer.component import CtrTrainer
from components.make_trainer.component import MakeTrainer
from pipeline.config import RunConfig
from pipeline.daily.day import Day
from pipeline.daily.resolvers import earlier_examples, last_blessed_click_model, last_make
from pipeline.root import Root

BASELINE_NAME = "IdBaseline"


@dataclass(frozen=True)
class ClickStages:
    """From examples and embeddings to models of clicks.

    Attributes:
        make: trains the knowledge extractor; None where the model has none, or one without a training of its
            own, or on a day that takes that of an earlier one.
        trainer: trains and exports the model.
        baseline: trains and exports the model of IDs alone; None where it is not asked for, or is the model.
        last_blessed: of a run by days, finds what the day goes on from; None in any other run.
        resolvers: of a run by days, find what else is needed of earlier ones.
    """

    make: MakeTrainer | None
    trainer: CtrTrainer
    baseline: CtrTrainer | None
    last_blessed: Resolver | None = None
    resolvers: tuple[Resolver, ...] = ()

    @property
    def nodes(self) -> list[BaseNode]:
        """In the order in which they run."""
        nodes = (self.last_blessed, *self.resolvers, self.make, self.trainer, self.baseline)
        return [node for node in nodes if node is not None]


def click_stages(
    examples: types.BaseChannel,
    transform_graph: types.BaseChannel,
    embeddings: types.BaseChannel | None,
    config: RunConfig,
    places: Root,
    day: Day | None = None,
) -> ClickStages:
    """Wires the training of the model that `config` names, and of what it needs and is compared with.

    Args:
        examples: `Examples` of LogIngest.
        transform_graph: `TransformGraph` of Transform.
        embeddings: `Embeddings` of CatalogEmbedder; None in a run without encoders.
        config: the configuration of all stages.
        places: where checkpoints go.
        day: of a run by days.
    """
    ctr = dataclasses.replace(config.ctr, modalities=config.ctr_modalities)
    last_blessed = None if day is None else last_blessed_click_model(day)
    make, resolvers = _make(examples, embeddings, config, places, day)
    found = make or next(iter(resolvers), None)
    trainer = CtrTrainer(
        examples,
        transform_graph,
        config.ingest,
        ctr,
        embeddings=embeddings if ctr.uses_content else None,
        make=found.outputs["make"] if found is not None else None,
        make_config=config.make if ctr.uses_make else None,
        checkpoints=places.checkpoints,
        **_base(last_blessed, "model"),
    )
    baseline = None
    if ctr.baseline and ctr.uses_content:
        of_ids = ctr.of_ids_alone()
        baseline = CtrTrainer(
            examples,
            transform_graph,
            config.ingest,
            of_ids,
            checkpoints=places.checkpoints,
            **_base(last_blessed, "baseline"),
        )
        baseline = baseline.with_id(BASELINE_NAME)
    return ClickStages(make, trainer, baseline, last_blessed, resolvers)


def _make(
    examples: types.BaseChannel,
    embeddings: types.BaseChannel | None,
    config: RunConfig,
    places: Root,
    day: Day | None,
) -> tuple[MakeTrainer | None, tuple[Resolver, ...]]:
    """MAKE's training, and what finds it the work of earlier days; or on days without it what finds the last MAKE."""
    if not (config.ctr.uses_make and config.make.epochs) or embeddings is None:
        return None, ()
    last = None if day is None else last_make(day)
    if day is not None and last is not None and not day.trains_encoders:
        return None, (last,)
    # The first day's own examples reach back to the beginning of the logs.
    earlier = None if day is None or day.first else earlier_examples(day, config.daily.make_days)
    trainer = MakeTrainer(
        examples,
        embeddings,
        config.ctr_modalities,
        config.ingest.max_behaviors,
        config.make,
        checkpoints=places.checkpoints,
        earlier_examples=None if earlier is None else earlier.outputs["examples"],
        base=None if earlier is None or last is None else last.outputs["make"],
    )
    return trainer, () if earlier is None or last is None else (last, earlier)


def _base(last_blessed: Resolver | None, name: str) -> dict[str, Any]:
    """How a trainer of a run by days goes on; of any other run nothing."""
    return {} if last_blessed is None else {"base": last_blessed.outputs[name], "resumable": True}
