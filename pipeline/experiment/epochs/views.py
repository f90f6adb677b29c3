"""Figure 3 for a terminal and for the page."""

from rich import box
from rich.table import Table
from rich.text import Text

from components.report import parts
from components.report.markup import Markup, tag
from pipeline.experiment.epochs.rows import LABELS, findings
from pipeline.experiment.figures import seeds_of, with_interval, with_spread
from pipeline.experiment.findings_view import findings_card, findings_table
from pipeline.experiment.line_plot import Line, line_plot
from pipeline.experiment.measured import METRICS
from pipeline.experiment.rows import Rows
from pipeline.experiment.terminal_table import terminal_table

_PAPER = (
    "The model of IDs falls sharply as soon as its second epoch begins; the model of embeddings goes on rising "
    "over several epochs."
)


def tables(rows: Rows, style: box.Box) -> list[Table]:
    """The figures, then the paper's orders."""
    title = f"Figure 3, further epochs: {seeds_of(rows[0]['gauc'])}"
    table = terminal_table(
        title, "model", ("epoch", "GAUC", "AUC", "LogLoss", "GAUC above epoch 1 by"), style
    )
    for row in rows:
        figures = [with_spread(row[name]) for name in ("gauc", "auc", "logloss")]
        above = with_interval(row["gain"]["gauc"]) if row["gain"] else ""
        table.add_row(Text(LABELS[row["model"]]), str(row["epoch"]), *figures, above)
    return [table, findings_table("Figure 3, the paper's orders", findings(rows), style)]


def section(rows: Rows) -> Markup:
    """GAUC by epoch of both models, and which of the paper's orders hold."""
    return parts.section(
        "Figure 3: one epoch, or several",
        "A model of user, context and IDs alone, and one of embeddings alone, trained on the training days over "
        f"and over and measured after each epoch; {seeds_of(rows[0]['gauc'])}.",
        tag("div", [_plot(rows, name) for name in ("gauc", "auc")], class_="grid"),
        findings_card("What shows of the paper's figure", _PAPER, findings(rows)),
        parts.card(_table(rows)),
    )


def _plot(rows: Rows, name: str) -> Markup:
    shown = name.upper()
    reading = f"{shown} on the test split after each epoch: a dot a seed, the line their mean, the band one deviation."
    lines = [
        Line(label, {row["epoch"]: row[name] for row in rows if row["model"] == model})
        for model, label in LABELS.items()
        if any(row["model"] == model for row in rows)
    ]
    return line_plot(f"{shown} by epoch", reading, "epoch", shown, lines)


def _table(rows: Rows) -> Markup:
    body = [
        [
            f"{LABELS[row['model']]}, epoch {row['epoch']}",
            *(with_spread(row[name]) for name in METRICS),
            with_interval(row["gain"]["gauc"]) if row["gain"] else "",
        ]
        for row in rows
    ]
    return parts.table(("model", "AUC", "GAUC", "LogLoss", "GAUC above epoch 1 by"), body, texts=1)
