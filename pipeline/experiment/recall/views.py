"""The recall article's ladder for a terminal and for the page."""

from collections.abc import Callable
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from components.report import formats, parts
from components.report.markup import Markup, tag
from pipeline.experiment.figures import seeds_of, signed, with_interval, with_spread
from pipeline.experiment.findings_view import findings_card, findings_table
from pipeline.experiment.interval_plot import IntervalRow, interval_plot
from pipeline.experiment.line_plot import Line, line_plot
from pipeline.experiment.recall.rows import FIGURES, LABELS, POPULAR, findings, tail_finding
from pipeline.experiment.rows import Rows
from pipeline.experiment.terminal_table import terminal_table

_PAPER = (
    "Feature fusion adds 1.6 points of click-recall (long tail 2.2) to IDs alone, output fusion another 0.5 (3.7), "
    "gates that read the item's clicks another 1.9 (2.2)."
)
_TAIL = "more so in the long tail"
_SHOWN = ("all clicks", "long tail", "new items")


def tables(rows: Rows, style: box.Box) -> list[Table]:
    """The ladder, the article's orders, and the gates' weights."""
    table = terminal_table(_title(rows), "fusion", (*_SHOWN, "above IDs by", "long tail by"), style)
    for row in rows:
        # The intervals stand in the next table.
        table.add_row(
            Text(LABELS[row["fusion"]]), *_figures(row), *_above(row, lambda one: signed(one["mean"]))
        )
    found = findings(rows)
    made = [table]
    if any(found.values()):
        made.append(findings_table("Recall, the article's orders", found, style))
    if tail_finding(rows):
        made.append(findings_table("Recall, the long tail", {_TAIL: tail_finding(rows)}, style))
    gated = _gated(rows)
    if gated is not None:
        made.append(_gate_table(gated, style))
    return made


def section(rows: Rows) -> Markup:
    """The ladder, which of the article's orders hold, and the gates' weights."""
    gated = _gated(rows)
    k = rows[0]["k"]
    body = [[LABELS[row["fusion"]], *_figures(row), *_above(row, with_interval)] for row in rows]
    head = ("fusion", *(f"{name} @{k}" for name in _SHOWN), "above IDs alone by", "long tail by")
    return parts.section(
        "Recall: from IDs alone to gated experts",
        f"Click-recall@{k} of the test days' clicks through the stages, with the whole catalog to choose from; "
        f"{seeds_of(_last(rows)['click_recall'])}.",
        tag(
            "div",
            [_gain_plot(rows, name) for name in ("click_recall", "long_tail_click_recall")],
            class_="grid",
        ),
        parts.card(parts.table(head, body, texts=1)),
        findings_card("What shows of the article's ladder", _PAPER, findings(rows)),
        findings_card(
            "Whether the long tail gains more",
            "Conditional output fusion adds about as much in the long tail as over all clicks, all steps together "
            "twice as much.",
            {_TAIL: tail_finding(rows)},
        ),
        None if gated is None else tag("div", _gate_plot(gated), _share_plot(gated), class_="grid"),
    )


def _title(rows: Rows) -> str:
    clicks = ", ".join(
        f"{name} {formats.count(count)}"
        for name, count in zip(_SHOWN, rows[0]["clicks"].values(), strict=True)
    )
    return f"Recall, click-recall@{rows[0]['k']} ({clicks}): {seeds_of(_last(rows)['click_recall'])}"


def _last(rows: Rows) -> dict[str, Any]:
    """A row with all seeds; the most clicked items need none."""
    return rows[-1]


def _figures(row: dict[str, Any]) -> list[str]:
    return [with_spread(row[name]) for name in FIGURES]


def _above(row: dict[str, Any], write: Callable[[dict[str, Any]], str]) -> list[str]:
    above = row["above"].get("id")
    names = ("click_recall", "long_tail_click_recall")
    return ["" if above is None else write(above[name]) for name in names]


def _gain_plot(rows: Rows, name: str) -> Markup:
    where = {"click_recall": "all clicks", "long_tail_click_recall": "clicks on long-tail items"}[name]
    shown = [
        IntervalRow(LABELS[row["fusion"]], row["above"]["id"][name])
        for row in rows
        if row["fusion"] not in (POPULAR, "id") and "id" in row["above"]
    ]
    reading = (
        f"Click-recall of {where} above IDs alone: a dot a seed, a stroke at the mean; the bars are the 95 % "
        "intervals over seeds (narrow) and over test users (broad)."
    )
    return interval_plot(f"Above IDs alone: {where}", reading, shown)


def _gated(rows: Rows) -> dict[str, Any] | None:
    """The last row whose gates read clicks."""
    gated = [row for row in rows if row["gate"] is not None and len(row["gate"]) > 1]
    return gated[-1] if gated else None


def _gate_table(row: dict[str, Any], style: box.Box) -> Table:
    head = ("items", "weight of content", "weight of IDs", "content's part")
    table = terminal_table(f"Gate, {LABELS[row['fusion']]}", "clicks from", head, style)
    for bucket in row["gate"]:
        figures = [with_spread(bucket[name]) for name in ("content", "id", "content_share")]
        table.add_row(formats.count(bucket["clicks"]), formats.count(bucket["items"]), *figures)
    return table


def _gate_plot(row: dict[str, Any]) -> Markup:
    lines = [
        Line(label, {bucket: weights[expert] for bucket, weights in enumerate(row["gate"])})
        for label, expert in (("content", "content"), ("IDs", "id"))
    ]
    reading = (
        "Weight of each expert by bucket of an item's clicks in the training days: bucket 0 has none, bucket b from "
        "2^(b-1) on. A dot a seed, the line their mean, the band one deviation."
    )
    return line_plot(f"Gate weights, {LABELS[row['fusion']]}", reading, "bucket of clicks", "weight", lines)


def _share_plot(row: dict[str, Any]) -> Markup:
    share = {bucket: weights["content_share"] for bucket, weights in enumerate(row["gate"])}
    reading = (
        "How much of what tells users apart comes from content, for the same items as if they had the clicks of each "
        "bucket: unlike the weights, this does not depend on how long each expert's vectors are."
    )
    return line_plot(
        "Content's part", reading, "bucket of clicks", "content's part", [Line("content", share)]
    )
