"""The MakeTrainer component: trains the knowledge extractor over several epochs."""

from collections.abc import Sequence

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components import artifacts
from components.make_trainer import executor
from models.make.config import MakeConfig
from transforms.configuration import to_json


class MakeTrainerSpec(component_spec.ComponentSpec):
    """Inputs, parameters and outputs of `MakeTrainer`."""

    PARAMETERS = {
        "config": component_spec.ExecutionParameter(type=str),
        "modalities": component_spec.ExecutionParameter(type=str),
        "max_behaviors": component_spec.ExecutionParameter(type=int),
        "checkpoints": component_spec.ExecutionParameter(type=str, optional=True),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "embeddings": component_spec.ChannelParameter(type=artifacts.Embeddings),
        "earlier_examples": component_spec.ChannelParameter(type=standard_artifacts.Examples, optional=True),
        "base": component_spec.ChannelParameter(type=artifacts.Make, optional=True),
    }
    OUTPUTS = {
        "make": component_spec.ChannelParameter(type=artifacts.Make),
        "model_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
    }


class MakeTrainer(base_component.BaseComponent):
    """Trains MAKE on the click task alone, from embeddings alone."""

    SPEC_CLASS = MakeTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        embeddings: types.BaseChannel,
        modalities: Sequence[str],
        max_behaviors: int,
        config: MakeConfig,
        earlier_examples: types.BaseChannel | None = None,
        base: types.BaseChannel | None = None,
        checkpoints: str | None = None,
    ):
        """Wires the component.

        Args:
            examples: `Examples` of LogIngest, as they were logged: of an impression the ids of its item and
                behaviors are read and nothing else.
            embeddings: `Embeddings` of CatalogEmbedder.
            modalities: "image", "text" or both.
            max_behaviors: of a longer sequence the last ones count.
            config: MAKE and its training.
            earlier_examples: `Examples` of earlier days, any number in their order; their train splits come first.
            base: `Make` of this component whose weights are begun with; none, or an empty channel: it begins from
                nothing.
            checkpoints: a folder that outlives a killed run, where the training leaves what it goes on from; each
                training has a folder of its own below. None: it begins anew.
        """
        super().__init__(
            MakeTrainerSpec(
                config=to_json(config),
                modalities=",".join(modalities),
                max_behaviors=max_behaviors,
                examples=examples,
                embeddings=embeddings,
                earlier_examples=earlier_examples,
                base=base,
                checkpoints=checkpoints,
                make=types.Channel(type=artifacts.Make),
                model_run=types.Channel(type=standard_artifacts.ModelRun),
            )
        )
