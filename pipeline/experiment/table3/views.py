"""Table 3 for a terminal and for the page."""

from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from components.report import formats, parts
from components.report.markup import Markup, tag
from pipeline.experiment.figures import percent, seed_count, with_interval, with_intervals, with_spread
from pipeline.experiment.findings_view import findings_card, findings_table
from pipeline.experiment.interval_plot import IntervalRow, interval_plot
from pipeline.experiment.rows import Rows
from pipeline.experiment.table3.methods import BOTH, LABELS, ORACLE
from pipeline.experiment.table3.rows import findings
from pipeline.experiment.terminal_table import terminal_table

_PAPER = "SimTier and MAKE lie above Vector and SimScore, and both together above each alone; all lie above IDs alone."


def tables(rows: Rows, style: box.Box) -> list[Table]:
    """The figures, then the paper's orders by GAUC."""
    impressions = formats.count(rows[0]["impressions"])
    title = f"Table 3: {impressions} test impressions, {seed_count(len(rows[0]['seeds']))}"
    names = ("GAUC", "AUC", "LogLoss", "GAUC above IDs by", "paper's")
    table = terminal_table(title, "method", names, style)
    for row in rows:
        table.add_row(
            Text(LABELS[row["method"]]),
            *(with_spread(row[name]) for name in ("gauc", "auc", "logloss")),
            _gain(row, "gauc"),
            _paper(row, "gauc"),
            style="bold" if row["method"] == BOTH else None,
        )
    return [
        table,
        findings_table("Table 3, the paper's orders", {"by GAUC": findings(rows)["by GAUC"]}, style),
    ]


def section(rows: Rows) -> Markup:
    """The paper's gains beside these, the gains with their intervals, and which of the paper's orders hold."""
    compared = [row for row in rows if row["gain"] and row["method"] != ORACLE]
    plots = [
        interval_plot(
            f"{name.upper()} above IDs alone",
            "A dot a seed, the stroke their mean, the thin bar its 95 % interval over seeds"
            + (", the broad one that over test users." if name == "gauc" else "."),
            [IntervalRow(LABELS[row["method"]], row["gain"][name]) for row in compared],
        )
        for name in ("gauc", "auc")
    ]
    return parts.section(
        "Table 3: how embeddings are integrated",
        f"Trained on the training days, measured on {formats.count(rows[0]['impressions'])} impressions of the test "
        f"split; GAUC is about the {formats.count(rows[0]['users'])} users who clicked some and not all. Mean ± "
        f"standard deviation over {seed_count(len(rows[0]['seeds']))}; gains are relative to IDs alone, as the "
        "paper's, which are of another shop.",
        _headline(rows),
        parts.card(_overview(rows)),
        tag("div", plots, class_="grid") if compared else None,
        findings_card("The paper's orders", _PAPER, findings(rows)),
    )


def _overview(rows: Rows) -> Markup:
    head = (
        "method",
        "paper GAUC",
        "paper AUC",
        "GAUC gain",
        "AUC gain",
        "GAUC",
        "AUC",
        "LogLoss",
        "calibration",
    )
    body = [
        [
            LABELS[row["method"]],
            *(_paper(row, name) for name in ("gauc", "auc")),
            *(_relative(row, name) for name in ("gauc", "auc")),
            *(with_spread(row[name]) for name in ("gauc", "auc", "logloss", "calibration")),
        ]
        for row in rows
    ]
    return parts.table(head, body, texts=1)


def _headline(rows: Rows) -> Markup | None:
    """How far the paper's best lies above IDs alone, and how much of the way to the oracle that is."""
    by_name = {row["method"]: row for row in rows}
    if BOTH not in by_name or not by_name[BOTH]["gain"]:
        return None
    gain = by_name[BOTH]["gain"]
    side = "below" if (gain["gauc"]["mean"] or 0) < 0 else "above"
    text = (
        f"{LABELS[BOTH]} lies {side} IDs alone in GAUC by {with_intervals(gain['gauc'])}, "
        f"in AUC by {with_interval(gain['auc'])} (95 % intervals)."
    )
    whole = by_name[ORACLE]["gain"]["gauc"]["mean"] if ORACLE in by_name else None
    if side == "above" and gain["gauc"]["mean"] and whole:
        share = formats.share(gain["gauc"]["mean"], whole)
        text += f" That is {share} of the way in GAUC to the oracle, who knows the true click probabilities."
    return tag("p", text, class_="said")


def _gain(row: dict[str, Any], name: str) -> str:
    return with_interval(row["gain"][name]) if row["gain"] else ""


def _relative(row: dict[str, Any], name: str) -> str:
    return percent(row["relative_gain"][name]) if row["relative_gain"] else ""


def _paper(row: dict[str, Any], name: str) -> str:
    return percent(row["paper"][name]) if row["paper"] else ""
