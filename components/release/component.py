"""The Release component: names what was pushed and fits together, and hands the items to serving."""

from collections.abc import Mapping
from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components import artifacts
from components.release import executor
from components.release.config import ReleaseConfig
from transforms.configuration import to_json
from transforms.ingest_config import IngestConfig


class ReleaseSpec(component_spec.ComponentSpec):
    """Inputs, parameters and output of `Release`."""

    PARAMETERS: ClassVar = {
        "serving": component_spec.ExecutionParameter(type=str),
        "ingest": component_spec.ExecutionParameter(type=str),
        "config": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "catalog": component_spec.ChannelParameter(type=artifacts.Catalog),
        "embeddings": component_spec.ChannelParameter(type=artifacts.Embeddings, optional=True),
        "pushed_ctr": component_spec.ChannelParameter(type=standard_artifacts.PushedModel),
        "pushed_recall": component_spec.ChannelParameter(type=standard_artifacts.PushedModel, optional=True),
        "pushed_image_encoder": component_spec.ChannelParameter(
            type=standard_artifacts.PushedModel, optional=True
        ),
        "pushed_text_encoder": component_spec.ChannelParameter(
            type=standard_artifacts.PushedModel, optional=True
        ),
    }
    OUTPUTS: ClassVar = {"release": component_spec.ChannelParameter(type=artifacts.Release)}


class Release(base_component.BaseComponent):
    """Writes `release.json`, which names the versions of the pushed models that belong together.

    A run may push one model and refuse another, and then what lies in the folders of the models need not fit: a
    model of clicks that was trained with the vectors of a new encoder cannot be served with those of the old
    one. So serving follows the release. It is written only if all of its models were pushed, in this run or an
    earlier one, and were trained with embeddings of the encoders that made the catalog's.
    """

    SPEC_CLASS = ReleaseSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        catalog: types.BaseChannel,
        pushed_ctr: types.BaseChannel,
        serving: str,
        ingest: IngestConfig,
        config: ReleaseConfig,
        embeddings: types.BaseChannel | None = None,
        pushed_encoders: Mapping[str, types.BaseChannel] | None = None,
        pushed_recall: types.BaseChannel | None = None,
    ):
        """Wires the component.

        Args:
            examples: `Examples` of LogIngest; its test split has the sample users.
            catalog: `artifacts.Catalog` of LogIngest.
            pushed_ctr: `PushedModel` of the Pusher, also where it pushed nothing; so are the others below.
            serving: the folder of the pushed models.
            ingest: names the raw columns of users.
            config: what a release has besides.
            embeddings: `artifacts.Embeddings` of the CatalogEmbedder; None in a run without encoders.
            pushed_encoders: by modality, `PushedModel` of the encoders' Pushers.
            pushed_recall: of recall's Pusher; None in a run without recall.
        """
        encoders = {
            f"pushed_{modality}_encoder": channel for modality, channel in (pushed_encoders or {}).items()
        }
        super().__init__(
            ReleaseSpec(
                examples=examples,
                catalog=catalog,
                embeddings=embeddings,
                pushed_ctr=pushed_ctr,
                pushed_recall=pushed_recall,
                **encoders,
                serving=serving,
                ingest=to_json(ingest),
                config=to_json(config),
                release=types.Channel(type=artifacts.Release),
            )
        )
