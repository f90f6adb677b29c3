"""A table or figure of the papers."""

from collections.abc import Callable
from dataclasses import dataclass

from rich import box
from rich.table import Table

from components.report.markup import Markup
from pipeline.experiment.bench import Bench
from pipeline.experiment.rows import Rows


@dataclass(frozen=True)
class Part:
    """A table or figure of the papers.

    Attributes:
        name: its key in `experiment.json` and its name on the command line.
        run: does what is missing and gives the rows for `experiment.json`.
        tables: the rows for a terminal.
        section: the rows for the page.
        trials: where its trials are kept; parts that name the same place share them. The part's own by default.
    """

    name: str
    run: Callable[[Bench], Rows]
    tables: Callable[[Rows, box.Box], list[Table]]
    section: Callable[[Rows], Markup]
    trials: str | None = None
