"""Wires the stages; nothing else."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from tfx import types
from tfx.components import Pusher, SchemaGen, StatisticsGen, Transform
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts

from components.blessed_model.strategy import BlessedModelStrategy
from components.catalog_embedder.component import CatalogEmbedder
from components.ctr_trainer.component import CtrTrainer
from components.evaluator.component import Evaluator
from components.example_validator.component import ExampleValidator
from components.inspector.component import Inspector
from components.log_ingest.component import LogIngest
from components.release.component import Release
from components.report.component import Report
from components.vocabulary_grower.component import VocabularyGrower
from pipeline.beam_args import LOCAL_BEAM_ARGS
from pipeline.click_stages import click_stages
from pipeline.config import RunConfig
from pipeline.daily import resolvers
from pipeline.daily.day import Day
from pipeline.daily.day_config import MEASURED_SPLITS, config_of_a_day, window_of
from pipeline.daily.spans import tag_outputs
from pipeline.encoder_stages import EncoderStages, ServedEncoder, catalog_embedder, encoder_stages
from pipeline.recall_stages import RecallStages, recall_stages
from pipeline.root import Root
from transforms.configuration import to_json

PIPELINE_NAME = "adlens"

# Identifiers, times and the group of items that training never saw differ between any two days by what
# they are; their distributions say nothing.
IDENTIFIERS = ("impression_id", "user_id", "timestamp", "item_frequency_group")


def create_pipeline(
    logs: str,
    root: str,
    config: RunConfig,
    fingerprint: str = "",
    beam_args: Sequence[str] = LOCAL_BEAM_ARGS,
    day: Day | None = None,
) -> Pipeline:
    """Wires the stages from logs to a pushed model and its report.

    Args:
        logs: the folder of the four logs.
        root: ROOT, where artifacts, metadata and pushed models go.
        config: the configuration of all stages.
        fingerprint: of the logs' files; see `LogIngest`.
        beam_args: Beam's own flags.
        day: the day that is run, which goes on from the day before; None: a run over all logs at once.
    """
    places = Root(root)
    if day is not None:
        config = config_of_a_day(config)
    prepared = _prepare(logs, config, fingerprint, places, day)
    ingest, encoders, embeddings = prepared.ingest, prepared.encoders, prepared.embeddings
    clicks = click_stages(
        ingest.outputs["examples"], prepared.transform_graph, embeddings, config, places, day
    )
    trainer = clicks.trainer
    last_blessed = clicks.last_blessed or _last_blessed(trainer)
    evaluator = Evaluator(
        examples=ingest.outputs["examples"],
        model=trainer.outputs["model"],
        config=config.evaluator,
        baseline=clicks.baseline.outputs["model"] if clicks.baseline is not None else None,
        last_blessed=last_blessed.outputs["model"],
        **({} if day is None else {"splits": MEASURED_SPLITS}),
    )
    inspector = Inspector(
        examples=ingest.outputs["examples"],
        catalog=ingest.outputs["catalog"],
        model=trainer.outputs["model"],
        modalities=config.ctr_modalities,
        num_tiers=config.ctr.num_tiers,
        config=config.inspector,
        embeddings=embeddings,
        id_baseline=clicks.baseline.outputs["model"] if clicks.baseline is not None else None,
    )
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=places.serving("ctr"))
        ),
    )
    recall = None
    if config.train_recall:
        recall = recall_stages(
            ingest, prepared.transform_graph, embeddings, config, places, day, prepared.earlier_stats
        )
    release = Release(
        examples=ingest.outputs["examples"],
        catalog=ingest.outputs["catalog"],
        pushed_ctr=pusher.outputs["pushed_model"],
        serving=places.serving_folder,
        ingest=config.ingest,
        config=config.release,
        embeddings=embeddings,
        pushed_encoders={
            modality: encoder.pushed_model for modality, encoder in prepared.served_encoders.items()
        },
        pushed_recall=recall.pusher.outputs["pushed_model"] if recall is not None else None,
    )
    report = Report(
        rejects=ingest.outputs["rejects"],
        item_stats=ingest.outputs["item_stats"],
        anomalies=prepared.validator.outputs["anomalies"],
        model_run=trainer.outputs["model_run"],
        evaluation=evaluator.outputs["evaluation"],
        blessing=evaluator.outputs["blessing"],
        pushed_model=pusher.outputs["pushed_model"],
        root=root,
        monitoring=config.monitoring,
        date=None if day is None else day.date.isoformat(),
        embeddings=embeddings,
        inspection=inspector.outputs["inspection"],
        baseline_run=clicks.baseline.outputs["model_run"] if clicks.baseline is not None else None,
        make_run=clicks.make.outputs["model_run"] if clicks.make is not None else None,
        **_of_recall(recall),
        **{
            name: channel
            for modality, encoder in encoders.items()
            for name, channel in (
                (f"{modality}_evaluation", encoder.evaluator.outputs["evaluation"]),
                (f"{modality}_run", encoder.trainer.outputs["model_run"]),
                (f"pushed_{modality}_encoder", encoder.pusher.outputs["pushed_model"]),
            )
        },
    )
    # The report closes a run, and a day; nothing that may still fail comes after it.
    report.add_upstream_node(release)
    components = [
        *prepared.nodes,
        *clicks.nodes,
        *([last_blessed] if day is None else []),
        evaluator,
        inspector,
        pusher,
        *(recall.nodes if recall is not None else []),
        release,
        report,
    ]
    if day is not None:
        tag_outputs(components, day.span)
    return _pipeline(components, places, beam_args)


def create_ingest_pipeline(
    logs: str, root: str, config: RunConfig, fingerprint: str = "", beam_args: Sequence[str] = LOCAL_BEAM_ARGS
) -> Pipeline:
    """Wires LogIngest alone. It is that of `create_pipeline`: either uses what the other made in ROOT.

    Arguments as in `create_pipeline`.
    """
    return _pipeline([LogIngest(logs, config.ingest, fingerprint)], Root(root), beam_args)


def create_preparation_pipeline(
    logs: str, root: str, config: RunConfig, fingerprint: str = "", beam_args: Sequence[str] = LOCAL_BEAM_ARGS
) -> Pipeline:
    """Wires the stages up to embeddings and Transform. They are those of `create_pipeline`, as above.

    Arguments as in `create_pipeline`.
    """
    places = Root(root)
    return _pipeline(_prepare(logs, config, fingerprint, places).nodes, places, beam_args)


@dataclass(frozen=True)
class _Prepared:
    """The stages before the training of models of clicks."""

    day_before: Resolver | None
    ingest: LogIngest
    statistics: StatisticsGen
    schema: SchemaGen | ImportSchemaGen
    validator: ExampleValidator
    encoders: dict[str, EncoderStages]
    last_encoders: dict[str, Resolver]
    embedder: CatalogEmbedder | None
    transform: Transform | VocabularyGrower

    @property
    def served_encoders(self) -> dict[str, ServedEncoder]:
        """By modality, those of this run or, on days that train none, those of an earlier one."""
        found = {modality: ServedEncoder.found_by(node) for modality, node in self.last_encoders.items()}
        return found or {modality: stages.served for modality, stages in self.encoders.items()}

    @property
    def earlier_stats(self) -> types.BaseChannel | None:
        return None if self.day_before is None else self.day_before.outputs["item_stats"]

    @property
    def transform_graph(self) -> types.BaseChannel:
        return self.transform.outputs["transform_graph"]

    @property
    def embeddings(self) -> types.BaseChannel | None:
        return None if self.embedder is None else self.embedder.outputs["embeddings"]

    @property
    def nodes(self) -> list[BaseNode]:
        nodes = [
            self.day_before,
            self.ingest,
            self.statistics,
            self.schema,
            self.validator,
            *(node for stages in self.encoders.values() for node in stages.nodes),
            *self.last_encoders.values(),
            self.embedder,
            self.transform,
        ]
        return [node for node in nodes if node is not None]


def _prepare(
    logs: str, config: RunConfig, fingerprint: str, places: Root, day: Day | None = None
) -> _Prepared:
    day_before = None if day is None or day.first else resolvers.day_before(day)
    ingest = _ingest(logs, config, fingerprint, day, day_before)
    statistics = StatisticsGen(examples=ingest.outputs["examples"])
    schema = _schema(config, statistics)
    validator = ExampleValidator(
        statistics=statistics.outputs["statistics"],
        schema=schema.outputs["schema"],
        skew_threshold=config.validation.skew_threshold,
        drift_threshold=config.validation.drift_threshold,
        ignore_features=IDENTIFIERS,
        previous_statistics=None if day_before is None else day_before.outputs["statistics"],
    )
    encoders, last_encoders = {}, {}
    for modality in config.modalities:
        if day is not None and not day.trains_encoders:
            last_encoders[modality] = resolvers.last_blessed_encoder(day, modality)
        else:
            query_pairs = ingest.outputs["query_pairs"]
            encoders[modality] = encoder_stages(modality, query_pairs, config, places, day)
    prepared = _Prepared(
        day_before,
        ingest,
        statistics,
        schema,
        validator,
        encoders,
        last_encoders,
        embedder=None,
        transform=_transform(ingest, schema, config, day_before),
    )
    if not config.modalities:
        return prepared
    embedder = catalog_embedder(ingest.outputs["catalog"], prepared.served_encoders, config, places)
    return dataclasses.replace(prepared, embedder=embedder)


def _ingest(
    logs: str, config: RunConfig, fingerprint: str, day: Day | None, day_before: Resolver | None
) -> LogIngest:
    if day is None:
        return LogIngest(logs, config.ingest, fingerprint)
    known = {} if day_before is None else day_before.outputs
    return LogIngest(
        logs,
        config.ingest,
        fingerprint,
        window=window_of(day, config.daily),
        history=known.get("history"),
        item_stats=known.get("item_stats"),
    )


def _transform(
    ingest: LogIngest,
    schema: SchemaGen | ImportSchemaGen,
    config: RunConfig,
    day_before: Resolver | None,
) -> Transform | VocabularyGrower:
    if day_before is not None:
        return VocabularyGrower(
            ingest.outputs["examples"], day_before.outputs["transform_graph"], config.ingest
        )
    return Transform(
        examples=ingest.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="transforms.preprocessing.preprocessing_fn",
        custom_config={"ingest": to_json(config.ingest)},
        # The graph runs in the input pipeline: one epoch reads each example once, in time order, and
        # materializing would write everything a second time and lose the order.
        materialize=False,
        disable_statistics=True,
    )


def _last_blessed(trainer: CtrTrainer) -> Resolver:
    return Resolver(
        strategy_class=BlessedModelStrategy,
        candidate=trainer.outputs["model"],
        model=types.Channel(type=standard_artifacts.Model, producer_component_id=trainer.id),
        model_blessing=types.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id("LastBlessedModel")


def _of_recall(recall: RecallStages | None) -> dict[str, types.BaseChannel]:
    """What the report reads of recall."""
    if recall is None:
        return {}
    return {
        "recall_run": recall.trainer.outputs["model_run"],
        "recall_evaluation": recall.evaluator.outputs["evaluation"],
        "index_evaluation": recall.index_builder.outputs["evaluation"],
        "pushed_recall": recall.pusher.outputs["pushed_model"],
    }


def _pipeline(components: list[BaseNode], places: Root, beam_args: Sequence[str]) -> Pipeline:
    return Pipeline(
        pipeline_name=PIPELINE_NAME,
        pipeline_root=places.artifacts,
        components=components,
        enable_cache=True,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(places.metadata),
        beam_pipeline_args=list(beam_args),
    )


def _schema(config: RunConfig, statistics: StatisticsGen) -> SchemaGen | ImportSchemaGen:
    if config.validation.schema:
        return ImportSchemaGen(schema_file=config.validation.schema)
    # Without shapes every column may be missing in a row, in training and in serving alike.
    return SchemaGen(statistics=statistics.outputs["statistics"], infer_feature_shape=False)
