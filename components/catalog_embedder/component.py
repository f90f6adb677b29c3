"""The CatalogEmbedder component: from the catalog to vectors of its items."""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components import artifacts
from components.catalog_embedder import executor
from components.catalog_embedder.config import EmbedderConfig
from transforms.configuration import to_json
from transforms.input_error import InputError


class CatalogEmbedderSpec(component_spec.ComponentSpec):
    """Inputs, parameters and output of `CatalogEmbedder`."""

    PARAMETERS = {
        "config": component_spec.ExecutionParameter(type=str),
        "cache": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "catalog": component_spec.ChannelParameter(type=artifacts.Catalog),
        "image_model": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
        "image_blessing": component_spec.ChannelParameter(
            type=standard_artifacts.ModelBlessing, optional=True
        ),
        "image_baseline": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
        "text_model": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
        "text_blessing": component_spec.ChannelParameter(
            type=standard_artifacts.ModelBlessing, optional=True
        ),
        "text_baseline": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS = {"embeddings": component_spec.ChannelParameter(type=artifacts.Embeddings)}


class CatalogEmbedder(base_beam_component.BaseBeamComponent):
    """Embeds the catalog with the blessed encoders; encodes only what is new or has changed."""

    SPEC_CLASS = CatalogEmbedderSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        catalog: types.BaseChannel,
        config: EmbedderConfig,
        cache: str,
        image_model: types.BaseChannel | None = None,
        image_blessing: types.BaseChannel | None = None,
        image_baseline: types.BaseChannel | None = None,
        text_model: types.BaseChannel | None = None,
        text_blessing: types.BaseChannel | None = None,
        text_baseline: types.BaseChannel | None = None,
    ):
        """Wires the component.

        Args:
            catalog: `Catalog` of LogIngest.
            config: batches, shards, bounds.
            cache: a folder outside of the artifacts that stays the same from run to run; a file in it points
                to the last embeddings.
            image_model: `Model` of the image encoder; absent: pictures are not embedded.
            image_blessing: its `ModelBlessing`.
            image_baseline: the `Model` that was blessed last before it, to be used where it is not blessed;
                may be empty.
            text_model: the same of the text encoder; absent: titles are not embedded.
            text_blessing: its `ModelBlessing`.
            text_baseline: as image_baseline.
        Raises:
            InputError: there is no encoder, or one without its blessing.
        """
        if image_model is None and text_model is None:
            raise InputError("CatalogEmbedder needs an image encoder or a text encoder, got neither")
        for name, model, blessing in (
            ("image", image_model, image_blessing),
            ("text", text_model, text_blessing),
        ):
            if (model is None) != (blessing is None):
                raise InputError(f"CatalogEmbedder needs {name}_model and {name}_blessing together")
        super().__init__(
            CatalogEmbedderSpec(
                config=to_json(config),
                cache=cache,
                catalog=catalog,
                image_model=image_model,
                image_blessing=image_blessing,
                image_baseline=image_baseline,
                text_model=text_model,
                text_blessing=text_blessing,
                text_baseline=text_baseline,
                embeddings=types.Channel(type=artifacts.Embeddings),
            )
        )
