"""Figure 6c for a terminal and for the page."""

from typing import Any

from rich import box
from rich.table import Table

from components.report import parts
from components.report.markup import Markup, tag
from pipeline.experiment.figures import seeds_of, with_interval, with_intervals, with_spread
from pipeline.experiment.finding import NO, UNCLEAR, YES, judge
from pipeline.experiment.findings_view import findings_card, findings_table
from pipeline.experiment.line_plot import Line, line_plot
from pipeline.experiment.make_epochs.rows import findings
from pipeline.experiment.measured import METRICS
from pipeline.experiment.rows import Rows
from pipeline.experiment.terminal_table import terminal_table

_PAPER = "The more epochs MAKE is pre-trained for, the better the model that it joins."
_MOVES = {YES: "rises", NO: "falls", UNCLEAR: "moves too little to tell"}


def tables(rows: Rows, style: box.Box) -> list[Table]:
    """The figures, then the paper's orders."""
    title = f"Figure 6c, epochs of MAKE's pre-training: {seeds_of(rows[0]['gauc'])}"
    table = terminal_table(
        title, "epochs", ("GAUC", "AUC", "LogLoss", "GAUC above 0 epochs by", "MAKE alone"), style
    )
    for row in rows:
        figures = [with_spread(row[name]) for name in ("gauc", "auc", "logloss")]
        table.add_row(str(row["epochs"]), *figures, _above(row), _alone(row))
    return [table, findings_table("Figure 6c, the paper's orders", findings(rows), style)]


def section(rows: Rows) -> Markup:
    """GAUC by epochs of pre-training, and which of the paper's orders hold."""
    return parts.section(
        "Figure 6c: how long MAKE is pre-trained",
        f"{_training(rows)} {seeds_of(rows[0]['gauc'])}.",
        tag("p", _said(rows), class_="said") if rows[-1]["over_first"] else None,
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
            _above(row),
            _alone(row),
        ]
        for row in rows
    ]
    head = ("epochs", "AUC", "GAUC", "LogLoss", "GAUC above 0 epochs by", "GAUC of MAKE alone")
    return parts.table(head, body, texts=1)


def _training(rows: Rows) -> str:
    """What became of MAKE after its pre-training."""
    scratch = "With 0 epochs it learns with the model from scratch."
    if any(row["frozen"] for row in rows):
        return (
            "MAKE is pre-trained for so many epochs; then the model is trained for one, and MAKE's weights stay as "
            f"they are (ctr.train_make is off). {scratch} So 0 against more epochs compares two things at once, "
            "pre-training and learning with the model; from 1 epoch on only the pre-training differs."
        )
    return (
        "MAKE is pre-trained for so many epochs and then learns on with the model for one (ctr.train_make is on). "
        f"{scratch}"
    )


def _said(rows: Rows) -> str:
    """Whether MAKE itself rises with its epochs, and the model with it."""
    alone, model = rows[-1]["alone"]["over_first"]["gauc"], rows[-1]["over_first"]["gauc"]
    return (
        f"From {rows[1]['epochs']} to {rows[-1]['epochs']} epochs GAUC of MAKE alone {_moves(alone)}; "
        f"that of the model that it joins {_moves(model)}."
    )


def _moves(gain: dict[str, Any]) -> str:
    return f"{_MOVES[judge(gain)]} ({with_intervals(gain)})"


def _above(row: dict[str, Any]) -> str:
    return with_interval(row["gain"]["gauc"]) if row["gain"] else ""


def _alone(row: dict[str, Any]) -> str:
    return with_spread(row["alone"]["gauc"]) if row["alone"] else ""
