"""Figure 6a for a terminal and for the page."""

from rich import box
from rich.table import Table
from rich.text import Text

from components.report import parts
from components.report.markup import Markup, tag
from pipeline.experiment.canvas import KINDS
from pipeline.experiment.correlation.rows import RANDOM, SHOWN, findings
from pipeline.experiment.figures import seeds_of, with_interval, with_spread
from pipeline.experiment.findings_view import findings_card, findings_table
from pipeline.experiment.rows import Rows
from pipeline.experiment.scatter_plot import Point, scatter_plot
from pipeline.experiment.table2.methods import METHODS
from pipeline.experiment.terminal_table import terminal_table

_LABELS = {method.name: method.label for method in METHODS} | {
    RANDOM: "control: a random vector for each item"
}
# Beside a dot there is less room than in a table.
_SHORT = {
    "backbone": "backbone",
    "title_image": "<title, image>",
    "scl": "SCL",
    "scl_without_triplet": "without triplet",
    "scl_without_triplet_and_bank": "without both",
}
_PAPER = "The higher an encoder's Acc@1, the higher the GAUC of the model that its embeddings go into."
_CONTROL = (
    "The control says how much of the gain needs no encoder: its embeddings tell only which items are the same, so its "
    "model learns what it means to see an item again."
)
_RULE = (
    "Correlations are over the means of the seeds. Yes and no: so strong a linear correlation comes by chance "
    "less than once in twenty (p < 0.05); unclear: more often."
)


def tables(rows: Rows, style: box.Box) -> list[Table]:
    """The figures, then the correlations."""
    names = ("modality", "Acc@1", "GAUC", "GAUC above IDs by")
    table = terminal_table(f"Figure 6a, encoders: {seeds_of(rows[0]['gauc'])}", "encoder", names, style)
    for row in rows:
        table.add_row(Text(_LABELS[row["method"]]), row["modality"], *_figures(row))
    return [table, findings_table("Figure 6a, the paper's correlation", findings(rows), style)]


def section(rows: Rows) -> Markup:
    """Acc@1 against GAUC, and how they correlate, by modality."""
    modalities = list(dict.fromkeys(row["modality"] for row in rows))
    plots = [
        _plot(modality, [row for row in rows if row["modality"] == modality], kind)
        for modality, kind in zip(modalities, KINDS, strict=False)
    ]
    body = [[_LABELS[row["method"]], SHOWN[row["modality"]], *_figures(row)] for row in rows]
    head = ("encoder", "of", "Acc@1", "GAUC", "GAUC above IDs alone by")
    return parts.section(
        "Figure 6a: better encoders, better click prediction?",
        "Acc@1 of Table 2's encoders against the GAUC of a model of clicks with the embeddings of each; "
        f"{seeds_of(rows[0]['gauc'])}.",
        tag("div", plots, class_="grid"),
        findings_card("What shows of the paper's figure", _PAPER, findings(rows), _RULE),
        parts.card(parts.table(head, body, texts=2), tag("p", _CONTROL, class_="note")),
    )


def _plot(modality: str, rows: Rows, kind: str) -> Markup:
    points = [
        Point(_SHORT[row["method"]], row["acc@1"], row["gauc"]) for row in rows if row["method"] != RANDOM
    ]
    reading = "A dot an encoder, at the means of its seeds; bars are one deviation to every side."
    return scatter_plot(f"{SHOWN[modality].capitalize()}", reading, "Acc@1", "GAUC", points, kind)


def _figures(row: dict) -> list[str]:
    return [with_spread(row["acc@1"]), with_spread(row["gauc"]), with_interval(row["gain"]["gauc"])]
