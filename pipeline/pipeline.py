"""Wires the stages; nothing else."""

from collections.abc import Sequence

from tfx import types
from tfx.components import Evaluator, Pusher, SchemaGen, StatisticsGen, Transform
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts

from components.blessed_model.strategy import BlessedModelStrategy
from components.ctr_trainer.component import CtrTrainer
from components.evaluator.eval_config import eval_config
from components.example_validator.component import ExampleValidator
from components.log_ingest.component import LogIngest
from components.report.component import Report
from pipeline.beam_args import LOCAL_BEAM_ARGS
from pipeline.config import RunConfig
from pipeline.encoder_stages import catalog_embedder, encoder_stages
from pipeline.root import Root
from transforms.configuration import to_json
from transforms.time_splits import SPLITS

PIPELINE_NAME = "adlens"

# Identifiers, times and the group of items that training never saw differ between any two days by what
# they are; their distributions say nothing.
IDENTIFIERS = ("impression_id", "user_id", "timestamp", "item_frequency_group")


def create_pipeline(
    logs: str, root: str, config: RunConfig, fingerprint: str = "", beam_args: Sequence[str] = LOCAL_BEAM_ARGS
) -> Pipeline:
    """Wires the stages from logs to a pushed model and its report.

    Args:
        logs: the folder of the four logs.
        root: ROOT, where artifacts, metadata and pushed models go.
        config: the configuration of all stages.
        fingerprint: of the logs' files; see `LogIngest`.
        beam_args: Beam's own flags.
    """
    places = Root(root)
    ingest = _ingest(logs, config, fingerprint)
    statistics = StatisticsGen(examples=ingest.outputs["examples"])
    schema = _schema(config, statistics)
    validator = ExampleValidator(
        statistics=statistics.outputs["statistics"],
        schema=schema.outputs["schema"],
        skew_threshold=config.validation.skew_threshold,
        drift_threshold=config.validation.drift_threshold,
        ignore_features=IDENTIFIERS,
    )
    encoders = {
        modality: encoder_stages(modality, ingest.outputs["query_pairs"], config, places)
        for modality in config.modalities
    }
    embedders = [catalog_embedder(ingest.outputs["catalog"], encoders, config, places)] if encoders else []
    transform = Transform(
        examples=ingest.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="transforms.preprocessing.preprocessing_fn",
        custom_config={"ingest": to_json(config.ingest)},
        # The graph runs in the input pipeline: one epoch reads each example once, in time order, and
        # materializing would write everything a second time and lose the order.
        materialize=False,
        disable_statistics=True,
    )
    trainer = CtrTrainer(
        examples=ingest.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        ingest=config.ingest,
        config=config.ctr,
    )
    baseline = Resolver(
        strategy_class=BlessedModelStrategy,
        candidate=trainer.outputs["model"],
        model=types.Channel(type=standard_artifacts.Model, producer_component_id=trainer.id),
        model_blessing=types.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id("LastBlessedModel")
    evaluator = Evaluator(
        examples=ingest.outputs["examples"],
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["model"],
        eval_config=eval_config(
            gate=config.evaluator.gate,
            min_value=config.evaluator.min_value,
            max_drop=config.evaluator.max_drop,
        ),
        example_splits=[SPLITS[-1]],
    )
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=places.serving("ctr"))
        ),
    )
    report = Report(
        rejects=ingest.outputs["rejects"],
        item_stats=ingest.outputs["item_stats"],
        anomalies=validator.outputs["anomalies"],
        model_run=trainer.outputs["model_run"],
        evaluation=evaluator.outputs["evaluation"],
        blessing=evaluator.outputs["blessing"],
        pushed_model=pusher.outputs["pushed_model"],
        root=root,
        embeddings=embedders[0].outputs["embeddings"] if embedders else None,
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
    components = [
        ingest,
        statistics,
        schema,
        validator,
        *(node for stages in encoders.values() for node in stages.nodes),
        *embedders,
        transform,
        trainer,
        baseline,
        evaluator,
        pusher,
        report,
    ]
    return _pipeline(components, places, beam_args)


def create_ingest_pipeline(
    logs: str, root: str, config: RunConfig, fingerprint: str = "", beam_args: Sequence[str] = LOCAL_BEAM_ARGS
) -> Pipeline:
    """Wires LogIngest alone. It is that of `create_pipeline`: either uses what the other made in ROOT.

    Arguments as in `create_pipeline`.
    """
    return _pipeline([_ingest(logs, config, fingerprint)], Root(root), beam_args)


def _ingest(logs: str, config: RunConfig, fingerprint: str) -> LogIngest:
    return LogIngest(logs, config.ingest, fingerprint)


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
