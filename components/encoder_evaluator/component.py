"""The EncoderEvaluator component: how well an encoder finds what a query's user bought."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components import artifacts
from components.encoder_evaluator import executor
from components.encoder_evaluator.config import EncoderEvaluatorConfig
from transforms.configuration import to_json


class EncoderEvaluatorSpec(component_spec.ComponentSpec):
    """Inputs, parameters and outputs of `EncoderEvaluator`."""

    PARAMETERS: ClassVar = {
        "modality": component_spec.ExecutionParameter(type=str),
        "config": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
        "query_pairs": component_spec.ChannelParameter(type=artifacts.QueryPairs),
        "baseline_model": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS: ClassVar = {
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class EncoderEvaluator(base_component.BaseComponent):
    """Measures an encoder on the test pairs and blesses or refuses it."""

    SPEC_CLASS = EncoderEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        model_run: types.BaseChannel,
        query_pairs: types.BaseChannel,
        modality: str,
        config: EncoderEvaluatorConfig,
        baseline_model: types.BaseChannel | None = None,
    ):
        """Wires the component.

        Args:
            model: `Model`, an encoder.
            model_run: `ModelRun` of its training.
            query_pairs: `artifacts.QueryPairs` of LogIngest.
            modality: "image" or "text".
            config: what the encoder must reach.
            baseline_model: `Model`, the last blessed encoder; may be empty.
        """
        super().__init__(
            EncoderEvaluatorSpec(
                model=model,
                model_run=model_run,
                query_pairs=query_pairs,
                baseline_model=baseline_model,
                modality=modality,
                config=to_json(config),
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
