"""Runs the pipeline on this machine and writes what came of it."""

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from absl import logging as absl_logging
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.tfx_runner import TfxRunner

from components.report.inputs import ReportInputs
from components.report.writer import INPUTS, write_report
from pipeline import lineage
from pipeline.beam_args import LOCAL_BEAM_ARGS
from pipeline.config import RunConfig
from pipeline.pipeline import PIPELINE_NAME, create_pipeline
from pipeline.progress import StageProgress, find_input_error
from pipeline.root import Root
from transforms.check_logs import find_logs
from transforms.input_error import InputError

RUNNERS = ("local", "beam")


def run(
    logs: str,
    root: str,
    config: RunConfig,
    runner: str = "local",
    beam_args: Sequence[str] = (),
    out: TextIO = sys.stderr,
) -> dict[str, Any]:
    """Runs what is not done yet, from logs to the report.

    Args:
        logs: the folder of the four logs.
        root: ROOT, an existing folder.
        config: the configuration of all stages.
        runner: "local" (a stage at a time) or "beam" (the stages as a Beam pipeline).
        beam_args: Beam's flags, after those that keep its work in this process.
        out: where a line for each stage goes.
    Returns:
        The summary, as `summary.json` has it.
    Raises:
        InputError: the logs, the configuration or the environment do not allow it.
    """
    places = Root(os.path.abspath(root))
    logs = absolute(logs)
    pipeline = create_pipeline(
        logs, places.path, config, fingerprint_logs(logs, config), (*LOCAL_BEAM_ARGS, *beam_args)
    )
    execute(pipeline, runner, out)
    return refresh_report(places, [component.id for component in pipeline.components])


def execute(pipeline: Pipeline, runner: str, out: TextIO) -> None:
    """Runs what is not done yet of a pipeline.

    Args:
        pipeline: the stages.
        runner: as in `run`.
        out: where a line for each stage goes.
    Raises:
        InputError: the logs, the configuration or the environment do not allow it.
    """
    absl_logging.set_verbosity(absl_logging.INFO)
    progress = StageProgress([component.id for component in pipeline.components], out)
    logger = absl_logging.get_absl_logger()
    logger.addHandler(progress)
    try:
        _make_runner(runner).run(pipeline)
    except InputError:
        raise
    except Exception as error:
        mistake = find_input_error(error)
        if mistake is None:
            raise
        raise mistake from error
    finally:
        logger.removeHandler(progress)


def absolute(path: str) -> str:
    """A local path as an absolute one, so that it names the same place in every folder; a URI as it is."""
    return path if "://" in path else os.path.abspath(path)


def refresh_report(places: Root, nodes: Sequence[str]) -> dict[str, Any]:
    """Writes ROOT/report.html and ROOT/summary.json of the last finished run, with the stages' times."""
    store = lineage.open_store(places)
    inputs = Path(lineage.last_report(store)) / INPUTS
    stages = lineage.stages(store, PIPELINE_NAME, nodes)
    return write_report(ReportInputs.from_json(inputs.read_text(encoding="utf-8")), stages, Path(places.path))


def fingerprint_logs(logs: str, config: RunConfig) -> str:
    """Names the state of the logs' files: paths, sizes and times of writing."""
    digest = hashlib.sha256()
    for log, files in sorted(find_logs(logs, config.ingest).items()):
        for file in files:
            digest.update(f"{log}\t{file.path}\t{file.fingerprint}\n".encode())
    return digest.hexdigest()


def _make_runner(runner: str) -> TfxRunner:
    if runner == "beam":
        from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner

        return BeamDagRunner()
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    return LocalDagRunner()
