"""The VocabularyGrower component: yesterday's preprocessing with today's new ids."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.vocabulary_grower import executor
from transforms.configuration import to_json
from transforms.ingest_config import IngestConfig


class VocabularyGrowerSpec(component_spec.ComponentSpec):
    """Inputs, parameters and output of `VocabularyGrower`."""

    PARAMETERS: ClassVar = {"ingest": component_spec.ExecutionParameter(type=str)}
    INPUTS: ClassVar = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "known_graph": component_spec.ChannelParameter(type=standard_artifacts.TransformGraph),
    }
    OUTPUTS: ClassVar = {
        "transform_graph": component_spec.ChannelParameter(type=standard_artifacts.TransformGraph)
    }


class VocabularyGrower(base_beam_component.BaseBeamComponent):
    """Appends the ids that a day's training examples bring to the vocabularies of the day before.

    It takes the place of Transform on every day but the first: what was an id's row yesterday is its row today, new
    ids come after the known ones, and the hashed buckets behind them. The scaling and the buckets of numbers stay
    those of the first day.
    """

    SPEC_CLASS = VocabularyGrowerSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(self, examples: types.BaseChannel, transform_graph: types.BaseChannel, ingest: IngestConfig):
        """Wires the component.

        Args:
            examples: `Examples` of LogIngest; the train split is counted.
            transform_graph: `TransformGraph` of the day before.
            ingest: the features, with the count that an id needs.
        """
        super().__init__(
            VocabularyGrowerSpec(
                examples=examples,
                known_graph=transform_graph,
                ingest=to_json(ingest),
                transform_graph=types.Channel(type=standard_artifacts.TransformGraph),
            )
        )
