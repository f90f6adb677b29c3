"""Runs the pipeline on this machine and writes what came of it."""

import datetime
import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import ml_metadata as mlmd
from absl import logging as absl_logging
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.tfx_runner import TfxRunner

from components.report.inputs import ReportInputs
from components.report.writer import INPUTS, write_report
from pipeline import lineage
from pipeline.beam_args import join_beam_args
from pipeline.config import RunConfig
from pipeline.daily.day_config import window_of
from pipeline.daily.ledger import Ledger
from pipeline.daily.plan import plan_day
from pipeline.not_run import NotRun
from pipeline.pipeline import PIPELINE_NAME, create_pipeline
from pipeline.progress import StageProgress, find_input_error
from pipeline.root import Root
from transforms.check_logs import find_logs
from transforms.ingest_window import IngestWindow
from transforms.input_error import InputError

RUNNERS = ("local", "beam")


def run(
    logs: str,
    root: str,
    config: RunConfig,
    runner: str = "local",
    beam_args: Sequence[str] = (),
    out: TextIO = sys.stderr,
    date: datetime.date | None = None,
) -> dict[str, Any]:
    """Runs what is not done yet, from logs to the report.

    Args:
        logs: the folder of the four logs.
        root: ROOT, an existing folder.
        config: the configuration of all stages.
        runner: "local" (a stage at a time) or "beam" (the stages as a Beam pipeline).
        beam_args: Beam's flags, after those that keep its work in this process.
        out: where a line for each stage goes.
        date: a day to go on with, from the day before; None: all logs at once.
    Returns:
        The summary, as `summary.json` has it.
    Raises:
        InputError: the logs, the configuration, the days before or the environment do not allow it.
    """
    places = Root(os.path.abspath(root))
    logs = absolute(logs)
    day = None if date is None else plan_day(places.path, date, config.daily)
    fingerprint = fingerprint_logs(logs, config, None if day is None else window_of(day, config.daily))
    pipeline = create_pipeline(logs, places.path, config, fingerprint, join_beam_args(beam_args), day)
    execute(pipeline, runner, out)
    summary = refresh_report(places, [component.id for component in pipeline.components])
    if day is not None:
        Ledger(places.path).write(day, summary)
    return summary


def execute(pipeline: Pipeline, runner: str, out: TextIO) -> None:
    """Runs what is not done yet of a pipeline.

    Args:
        pipeline: the stages.
        runner: as in `run`.
        out: where a line for each stage goes.
    Raises:
        InputError: the logs, the configuration or the environment do not allow it.
        NotRun: the `tfx` command only wanted to know the pipeline.
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
    if not progress.started:
        raise NotRun


def absolute(path: str) -> str:
    """A local path as an absolute one, so that it names the same place in every folder; a URI as it is."""
    return path if "://" in path else os.path.abspath(path)


def refresh_report(places: Root, nodes: Sequence[str]) -> dict[str, Any]:
    """Writes ROOT/report.html and ROOT/summary.json of the last finished run, with the stages' times."""
    store = lineage.open_store(places)
    stages = lineage.stages(store, PIPELINE_NAME, nodes)
    return write_report(_last_inputs(store), stages, Path(places.path))


def refresh_last_report(places: Root) -> dict[str, Any]:
    """Does what `refresh_report` does, for whoever does not know what the last run was."""
    date = _last_inputs(lineage.open_store(places)).date
    day = None if date is None else Ledger(places.path).planned(datetime.date.fromisoformat(date))
    pipeline = create_pipeline("", places.path, RunConfig(), day=day)
    return refresh_report(places, [component.id for component in pipeline.components])


def _last_inputs(store: mlmd.MetadataStore) -> ReportInputs:
    folder = Path(lineage.last_outputs(store, PIPELINE_NAME, "Report")["report"])
    return ReportInputs.from_json((folder / INPUTS).read_text(encoding="utf-8"))


def fingerprint_logs(logs: str, config: RunConfig, window: IngestWindow | None = None) -> str:
    """Names the state of the logs' files, with a window of those that it meets: paths, sizes and times of writing."""
    digest = hashlib.sha256()
    for log, files in sorted(find_logs(logs, config.ingest, window).items()):
        for file in files:
            digest.update(f"{log}\t{file.path}\t{file.fingerprint}\n".encode())
    return digest.hexdigest()


def _make_runner(runner: str) -> TfxRunner:
    if runner == "beam":
        from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner

        return BeamDagRunner()
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    return LocalDagRunner()
