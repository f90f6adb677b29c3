"""The RecallEvaluator component: what a recall model brings, and whether it may be pushed."""

from collections.abc import Sequence
from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts
from tfx.utils import json_utils

from components import artifacts
from components.recall_evaluator import executor
from components.recall_evaluator.config import RecallEvaluatorConfig
from transforms.configuration import to_json
from transforms.time_splits import SPLITS


class RecallEvaluatorSpec(component_spec.ComponentSpec):
    """Inputs, parameters and outputs of `RecallEvaluator`."""

    PARAMETERS: ClassVar = {
        "config": component_spec.ExecutionParameter(type=str),
        "splits": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "catalog": component_spec.ChannelParameter(type=artifacts.Catalog),
        "item_stats": component_spec.ChannelParameter(type=artifacts.ItemStats),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "last_blessed": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS: ClassVar = {
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "vectors": component_spec.ChannelParameter(type=artifacts.RecallVectors),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class RecallEvaluator(base_component.BaseComponent):
    """Recalls for the users of held-out clicks, measures, and blesses or refuses the model."""

    SPEC_CLASS = RecallEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        catalog: types.BaseChannel,
        item_stats: types.BaseChannel,
        model: types.BaseChannel,
        config: RecallEvaluatorConfig,
        last_blessed: types.BaseChannel | None = None,
        splits: Sequence[str] = SPLITS[-1:],
    ):
        """Wires the component.

        Args:
            examples: `Examples` of LogIngest.
            catalog: `artifacts.Catalog` of LogIngest: all items that can be recalled.
            item_stats: `artifacts.ItemStats` of LogIngest, for the groups of items.
            model: `Model` of RecallTrainer.
            config: how to measure, and what must be reached.
            last_blessed: `Model`, the last blessed one; may be empty.
            splits: the splits of the examples to evaluate on.
        """
        super().__init__(
            RecallEvaluatorSpec(
                examples=examples,
                catalog=catalog,
                item_stats=item_stats,
                model=model,
                last_blessed=last_blessed,
                config=to_json(config),
                splits=json_utils.dumps(list(splits)),
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                vectors=types.Channel(type=artifacts.RecallVectors),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
