"""The LogIngest component: from the four logs to typed artifacts."""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components import artifacts
from components.log_ingest import executor
from transforms.configuration import to_json
from transforms.ingest_config import IngestConfig


class LogIngestSpec(component_spec.ComponentSpec):
    """Parameters and outputs of `LogIngest`."""

    PARAMETERS = {
        "logs": component_spec.ExecutionParameter(type=str),
        "fingerprint": component_spec.ExecutionParameter(type=str),
        "config": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: dict = {}
    OUTPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "query_pairs": component_spec.ChannelParameter(type=artifacts.QueryPairs),
        "catalog": component_spec.ChannelParameter(type=artifacts.Catalog),
        "item_stats": component_spec.ChannelParameter(type=artifacts.ItemStats),
        "rejects": component_spec.ChannelParameter(type=artifacts.Rejects),
    }


class LogIngest(base_beam_component.BaseBeamComponent):
    """Turns the four logs into examples by time split, query pairs, catalog, item stats and rejects."""

    SPEC_CLASS = LogIngestSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(self, logs: str, config: IngestConfig, fingerprint: str = ""):
        """Wires the component.

        Args:
            logs: the folder of the four logs, on any filesystem that Beam reads.
            config: how the logs are read, split and joined.
            fingerprint: changes when the logs do, so that a finished ingest is used again only for the
                same logs.
        """
        super().__init__(
            LogIngestSpec(
                logs=logs,
                fingerprint=fingerprint,
                config=to_json(config),
                examples=types.Channel(type=standard_artifacts.Examples),
                query_pairs=types.Channel(type=artifacts.QueryPairs),
                catalog=types.Channel(type=artifacts.Catalog),
                item_stats=types.Channel(type=artifacts.ItemStats),
                rejects=types.Channel(type=artifacts.Rejects),
            )
        )
