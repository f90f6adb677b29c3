"""Figure 6c for a terminal and for the page."""

from rich import box
from rich.table import Table

from components.report import parts
from components.report.markup import Markup, tag
from pipeline.experiment.figures import seeds_of, with_interval, with_spread
from pipeline.experiment.findings_view import findings_card, findings_table
from pipeline.experiment.line_plot import Line, line_plot
from pipeline.experiment.make_epochs.rows import findings
from pipeline.experiment.measured import METRICS
from pipeline.experiment.rows import Rows
from pipeline.experiment.terminal_table import terminal_table

_PAPER = "The more epochs MAKE is pre-trained for, the better the model that it joins."


def tables(rows: Rows, style: box.Box) -> list[Table]:
    """The figures, then the paper's orders."""
    title = f"Figure 6c, epochs of MAKE's pre-training: {seeds_of(rows[0]['gauc'])}"
    table = terminal_table(title, "epochs", ("GAUC", "AUC", "LogLoss", "GAUC above 0 epochs by"), style)
    for row in rows:
        figures = [with_spread(row[name]) for name in ("gauc", "auc", "logloss")]
        table.add_row(str(row["epochs"]), *figures, with_interval(row["gain"]["gauc"]) if row["gain"] else "")
    return [table, findings_table("Figure 6c, the paper's orders", findings(rows), style)]


def section(rows: Rows) -> Markup:
    """GAUC by epochs of pre-training, and which of the paper's orders hold."""
    return parts.section(
        "Figure 6c: how long MAKE is pre-trained",
        "MAKE is pre-trained for so many epochs and then trained on with the model for one; 0 epochs: it is trained "
        f"with the model from scratch; {seeds_of(rows[0]['gauc'])}.",
        tag("div", [_plot(rows, name) for name in ("gauc", "auc")], class_="grid"),
        findings_card("What shows of the paper's figure", _PAPER, findings(rows)),
        parts.card(_table(rows)),
    )


def _plot(rows: Rows, name: str) -> Markup:
    shown = name.upper()
    reading = f"{shown} on the test split: a dot a seed, the line their mean, the band one deviation."
    line = Line(shown, {row["epochs"]: row[name] for row in rows})
    return line_plot(f"{shown} by epochs of pre-training", reading, "epochs of pre-training", shown, [line])


def _table(rows: Rows) -> Markup:
    body = [
        [
            str(row["epochs"]),
            *(with_spread(row[name]) for name in METRICS),
            with_interval(row["gain"]["gauc"]) if row["gain"] else "",
        ]
        for row in rows
    ]
    return parts.table(("epochs", "AUC", "GAUC", "LogLoss", "GAUC above 0 epochs by"), body, texts=1)
