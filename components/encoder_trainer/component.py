"""The EncoderTrainer component: trains the encoder of one modality and exports it."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components import artifacts
from components.encoder_trainer import executor
from models.encoder.config import ImageEncoderConfig, TextEncoderConfig
from transforms.configuration import to_json


class EncoderTrainerSpec(component_spec.ComponentSpec):
    """Inputs, parameters and outputs of `EncoderTrainer`."""

    PARAMETERS: ClassVar = {
        "modality": component_spec.ExecutionParameter(type=str),
        "config": component_spec.ExecutionParameter(type=str),
        "checkpoints": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        "query_pairs": component_spec.ChannelParameter(type=artifacts.QueryPairs),
    }
    OUTPUTS: ClassVar = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
    }


class EncoderTrainer(base_component.BaseComponent):
    """Trains the encoder of pictures or of texts by semantic-aware contrastive learning."""

    SPEC_CLASS = EncoderTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        query_pairs: types.BaseChannel,
        config: ImageEncoderConfig | TextEncoderConfig,
        checkpoints: str,
    ):
        """Wires the component.

        Args:
            query_pairs: `artifacts.QueryPairs` of LogIngest.
            config: the encoder and its training; its class says which modality.
            checkpoints: a folder that outlives a killed run; each training has a folder of its own below.
        """
        super().__init__(
            EncoderTrainerSpec(
                query_pairs=query_pairs,
                modality="image" if isinstance(config, ImageEncoderConfig) else "text",
                config=to_json(config),
                checkpoints=checkpoints,
                model=types.Channel(type=standard_artifacts.Model),
                model_run=types.Channel(type=standard_artifacts.ModelRun),
            )
        )
