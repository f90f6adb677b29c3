"""Runs the parts of an experiment and writes what came of them."""

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
from pipeline.experiment.ingested import Ingested
from pipeline.experiment.page import render_page
from pipeline.experiment.part import Part
from pipeline.experiment.store import ResultStore
from pipeline.experiment.table2.part import TABLE2
from pipeline.root import Root
from transforms.configuration import to_json

_FILE_WIDTH = 120

PARTS = {part.name: part for part in (TABLE2,)}


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
        The rows of each part, as `experiment.json` has them.
    Raises:
        InputError: the logs or the configuration do not allow it.
    """
    places = Root(os.path.abspath(root))
    data = Ingested.make(logs, places, config, out)
    found = {
        part.name: part.run(_bench(part, places, config, methods, seeds, data, out)) for part in _parts(names)
    }
    settings = json.loads(to_json(config))
    files.write_text(places.experiment, json.dumps(found, indent=2, allow_nan=False) + "\n")
    sections = [PARTS[name].section(rows) for name, rows in found.items()]
    files.write_text(places.experiment_page, render_page(sections, command, settings, datetime.now(UTC)))
    return found


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


def _bench(
    part: Part,
    places: Root,
    config: RunConfig,
    methods: Sequence[str],
    seeds: int,
    data: Ingested,
    out: TextIO,
) -> Bench:
    store = ResultStore(os.path.join(places.experiments, part.name), data.fingerprint)
    checkpoints = os.path.join(places.checkpoints, part.name)
    return Bench(config, tuple(methods), seeds, data, store, checkpoints, out)
