"""The CtrTrainer component: trains the click-through-rate model and exports it."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components import artifacts
from components.ctr_trainer import executor
from models.ctr.config import CtrConfig
from models.make.config import MakeConfig
from transforms.configuration import to_json
from transforms.ingest_config import IngestConfig


class CtrTrainerSpec(component_spec.ComponentSpec):
    """Inputs, parameters and outputs of `CtrTrainer`."""

    PARAMETERS = {
        "ingest": component_spec.ExecutionParameter(type=str),
        "config": component_spec.ExecutionParameter(type=str),
        "make_config": component_spec.ExecutionParameter(type=str),
        "resumable": component_spec.ExecutionParameter(type=int, optional=True),
        "checkpoints": component_spec.ExecutionParameter(type=str, optional=True),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "transform_graph": component_spec.ChannelParameter(type=standard_artifacts.TransformGraph),
        "embeddings": component_spec.ChannelParameter(type=artifacts.Embeddings, optional=True),
        "make": component_spec.ChannelParameter(type=artifacts.Make, optional=True),
        "base": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
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
        embeddings: types.BaseChannel | None = None,
        make: types.BaseChannel | None = None,
        make_config: MakeConfig | None = None,
        base: types.BaseChannel | None = None,
        resumable: bool = False,
        checkpoints: str | None = None,
    ):
        """Wires the component.

        Args:
            examples: `Examples` of LogIngest, as they were logged: the transform runs in the input pipeline.
            transform_graph: `TransformGraph` of Transform.
            ingest: names the features and the longest sequence of behaviors.
            config: the model and its training; where its integration uses content, with its modalities named.
            embeddings: `Embeddings` of CatalogEmbedder; None for a model of IDs alone.
            make: `Make` of MakeTrainer; None where the model has no MAKE, or one without a training of its own.
            make_config: the sizes of MAKE.
            base: `Model` of this component, resumable, to go on from with one epoch; none, or an empty channel: the
                model begins from nothing.
            resumable: whether the model artifact keeps what training needs to go on from it.
            checkpoints: a folder that outlives a killed run, where the training leaves what it goes on from; each
                training has a folder of its own below. None: it begins anew.
        """
        super().__init__(
            CtrTrainerSpec(
                ingest=to_json(ingest),
                config=to_json(config),
                make_config=to_json(make_config or MakeConfig()),
                examples=examples,
                transform_graph=transform_graph,
                embeddings=embeddings,
                make=make,
                base=base,
                checkpoints=checkpoints,
                model=types.Channel(type=standard_artifacts.Model),
                model_run=types.Channel(type=standard_artifacts.ModelRun),
                # Of other runs it is not there at all, so that their cache is what it was.
                **({"resumable": 1} if resumable else {}),
            )
        )
