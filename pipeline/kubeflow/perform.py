"""Finds a stage's node, its inputs and its parameters, runs it and answers the launcher."""

import argparse
import logging
from pathlib import Path

from components.log_ingest.component import LogIngest
from components.report.component import Report
from components.report.files import read_bytes
from components.report.inputs import ReportInputs
from components.report.writer import INPUTS, write_report
from pipeline.beam_args import join_beam_args
from pipeline.config import RunConfig
from pipeline.daily.day import Day
from pipeline.daily.day_config import window_of
from pipeline.daily.ledger import Ledger
from pipeline.daily.plan import parse_dates, plan_day
from pipeline.kubeflow.executor_input import ExecutorInput
from pipeline.kubeflow.lineage import Lineage
from pipeline.kubeflow.run_config import run_config
from pipeline.kubeflow.run_stage import Inputs, run_stage
from pipeline.pipeline import create_pipeline
from pipeline.root import Root
from pipeline.run import fingerprint_logs
from transforms.input_error import InputError

_LOG = logging.getLogger(__name__)


def perform(options: argparse.Namespace) -> None:
    """Does what `stage` was asked for.

    Args:
        options: as `stage` parses them.
    Raises:
        InputError: the logs, the configuration or the compiled pipeline do not allow it.
    """
    executor_input = ExecutorInput.parse(options.executor_input)
    places = Root(options.root)
    config = run_config(options.preset, options.settings)
    day = _plan(options, config)
    fingerprint = ""
    if options.node == LogIngest.__name__:
        window = None if day is None else window_of(day, config.daily)
        fingerprint = fingerprint_logs(options.logs, config, window)
    beam_args = join_beam_args(options.beam_arg)
    pipeline = create_pipeline(options.logs, places.path, config, fingerprint, beam_args, day)
    nodes = {node.id: node for node in pipeline.components}
    if options.nodes:
        _check_nodes(set(nodes), set(options.nodes.split(",")))
    outputs: Inputs = {}
    if options.node in nodes:
        node = nodes[options.node]
        outputs = run_stage(node, executor_input.inputs_of(node), places, options.anew)
        if isinstance(node, Report):
            _publish_report(outputs["report"][0].uri, places, list(nodes), day)
    else:
        _LOG.info("%s is no stage of this run: it gives nothing", options.node)
    executor_input.write_output(outputs)


def _plan(options: argparse.Namespace, config: RunConfig) -> Day | None:
    if bool(options.date) != options.daily:
        wanted = (
            "a date, for it was compiled with" if options.daily else "no date, for it was compiled without"
        )
        raise InputError(f"this pipeline takes {wanted} --daily; got date {options.date!r}")
    if not options.daily:
        return None
    dates = parse_dates(options.date)
    if len(dates) > 1:
        raise InputError(f"a run on Kubeflow is one day, got date {options.date!r}")
    return plan_day(options.root, dates[0], config.daily)


def _check_nodes(needed: set[str], compiled: set[str]) -> None:
    if missing := sorted(needed - compiled):
        raise InputError(
            f"the compiled pipeline lacks {', '.join(missing)}: compile it anew with this preset and these settings"
        )


def _publish_report(folder: str, places: Root, nodes: list[str], day: Day | None) -> None:
    """Writes the report into ROOT once more, now with the stages' times, and closes the day."""
    inputs = ReportInputs.from_json(read_bytes(f"{folder}/{INPUTS}").decode())
    summary = write_report(inputs, Lineage(places.lineage).stages(nodes), Path(places.path))
    if day is not None:
        Ledger(places.path).write(day, summary)
