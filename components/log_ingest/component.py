"""The LogIngest component: from the four logs to typed artifacts."""

from typing import Any, ClassVar

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components import artifacts
from components.log_ingest import executor
from transforms.configuration import to_json
from transforms.ingest_config import IngestConfig
from transforms.ingest_window import IngestWindow


class LogIngestSpec(component_spec.ComponentSpec):
    """Parameters, inputs and outputs of `LogIngest`."""

    PARAMETERS: ClassVar = {
        "logs": component_spec.ExecutionParameter(type=str),
        "fingerprint": component_spec.ExecutionParameter(type=str),
        "config": component_spec.ExecutionParameter(type=str),
        "window": component_spec.ExecutionParameter(type=str, optional=True),
    }
    INPUTS: ClassVar = {
        "known_history": component_spec.ChannelParameter(type=artifacts.UserHistory, optional=True),
        "known_stats": component_spec.ChannelParameter(type=artifacts.ItemStats, optional=True),
    }
    OUTPUTS: ClassVar = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "query_pairs": component_spec.ChannelParameter(type=artifacts.QueryPairs),
        "catalog": component_spec.ChannelParameter(type=artifacts.Catalog),
        "item_stats": component_spec.ChannelParameter(type=artifacts.ItemStats),
        "rejects": component_spec.ChannelParameter(type=artifacts.Rejects),
        "history": component_spec.ChannelParameter(type=artifacts.UserHistory, optional=True),
    }


class LogIngest(base_beam_component.BaseBeamComponent):
    """Turns the four logs into examples by time split, query pairs, catalog, item stats and rejects.

    With a window it reads the part of the logs that the run of one day needs, goes on from what the day before left,
    and leaves `history` for the next.
    """

    SPEC_CLASS = LogIngestSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        logs: str,
        config: IngestConfig,
        fingerprint: str = "",
        window: IngestWindow | None = None,
        history: types.BaseChannel | None = None,
        item_stats: types.BaseChannel | None = None,
    ):
        """Wires the component.

        Args:
            logs: the folder of the four logs, on any filesystem that Beam reads.
            config: how the logs are read, split and joined.
            fingerprint: changes when the logs do, so that a finished ingest is used again only for the
                same logs.
            window: the day of a dated run; None: the whole logs.
            history: `UserHistory` of the day before; needed where the window has a start.
            item_stats: `ItemStats` of the day before; likewise.
        """
        # What a run without a window lacks is not there at all, so that its cache is what it was.
        dated: dict[str, Any] = {}
        if window is not None:
            dated = {
                "window": to_json(window),
                "known_history": history,
                "known_stats": item_stats,
                "history": types.Channel(type=artifacts.UserHistory),
            }
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
                **dated,
            )
        )
