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

from transforms.check_logs import find_logs
from transforms.configuration import from_json
from transforms.ingest_config import IngestConfig
from transforms.ingest_logs import IngestLogs, IngestOutputs
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
            input_dict: empty.
            output_dict: `examples`, `query_pairs`, `catalog`, `item_stats`, `rejects`, one artifact each.
            exec_properties: `logs`, `fingerprint`, `config`.
        Raises:
            InputError: the logs cannot be used, or too many of their rows.
        """
        config = from_json(IngestConfig, exec_properties["config"])
        files = find_logs(exec_properties["logs"], config)
        uris = {name: artifact_utils.get_single_uri(artifacts) for name, artifacts in output_dict.items()}
        log_end = config.microseconds("log_end") if config.log_end else time.time_ns() // 1000
        with self._make_beam_pipeline() as pipeline:
            _ = pipeline | "IngestLogs" >> IngestLogs(files, config, log_end, IngestOutputs(**uris))
        with fileio.open(f"{uris['rejects']}/{COUNTS_FILE}", "rb") as stream:
            check_counts(json.loads(stream.read()), config)
        self._describe_examples(artifact_utils.get_single_instance(output_dict["examples"]))

    def _describe_examples(self, examples: types.Artifact) -> None:
        examples.split_names = artifact_utils.encode_split_names(list(SPLITS))
        examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)


def check_counts(counts: dict, config: IngestConfig) -> None:
    """Stops where too little is left to learn from or to measure with.

    Raises:
        InputError: too many rejects, or a split in which all impressions have the same label.
    """
    for line in check_rejects(counts, config.max_reject_fraction):
        raise InputError(line)
    for split in SPLITS:
        rows, clicks = counts["splits"][split], counts["clicks"][split]
        if clicks in (0, rows):
            kind = "clicks" if clicks == 0 else "impressions without a click"
            raise InputError(
                f"impressions: the {split} split has {rows:,} impressions and no {kind}, so there is nothing "
                "to learn or to measure; widen it with ingest.train_fraction and ingest.eval_fraction"
            )
