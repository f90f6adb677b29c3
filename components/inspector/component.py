"""The Inspector component: a few impressions, and why each was scored as it was."""

import json
from collections.abc import Sequence
from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components import artifacts
from components.inspector import executor
from components.inspector.config import InspectorConfig
from transforms.configuration import to_json


class InspectorSpec(component_spec.ComponentSpec):
    """Inputs, parameters and output of `Inspector`."""

    PARAMETERS: ClassVar = {
        "modalities": component_spec.ExecutionParameter(type=str),
        "num_tiers": component_spec.ExecutionParameter(type=int),
        "config": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "catalog": component_spec.ChannelParameter(type=artifacts.Catalog),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "embeddings": component_spec.ChannelParameter(type=artifacts.Embeddings, optional=True),
        "id_baseline": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS: ClassVar = {"inspection": component_spec.ChannelParameter(type=artifacts.Inspection)}


class Inspector(base_component.BaseComponent):
    """Picks a few test impressions and gathers what their predictions rest on, for a person to look at."""

    SPEC_CLASS = InspectorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        catalog: types.BaseChannel,
        model: types.BaseChannel,
        modalities: Sequence[str],
        num_tiers: int,
        config: InspectorConfig,
        embeddings: types.BaseChannel | None = None,
        id_baseline: types.BaseChannel | None = None,
    ):
        """Wires the component.

        Args:
            examples: `Examples` of LogIngest.
            catalog: `artifacts.Catalog` of LogIngest.
            model: `Model`, the candidate of the CtrTrainer.
            modalities: those whose embeddings the model reads.
            num_tiers: into how many tiers it counts similarities.
            config: how much is inspected.
            embeddings: `artifacts.Embeddings` of the CatalogEmbedder.
            id_baseline: `Model`, the same trained on IDs alone.
        """
        super().__init__(
            InspectorSpec(
                examples=examples,
                catalog=catalog,
                model=model,
                embeddings=embeddings,
                id_baseline=id_baseline,
                modalities=json.dumps(list(modalities)),
                num_tiers=num_tiers,
                config=to_json(config),
                inspection=types.Channel(type=artifacts.Inspection),
            )
        )
