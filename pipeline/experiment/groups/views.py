"""Figure 6b for a terminal and for the page."""

from typing import Any

from rich import box
from rich.table import Table

from components.report import formats, parts
from components.report.markup import Markup, tag
from pipeline.experiment.figures import percent_with_interval, seeds_of, with_spread
from pipeline.experiment.findings_view import findings_card, findings_table
from pipeline.experiment.gain_bars import GainBar, gain_bars
from pipeline.experiment.groups.rows import METRICS, findings
from pipeline.experiment.held_out_clicks import NEW
from pipeline.experiment.rows import Rows
from pipeline.experiment.terminal_table import terminal_table

_PAPER = "Embeddings help in all groups, and more the less often an item was shown."


def tables(rows: Rows, style: box.Box) -> list[Table]:
    """The improvements, then the paper's orders."""
    names = ("impressions", "AUC, IDs alone", "better by", "LogLoss, IDs alone", "better by")
    title = f"Figure 6b, SimTier + MAKE over IDs alone by frequency group: {seeds_of(rows[0]['id']['auc'])}"
    table = terminal_table(title, "group", names, style)
    for row in rows:
        table.add_row(*_group(row), *(figure for metric in METRICS for figure in _compared(row, metric)))
    return [table, findings_table("Figure 6b, the paper's orders", findings(rows), style)]


def section(rows: Rows) -> Markup:
    """Relative improvements by group, and which of the paper's orders hold."""
    reading = (
        "Relative to IDs alone, positive where embeddings help; below, the impressions. The whisker is the 95 % "
        "interval over seeds; without an end it goes on beyond the plot."
    )
    plots = [
        gain_bars(
            f"{label}, better by",
            reading,
            [
                GainBar(
                    str(row["group"]),
                    formats.compact(row["impressions"]),
                    row[f"{metric}_improvement"],
                    row["group"] == NEW,
                )
                for row in rows
            ],
        )
        for metric, label in METRICS.items()
    ]
    return parts.section(
        "Figure 6b: rare items",
        "SimTier + MAKE over IDs alone by how often an item was shown in the training days: group 1 is the rarest "
        "eighth of the items, group 8 the most frequent, “new” was never shown. The rarer half is groups 1 to 4, "
        f"weighted by their impressions. {seeds_of(rows[0]['id']['auc'])}.",
        tag("div", plots, class_="grid"),
        findings_card("What shows of the paper's figure", _PAPER, findings(rows)),
        parts.card(_table(rows)),
    )


def _table(rows: Rows) -> Markup:
    head = ["group", "impressions"]
    head += [f"{label}, {who}" for label in METRICS.values() for who in ("IDs alone", "SimTier + MAKE")]
    body = [
        [
            *_group(row),
            *(with_spread(row[who][metric]) for metric in METRICS for who in ("id", "simtier_make")),
        ]
        for row in rows
    ]
    return parts.table(head, body, texts=1)


def _group(row: dict[str, Any]) -> tuple[str, str]:
    return str(row["group"]), formats.count(row["impressions"])


def _compared(row: dict[str, Any], metric: str) -> tuple[str, str]:
    return with_spread(row["id"][metric]), percent_with_interval(row[f"{metric}_improvement"])
