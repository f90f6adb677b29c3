"""What the LogIngest component does."""

import json
import time
from typing import Any

from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils

from components.span import span_of
from transforms.check_logs import find_logs
from transforms.configuration import from_json
from transforms.ingest_config import IngestConfig
from transforms.ingest_logs import DayBefore, IngestLogs, IngestOutputs
from transforms.ingest_window import IngestWindow
from transforms.input_error import InputError
from transforms.log_counts import COUNTS_FILE, check_rejects
from transforms.time_splits import SPLITS


class Executor(base_beam_executor.BaseBeamExecutor):
    """Runs `IngestLogs` and looks at what came out of it."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the artifacts.

        Args:
            input_dict: empty; with a window that has a start `known_history` and `known_stats`, one artifact each.
            output_dict: `examples`, `query_pairs`, `catalog`, `item_stats`, `rejects`, one artifact each; with a
                window `history` too.
            exec_properties: `logs`, `fingerprint`, `config`; `window` of a dated run.
        Raises:
            InputError: the logs cannot be used, or too many of their rows.
        """
        config = from_json(IngestConfig, exec_properties["config"])
        dated = exec_properties.get("window")
        window = from_json(IngestWindow, dated) if dated else None
        before = _day_before(input_dict, window) if window else None
        files = find_logs(exec_properties["logs"], config, window)
        uris = {name: artifact_utils.get_single_uri(artifacts) for name, artifacts in output_dict.items()}
        log_end = config.microseconds("log_end") if config.log_end else time.time_ns() // 1000
        with self._make_beam_pipeline() as pipeline:
            _ = pipeline | "IngestLogs" >> IngestLogs(
                files, config, log_end, IngestOutputs(**uris), window, before
            )
        with fileio.open(f"{uris['rejects']}/{COUNTS_FILE}", "rb") as stream:
            check_counts(json.loads(stream.read()), config, window)
        self._describe_examples(artifact_utils.get_single_instance(output_dict["examples"]))

    def _describe_examples(self, examples: types.Artifact) -> None:
        examples.split_names = artifact_utils.encode_split_names(list(SPLITS))
        examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)


def _day_before(input_dict: dict[str, list[types.Artifact]], window: IngestWindow) -> DayBefore | None:
    """Where the run of the day before wrote, and that it was this day's."""
    if window.start is None:
        return None
    found = []
    for name in ("known_history", "known_stats"):
        artifacts = input_dict.get(name, [])
        spans = [span_of(artifact) for artifact in artifacts]
        if spans != [window.span - 1]:
            raise InputError(
                f"the run of {window.day} goes on from the {name.removeprefix('known_')} of the day before, day "
                f"{window.span - 1} since 1970; got days {spans}"
            )
        found.append(artifacts[0].uri)
    return DayBefore(*found)


def check_counts(counts: dict, config: IngestConfig, window: IngestWindow | None = None) -> None:
    """Stops where too little is left to learn from or to measure with.

    Raises:
        InputError: too many rejects, or a split in which all impressions have the same label; in a dated run the day
            or the next one, whose two splits are measured as one.
    """
    for line in check_rejects(counts, config.max_reject_fraction):
        raise InputError(line)
    if window is None:
        parts = {f"the {split} split has": [split] for split in SPLITS}
        hint = "widen it with ingest.train_fraction and ingest.eval_fraction"
    else:
        train, *measured = SPLITS
        parts = {
            f"the training up to {window.day} has": [train],
            f"{window.next_day}, on which it is measured, has": measured,
        }
        hint = "a dated run needs both on either day"
    for part, splits in parts.items():
        rows, clicks = (sum(counts[name][split] for split in splits) for name in ("splits", "clicks"))
        if clicks in (0, rows):
            kind = "clicks" if clicks == 0 else "impressions without a click"
            raise InputError(
                f"impressions: {part} {rows:,} impressions and no {kind}, so there is nothing to learn or to "
                f"measure; {hint}"
            )
