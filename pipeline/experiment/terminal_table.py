"""The experiment's tables for a terminal."""

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text


def terminal_table(title: str, first: str, names: Sequence[str], style: box.Box) -> Table:
    """A table without rows, whose first column is text and whose others are figures."""
    table = Table(title=Text(title), title_justify="left", box=style)
    table.add_column(first)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    return table
