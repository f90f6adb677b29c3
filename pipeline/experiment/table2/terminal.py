"""Table 2 for a terminal."""

from rich import box
from rich.table import Table
from rich.text import Text

from components.report import formats
from pipeline.experiment.figures import seed_count, signed_with_spread, with_spread
from pipeline.experiment.part import Rows
from pipeline.experiment.table2.methods import ACCURACIES, METHODS, SCL

_LABELS = {method.name: method.label for method in METHODS}


def tables(rows: Rows, style: box.Box) -> list[Table]:
    """Two tables a modality: the figures, and Acc@1 by kind of pair."""
    found = []
    for modality in dict.fromkeys(row["modality"] for row in rows):
        own = [row for row in rows if row["modality"] == modality]
        found += [_figures(modality, own, style), _slices(modality, own, style)]
    return found


def _figures(modality: str, rows: Rows, style: box.Box) -> Table:
    pairs, seeds = formats.count(rows[0]["pairs"]), seed_count(len(rows[0]["seeds"]))
    names = ("Acc@1", "Acc@5", "SCL above it by", "paper's Acc@1, 5")
    table = _table(f"Table 2, {modality}: {pairs} test pairs, {seeds}", names, style)
    for row in rows:
        is_scl = row["method"] == SCL.name
        table.add_row(
            Text(_LABELS[row["method"]]),
            *(with_spread(row[name]) for name in ACCURACIES),
            "" if is_scl or row["scl_gain"] is None else signed_with_spread(row["scl_gain"]["acc@1"]),
            ", ".join(formats.metric(row["paper"][name]) for name in ACCURACIES),
            style="bold" if is_scl else None,
        )
    return table


def _slices(modality: str, rows: Rows, style: box.Box) -> Table:
    kinds = {kind: part["pairs"] for kind, part in rows[0]["slices"].items() if part["pairs"]}
    names = [f"{kind} ({formats.count(pairs)})" for kind, pairs in kinds.items()]
    table = _table(f"{modality.capitalize()}, Acc@1 by kind of pair", names, style)
    for row in rows:
        figures = [with_spread(row["slices"][kind]["acc@1"]) for kind in kinds]
        is_scl = row["method"] == SCL.name
        table.add_row(Text(_LABELS[row["method"]]), *figures, style="bold" if is_scl else None)
    return table


def _table(title: str, names: tuple[str, ...] | list[str], style: box.Box) -> Table:
    table = Table(title=Text(title), title_justify="left", box=style)
    table.add_column("method")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    return table
