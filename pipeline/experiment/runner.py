"""Runs the parts of an experiment and writes what came of them."""

import functools
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from rich import box
from rich.console import Console
from rich.text import Text

from components.report import files
from pipeline.config import RunConfig
from pipeline.experiment.bench import Bench
from pipeline.experiment.clicks.click_data import ClickData
from pipeline.experiment.correlation.part import CORRELATION
from pipeline.experiment.epochs.part import EPOCHS_PART
from pipeline.experiment.groups.part import GROUPS
from pipeline.experiment.ingested import Ingested
from pipeline.experiment.make_epochs.part import MAKE_EPOCHS
from pipeline.experiment.page import render_page
from pipeline.experiment.part import Part
from pipeline.experiment.recall.part import RECALL
from pipeline.experiment.row_store import RowStore
from pipeline.experiment.rows import Rows
from pipeline.experiment.store import ResultStore
from pipeline.experiment.table2.part import TABLE2
from pipeline.experiment.table3.part import TABLE3
from pipeline.root import Root
from transforms.configuration import to_json

_FILE_WIDTH = 120

PARTS = {part.name: part for part in (TABLE2, TABLE3, EPOCHS_PART, CORRELATION, GROUPS, MAKE_EPOCHS, RECALL)}


def run_experiment(
    logs: str,
    root: str,
    config: RunConfig,
    names: Sequence[str],
    methods: Sequence[str],
    seeds: int,
    command: str,
    out: TextIO,
) -> dict[str, Any]:
    """Does what is missing, and writes ROOT/experiment.json and ROOT/experiment.html.

    Args:
        logs: the folder of the four logs.
        root: ROOT.
        config: the configuration of all stages; its seeds are the first of each encoder's.
        names: of the parts.
        methods: those that a part compares, by name; none for all.
        seeds: how many seeds each method is tried with, at least 1.
        command: what was typed, to show.
        out: where progress goes.
    Returns:
        The rows of each of these parts, as `experiment.json` has them; the files keep the other parts that were
        made of the same logs by the same configuration.
    Raises:
        InputError: the logs or the configuration do not allow it.
    """
    places = Root(os.path.abspath(root))
    data = Ingested.make(logs, places, config, out)
    store = RowStore(os.path.join(places.experiments, "rows"), _fingerprint(data, config))
    click_data = functools.cache(lambda: ClickData.make(logs, places, config, out))
    for part in _parts(names):
        folder = part.trials or part.name
        bench = Bench(
            config,
            tuple(methods),
            seeds,
            data,
            ResultStore(os.path.join(places.experiments, folder), data.fingerprint),
            os.path.join(places.checkpoints, folder),
            logs,
            click_data,
            out,
        )
        store.save(part.name, part.run(bench))
        # After each part, so that what is done can be looked at while the next one takes its time.
        _write(places, store.load(PARTS), command, config)
    return store.load(part.name for part in _parts(names))


def print_experiment(found: dict[str, Any], page: Path, console: Console | None = None) -> None:
    """Prints the tables of each part and the page's path; plain ASCII lines without a terminal.

    Args:
        found: what `run_experiment` returned or `experiment.json` holds.
        page: the page to look at.
        console: where to print, standard output by default.
    """
    # A file or a pipe has no width, so its lines need not break at a terminal's usual 80.
    console = console or Console(highlight=False, width=None if sys.stdout.isatty() else _FILE_WIDTH)
    style = box.SIMPLE_HEAD if console.is_terminal else box.ASCII2
    for name, rows in found.items():
        for table in PARTS[name].tables(rows, style):
            console.print(table)
    console.print(Text.assemble(("page: ", "bold"), str(page)), soft_wrap=True)


def _parts(names: Sequence[str]) -> list[Part]:
    return [part for name, part in PARTS.items() if name in names]


def _fingerprint(data: Ingested, config: RunConfig) -> str:
    return hashlib.sha256(f"{data.fingerprint}\n{to_json(config)}".encode()).hexdigest()


def _write(places: Root, found: dict[str, Rows], command: str, config: RunConfig) -> None:
    settings = json.loads(to_json(config))
    files.write_text(places.experiment, json.dumps(found, indent=2, allow_nan=False) + "\n")
    sections = [PARTS[name].section(rows) for name, rows in found.items()]
    files.write_text(places.experiment_page, render_page(sections, command, settings, datetime.now(UTC)))
