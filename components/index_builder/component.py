"""The IndexBuilder component: the index of a recall model's items, beside the model."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components import artifacts
from components.index_builder import executor
from serving.retrieval.config import IndexConfig
from transforms.configuration import to_json


class IndexBuilderSpec(component_spec.ComponentSpec):
    """Inputs, parameters and outputs of `IndexBuilder`."""

    PARAMETERS: ClassVar = {
        "config": component_spec.ExecutionParameter(type=str),
        "k": component_spec.ExecutionParameter(type=int),
        "num_retrieved": component_spec.ExecutionParameter(type=int),
    }
    INPUTS: ClassVar = {
        "vectors": component_spec.ChannelParameter(type=artifacts.RecallVectors),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }
    OUTPUTS: ClassVar = {
        "indexed_model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class IndexBuilder(base_component.BaseComponent):
    """Builds the index of the item vectors of a blessed model and puts it into the model's folder.

    User vectors of one model mean nothing among the item vectors of another, so the two are pushed as one: the
    model's signatures, and the index in `assets.extra/index`.
    """

    SPEC_CLASS = IndexBuilderSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        vectors: types.BaseChannel,
        model: types.BaseChannel,
        model_blessing: types.BaseChannel,
        config: IndexConfig,
        k: int,
        num_retrieved: int,
    ):
        """Wires the component.

        Args:
            vectors: `artifacts.RecallVectors` of RecallEvaluator.
            model: `Model` of RecallTrainer.
            model_blessing: `ModelBlessing` of RecallEvaluator.
            config: of the index, with the floor of its recall.
            k, num_retrieved: the numbers of items to measure it at.
        """
        super().__init__(
            IndexBuilderSpec(
                vectors=vectors,
                model=model,
                model_blessing=model_blessing,
                config=to_json(config),
                k=k,
                num_retrieved=num_retrieved,
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                indexed_model=types.Channel(type=standard_artifacts.Model),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
