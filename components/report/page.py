"""The HTML report of a run: one page that needs neither the network nor a script."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from components.report import formats, parts, plots
from components.report.day_section import render_days
from components.report.document import render_document
from components.report.encoder_section import render_encoders
from components.report.example_section import render_examples
from components.report.inspection_section import render_inspection
from components.report.markup import Markup, join, tag
from components.report.metrics_section import render_metrics, tiles
from components.report.recall_section import render_recall
from components.report.run_record import RunRecord
from components.report.style import STYLE
from components.report.training_section import render_training

# Kinds of anomaly, by what they compare.
KINDS = {"schema": "with the schema", "skew": "training, serving", "drift": "training, eval"}
# The gravest come first.
MAX_ALERTS = 8
# Of a run that knows days.
DAY_BEFORE = "the day before"


def render_page(record: RunRecord, summary: dict[str, Any], written_at: datetime) -> str:
    """The whole page.

    Args:
        record: what the run left behind.
        summary: `build_summary` of the same record.
        written_at: the time to show, with its time zone.
    """
    body = tag(
        "main",
        _header(record, summary, written_at),
        _alerts(summary["alerts"]),
        render_days(summary["days"]),
        render_metrics(record, summary["ctr"]),
        render_inspection(record.inspection),
        render_recall(record.recall, summary["recall"], summary["pushed"].get("recall")),
        render_encoders(record, summary),
        render_examples(record),
        render_training(record),
        _logs(record, summary["logs"]),
        _rejects(record.reject_examples, summary["logs"]),
        _anomalies(record.anomalies),
        _run(record, summary),
        tag("footer", "Written by Adlens. The same figures for programs: summary.json, beside this page."),
    )
    return render_document("Adlens report", STYLE, body)


def _header(record: RunRecord, summary: dict[str, Any], written_at: datetime) -> Markup:
    ctr = summary["ctr"]
    return tag(
        "header",
        tag("p", f"Adlens · {written_at:%d %B %Y, %H:%M %Z}", class_="eyebrow"),
        tag("h1", f"Click prediction, model “{ctr['model']}”"),
        _verdict(record, summary["pushed"]),
        tiles(ctr),
    )


def _verdict(record: RunRecord, pushed: dict[str, str]) -> Markup:
    if not record.blessed:
        reasons = record.results["validation"]["reasons"]
        listed = tag("ul", [tag("li", reason) for reason in reasons]) if reasons else None
        return tag(
            "div", tag("strong", "Not blessed, so not pushed"), listed, class_="verdict bad", role="status"
        )
    if "ctr" not in pushed:
        return tag("div", tag("strong", "Blessed, but not pushed"), class_="verdict bad", role="status")
    where = join([" to ", tag("code", pushed["ctr"])])
    return tag("div", tag("strong", "Blessed and pushed"), where, class_="verdict good", role="status")


def _alerts(alerts: Sequence[dict[str, str]]) -> Markup | None:
    """What `adlens alerts` would say."""
    if not alerts:
        return None
    listed = [
        tag("li", tag("b", alert["kind"], " ", alert["subject"]), ": ", alert["text"])
        for alert in alerts[:MAX_ALERTS]
    ]
    if len(alerts) > MAX_ALERTS:
        listed.append(tag("li", f"{formats.count(len(alerts) - MAX_ALERTS)} more are in summary.json"))
    said = tag("strong", f"{formats.count(len(alerts))} alert{'s' if len(alerts) > 1 else ''}")
    return tag("div", said, tag("ul", listed), class_="verdict small bad")


def _logs(record: RunRecord, logs: dict[str, Any]) -> Markup:
    counts = record.counts
    rows = []
    for log, used in logs["used"].items():
        rejected = sum(logs["rejects"].get(log, {}).values())
        share = formats.share(rejected, logs[log])
        rows.append((log, formats.count(logs[log]), formats.count(used), formats.count(rejected), share))
    boundaries = counts["boundaries"]
    spans = {
        "train": f"before {_day(boundaries['train_end'])}",
        "eval": f"from {_day(boundaries['train_end'])}",
        "test": f"from {_day(boundaries['eval_end'])}",
    }
    pairs = logs["query_pairs"]
    splits = [
        (
            name,
            spans[name],
            formats.count(number),
            formats.share(counts["clicks"][name], number),
            formats.count(pairs[name]),
        )
        for name, number in logs["splits"].items()
    ]
    log_table = parts.table(("log", "rows read", "used", "rejected", "share"), rows, texts=1)
    split_table = parts.table(("split", "days", "impressions", "clicked", "query pairs"), splits, texts=2)
    seen = pairs["seen_in_train"]
    note = None
    if seen:
        note = tag(
            "p", f"{formats.count(seen)} pairs were left out: training had them already.", class_="note"
        )
    return parts.section(
        "The logs",
        "Every row read is either used or rejected. Splits are by time: nothing in training knows of later days.",
        tag("div", parts.card(log_table), parts.card(split_table, note), class_="grid"),
    )


def _rejects(examples: Sequence[dict[str, Any]], logs: dict[str, Any]) -> Markup:
    found = [
        (log, reason, number)
        for log, reasons in logs["rejects"].items()
        for reason, number in sorted(reasons.items(), key=lambda item: -item[1])
        if number
    ]
    if not found:
        return parts.section("Rejected rows", "None: every row could be used.")
    rows = [
        (log, reason, formats.count(number), formats.share(number, logs[log]))
        for log, reason, number in found
    ]
    table = parts.table(("log", "reason", "rows", "share"), rows, texts=2)
    by_reason = groupby(examples, lambda example: (example["log"], example["reason"]))
    samples = [_samples(key, list(group)) for key, group in by_reason]
    return parts.section(
        "Rejected rows",
        "Rows that could not be used, whole and with their reasons, lie in the run's rejects.",
        parts.card(table, tag("details", tag("summary", "Examples"), samples) if samples else None),
    )


def _samples(key: tuple[str, str], rows: Iterable[dict[str, Any]]) -> Markup:
    lines = [tag("code", f"{row['file']}, row {row['row']}\n{row['row_json']}") for row in rows]
    return tag("div", tag("strong", f"{key[0]}: {key[1]}"), lines, class_="sample")


def _anomalies(anomalies: Sequence[dict[str, str]]) -> Markup:
    if not anomalies:
        return parts.section(
            "Data anomalies", "None: all splits fit the schema, and training and eval days look alike."
        )
    rows = [
        (
            a["split"],
            DAY_BEFORE if (a["kind"], a["split"]) == ("drift", "train") else KINDS.get(a["kind"], a["kind"]),
            a["feature"] or "all",
            f"{a['short']}. {a['description']}",
        )
        for a in anomalies
    ]
    table = parts.table(("split", "compared", "feature", "finding"), rows, texts=len(rows[0]))
    lead = "What does not fit the schema, and features whose values differ between the splits."
    return parts.section("Data anomalies", lead, parts.card(table))


def _run(record: RunRecord, summary: dict[str, Any]) -> Markup:
    drawn = [plots.popularity_plot(record.item_impressions)]
    if summary["stages"]:
        drawn.append(plots.stage_plot(summary["stages"]))
    lead = "What the training days hold, and where the time went."
    return parts.section("The run", lead, tag("div", drawn, class_="grid"))


def _day(text: str) -> str:
    return f"{datetime.fromisoformat(text):%d %b %Y, %H:%M}"
