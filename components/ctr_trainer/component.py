"""The CtrTrainer component: trains the click-through-rate model and exports it."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.ctr_trainer import executor
from models.ctr.config import CtrConfig
from transforms.configuration import to_json
from transforms.ingest_config import IngestConfig


class CtrTrainerSpec(component_spec.ComponentSpec):
    """Inputs, parameters and outputs of `CtrTrainer`."""

    PARAMETERS = {
        "ingest": component_spec.ExecutionParameter(type=str),
        "config": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "transform_graph": component_spec.ChannelParameter(type=standard_artifacts.TransformGraph),
    }
    OUTPUTS = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
    }


class CtrTrainer(base_component.BaseComponent):
    """Trains the click-through-rate model in time order and exports it with its signatures."""

    SPEC_CLASS = CtrTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        ingest: IngestConfig,
        config: CtrConfig,
    ):
        """Wires the component.

        Args:
            examples: `Examples` of LogIngest, as they were logged: the transform runs in the input pipeline.
            transform_graph: `TransformGraph` of Transform.
            ingest: names the features and the longest sequence of behaviors.
            config: the model and its training.
        """
        super().__init__(
            CtrTrainerSpec(
                ingest=to_json(ingest),
                config=to_json(config),
                examples=examples,
                transform_graph=transform_graph,
                model=types.Channel(type=standard_artifacts.Model),
                model_run=types.Channel(type=standard_artifacts.ModelRun),
            )
        )
