"""The page's part on how well the model predicts, beside the model of IDs alone."""

from typing import Any

from components.report import formats, parts, plots
from components.report.markup import Markup, tag
from components.report.run_record import RunRecord

BESIDE = "IDs alone"
COMPARED = {"auc": "AUC", "logloss": "LogLoss"}
# Metric, title, how to read it, and where its bars start.
GROUP_PLOTS = (
    ("auc", "AUC by frequency group", "Bars start at 0.5, which is chance.", 0.5),
    ("gauc", "GAUC by frequency group", "Over users with clicked and other impressions of the group.", 0.5),
    ("logloss", "LogLoss by frequency group", "Lower is better.", 0.0),
)


def render_metrics(record: RunRecord, ctr: dict[str, Any]) -> Markup:
    """The section.

    Args:
        record: what the run left behind.
        ctr: the part "ctr" of `build_summary` of the same record.
    """
    baseline = ctr.get("baseline")
    beside = baseline["groups"] if baseline else None
    pale = f" Pale: {BESIDE}." if baseline else ""
    plotted = [
        *(
            plots.group_plot(ctr["groups"], metric, title, reading + pale, base, beside)
            for metric, title, reading, base in GROUP_PLOTS
        ),
        plots.calibration_plot(record.results["calibration_plot"]),
    ]
    return parts.section(
        "How well it predicts",
        "On the test split, by how often an item was shown in the training days: group 1 is the rarest eighth of "
        "the items, group 8 the most frequent, “new” was never shown.",
        parts.card(_models(ctr)) if baseline or "last_blessed" in ctr else None,
        parts.card(_groups(ctr)),
        tag("div", plotted, class_="grid"),
    )


def tiles(ctr: dict[str, Any]) -> Markup:
    """The model's figures over the whole test split, each beside that of the model of IDs alone."""
    shown = (
        ("AUC", "auc", "a click ranks above a non-click"),
        ("GAUC", "gauc", "the same within each user"),
        ("LogLoss", "logloss", "lower is better"),
        ("Calibration", "calibration", "predicted over observed clicks, best 1"),
    )
    made = [parts.tile(name, formats.metric(ctr[key]), hint, _beside(ctr, key)) for name, key, hint in shown]
    count = formats.count(ctr["impressions"])
    made.append(parts.tile("Test impressions", count, "the last days, never trained on"))
    return tag("dl", made, class_="tiles")


def _beside(ctr: dict[str, Any], metric: str) -> str | None:
    if "baseline" not in ctr:
        return None
    other = ctr["baseline"][metric]
    return f"{BESIDE} {formats.metric(other)} ({formats.difference(ctr[metric], other)})"


def _models(ctr: dict[str, Any]) -> Markup:
    rows = [(f"this one, “{ctr['model']}”", ctr)]
    if "baseline" in ctr:
        rows.append((f"{BESIDE}, trained in this run", ctr["baseline"]))
    if "last_blessed" in ctr:
        rows.append(("the last blessed model", ctr["last_blessed"]))
    head = ("model, all impressions", "AUC", "GAUC", "LogLoss", "calibration")
    return parts.table(head, [(name, *_four(row)) for name, row in rows], texts=1, strong_rows=1)


def _groups(ctr: dict[str, Any]) -> Markup:
    rows = [("all", ctr), *((str(group["group"]), group) for group in ctr["groups"])]
    if "baseline" not in ctr:
        head = ("items", "impressions", "AUC", "GAUC", "LogLoss", "calibration")
        body = [(name, formats.count(row["impressions"]), *_four(row)) for name, row in rows]
        return parts.table(head, body, texts=1, strong_rows=1)
    others = [ctr["baseline"], *ctr["baseline"]["groups"]]
    compared = [column for name in COMPARED.values() for column in (name, BESIDE, "difference")]
    return parts.table(
        ("items", "impressions", *compared, "GAUC", "calibration"),
        [_compared(name, row, other) for (name, row), other in zip(rows, others, strict=True)],
        texts=1,
        strong_rows=1,
    )


def _compared(name: str, row: dict[str, Any], other: dict[str, Any]) -> tuple[str, ...]:
    pairs = [(row[metric], other[metric]) for metric in COMPARED]
    shown = [
        text
        for value, beside in pairs
        for text in (formats.metric(value), formats.metric(beside), formats.difference(value, beside))
    ]
    rest = (formats.metric(row["gauc"]), formats.metric(row["calibration"]))
    return (name, formats.count(row["impressions"]), *shown, *rest)


def _four(row: dict[str, Any]) -> list[str]:
    return [formats.metric(row[name]) for name in ("auc", "gauc", "logloss", "calibration")]
