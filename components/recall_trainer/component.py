"""The RecallTrainer component: trains the recall model and exports it."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components import artifacts
from components.recall_trainer import executor
from models.recall.config import RecallConfig
from transforms.configuration import to_json
from transforms.ingest_config import IngestConfig


class RecallTrainerSpec(component_spec.ComponentSpec):
    """Inputs, parameters and outputs of `RecallTrainer`."""

    PARAMETERS: ClassVar = {
        "ingest": component_spec.ExecutionParameter(type=str),
        "config": component_spec.ExecutionParameter(type=str),
        "resumable": component_spec.ExecutionParameter(type=int, optional=True),
        "checkpoints": component_spec.ExecutionParameter(type=str, optional=True),
    }
    INPUTS: ClassVar = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "transform_graph": component_spec.ChannelParameter(type=standard_artifacts.TransformGraph),
        "item_stats": component_spec.ChannelParameter(type=artifacts.ItemStats),
        "embeddings": component_spec.ChannelParameter(type=artifacts.Embeddings, optional=True),
        "earlier_stats": component_spec.ChannelParameter(type=artifacts.ItemStats, optional=True),
        "base": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS: ClassVar = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
    }


class RecallTrainer(base_component.BaseComponent):
    """Trains two towers on the clicks of the training days and exports them with their signatures."""

    SPEC_CLASS = RecallTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        item_stats: types.BaseChannel,
        ingest: IngestConfig,
        config: RecallConfig,
        embeddings: types.BaseChannel | None = None,
        base: types.BaseChannel | None = None,
        earlier_stats: types.BaseChannel | None = None,
        resumable: bool = False,
        checkpoints: str | None = None,
    ):
        """Wires the component.

        Args:
            examples: `Examples` of LogIngest, as they were logged: the transform runs in the input pipeline.
            transform_graph: `TransformGraph` of Transform.
            item_stats: `artifacts.ItemStats` of LogIngest: the clicks of the training days, which the gates read.
            ingest: names the features and the longest sequence of behaviors.
            config: the model and its training; where its fusion uses content, with its modalities named.
            embeddings: `artifacts.Embeddings` of CatalogEmbedder; None for a model of IDs alone.
            base: `Model` of this component, resumable, to go on from with one epoch; none, or an empty channel: the
                model begins from nothing.
            earlier_stats: `artifacts.ItemStats` of the day before, where training goes on: the clicks that all of the
                day's come after.
            resumable: whether the model artifact keeps what training needs to go on from it.
            checkpoints: a folder that outlives a killed run, where the training leaves what it goes on from; each
                training has a folder of its own below. None: it begins anew.
        """
        super().__init__(
            RecallTrainerSpec(
                ingest=to_json(ingest),
                config=to_json(config),
                examples=examples,
                transform_graph=transform_graph,
                item_stats=item_stats,
                embeddings=embeddings,
                base=base,
                earlier_stats=earlier_stats,
                checkpoints=checkpoints,
                model=types.Channel(type=standard_artifacts.Model),
                model_run=types.Channel(type=standard_artifacts.ModelRun),
                # Of other runs it is not there at all, so that their cache is what it was.
                **({"resumable": 1} if resumable else {}),
            )
        )
