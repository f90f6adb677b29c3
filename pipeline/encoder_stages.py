"""Wires the stages of the encoders and of the catalog's embeddings."""

from collections.abc import Mapping
from dataclasses import dataclass

from tfx import types
from tfx.components import Pusher
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts

from components.blessed_model.strategy import BlessedModelStrategy
from components.catalog_embedder.component import CatalogEmbedder
from components.encoder_evaluator.component import EncoderEvaluator
from components.encoder_trainer.component import EncoderTrainer
from pipeline.config import RunConfig
from pipeline.daily.day import Day
from pipeline.daily.resolvers import last_blessed_encoder
from pipeline.root import Root


@dataclass(frozen=True)
class ServedEncoder:
    """The encoder that embeds the catalog, as other stages find it.

    Attributes:
        model: `Model`.
        blessing: its `ModelBlessing`.
        baseline: the `Model` that was blessed before it, to be taken where it is not blessed; None: there is none.
        pushed_model: `PushedModel`.
    """

    model: types.BaseChannel
    blessing: types.BaseChannel
    baseline: types.BaseChannel | None
    pushed_model: types.BaseChannel

    @classmethod
    def found_by(cls, resolver: Resolver) -> "ServedEncoder":
        """That of an earlier day; see `last_blessed_encoder`."""
        outputs = resolver.outputs
        return cls(outputs["model"], outputs["model_blessing"], None, outputs["pushed_model"])


@dataclass(frozen=True)
class EncoderStages:
    """From query pairs to a pushed encoder.

    Attributes:
        trainer: trains and exports the encoder.
        baseline: finds the last blessed encoder.
        evaluator: measures both, blesses or refuses.
        pusher: pushes a blessed encoder.
    """

    trainer: EncoderTrainer
    baseline: Resolver
    evaluator: EncoderEvaluator
    pusher: Pusher

    @property
    def nodes(self) -> list[BaseNode]:
        """In the order in which they run."""
        return [self.trainer, self.baseline, self.evaluator, self.pusher]

    @property
    def served(self) -> ServedEncoder:
        """The encoder of this run, or the one before it."""
        return ServedEncoder(
            self.trainer.outputs["model"],
            self.evaluator.outputs["blessing"],
            self.baseline.outputs["model"],
            self.pusher.outputs["pushed_model"],
        )


def encoder_stages(
    modality: str,
    query_pairs: types.BaseChannel,
    config: RunConfig,
    places: Root,
    day: Day | None = None,
) -> EncoderStages:
    """Wires the stages of one modality's encoder.

    Args:
        modality: "image" or "text".
        query_pairs: `QueryPairs` of LogIngest.
        config: the configuration of all stages.
        places: where checkpoints and pushed models go.
        day: of a run by days.
    """
    name = f"{modality.capitalize()}Encoder"
    encoder_config = config.image_encoder if modality == "image" else config.text_encoder
    trainer = EncoderTrainer(query_pairs, encoder_config, places.checkpoints).with_id(name)
    baseline = last_blessed_encoder(day, modality) if day is not None else _last_blessed(trainer)
    evaluator = EncoderEvaluator(
        model=trainer.outputs["model"],
        model_run=trainer.outputs["model_run"],
        query_pairs=query_pairs,
        modality=modality,
        config=config.encoder_evaluator,
        baseline_model=baseline.outputs["model"],
    ).with_id(f"{name}Evaluator")
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(
                base_directory=places.serving(f"{modality}_encoder")
            )
        ),
    ).with_id(f"{name}Pusher")
    return EncoderStages(trainer, baseline, evaluator, pusher)


def catalog_embedder(
    catalog: types.BaseChannel, encoders: Mapping[str, ServedEncoder], config: RunConfig, places: Root
) -> CatalogEmbedder:
    """Wires the embedding of the catalog.

    Args:
        catalog: `Catalog` of LogIngest.
        encoders: by modality.
        config: the configuration of all stages.
        places: where the embedder keeps what it needs to go on.
    """
    channels = {
        f"{modality}_{name}": channel
        for modality, encoder in encoders.items()
        for name, channel in (
            ("model", encoder.model),
            ("blessing", encoder.blessing),
            ("baseline", encoder.baseline),
        )
    }
    return CatalogEmbedder(catalog=catalog, config=config.embedder, cache=places.cache, **channels)


def _last_blessed(trainer: EncoderTrainer) -> Resolver:
    return Resolver(
        strategy_class=BlessedModelStrategy,
        candidate=trainer.outputs["model"],
        model=types.Channel(type=standard_artifacts.Model, producer_component_id=trainer.id),
        model_blessing=types.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id(f"LastBlessed{trainer.id}")
