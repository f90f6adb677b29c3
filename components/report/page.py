"""The HTML report of a run: one page that needs neither the network nor a script."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from components.report import formats, parts, plots
from components.report.encoder_section import render_encoders
from components.report.example_section import render_examples
from components.report.markup import Markup, join, tag
from components.report.run_record import RunRecord
from components.report.style import STYLE

# Should a value from the logs ever become markup, this keeps it from loading or running anything.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
# Kinds of anomaly, by what they compare.
KINDS = {"schema": "with the schema", "skew": "training, serving", "drift": "training, eval"}


def render_page(record: RunRecord, summary: dict[str, Any], written_at: datetime) -> str:
    """The whole page.

    Args:
        record: what the run left behind.
        summary: `build_summary` of the same record.
        written_at: the time to show, with its time zone.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", "Adlens report"),
        tag("style", Markup(STYLE)),
    )
    body = tag(
        "main",
        _header(record, summary, written_at),
        _metrics(record, summary["ctr"]),
        render_encoders(record, summary),
        render_examples(record),
        _logs(record, summary["logs"]),
        _rejects(record.reject_examples, summary["logs"]),
        _anomalies(record.anomalies),
        _run(record, summary),
        tag("footer", "Written by Adlens. The same figures for programs: summary.json, beside this page."),
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", body), lang="en") + "\n"


def _header(record: RunRecord, summary: dict[str, Any], written_at: datetime) -> Markup:
    ctr = summary["ctr"]
    return tag(
        "header",
        tag("p", f"Adlens · {written_at:%d %B %Y, %H:%M %Z}", class_="eyebrow"),
        tag("h1", f"Click prediction, model “{ctr['model']}”"),
        _verdict(record, summary["pushed"]),
        _tiles(ctr),
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


def _tiles(ctr: dict[str, Any]) -> Markup:
    tiles = (
        ("AUC", formats.metric(ctr["auc"]), "a click ranks above a non-click"),
        ("GAUC", formats.metric(ctr["gauc"]), "the same within each user"),
        ("LogLoss", formats.metric(ctr["logloss"]), "lower is better"),
        ("Calibration", formats.metric(ctr["calibration"]), "predicted over observed clicks, best 1"),
        ("Test impressions", formats.count(ctr["impressions"]), "the last days, never trained on"),
    )
    return tag("dl", [parts.tile(*shown) for shown in tiles], class_="tiles")


def _metrics(record: RunRecord, ctr: dict[str, Any]) -> Markup:
    groups = ctr["groups"]
    rows = [("all", ctr), *((str(group["group"]), group) for group in groups)]
    if "baseline" in ctr:
        rows.insert(1, ("all, by the last blessed model", ctr["baseline"]))
    head = ("items", "impressions", "AUC", "GAUC", "LogLoss", "calibration")
    body = [(name, formats.count(row["impressions"]), *_four(row)) for name, row in rows]
    plotted = [
        plots.group_plot(groups, "auc", "AUC by frequency group", "Bars start at 0.5, which is chance.", 0.5),
        plots.group_plot(groups, "logloss", "LogLoss by frequency group", "Lower is better.", 0.0),
        plots.calibration_plot(record.results["calibration_plot"]),
        plots.training_plot(record.history["curve"]),
    ]
    return parts.section(
        "How well it predicts",
        "On the test split, by how often an item was shown in the training days: group 1 is the rarest eighth of "
        "the items, group 8 the most frequent, “new” was never shown.",
        parts.card(parts.table(head, body, texts=1, strong_rows=1)),
        tag("div", plotted, class_="grid"),
    )


def _four(row: dict[str, Any]) -> list[str]:
    return [formats.metric(row[name]) for name in ("auc", "gauc", "logloss", "calibration")]


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
            KINDS.get(a["kind"], a["kind"]),
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
    history = record.history
    speed = history["examples"] / history["seconds"] if history["seconds"] else 0
    lead = (
        f"Training took {formats.seconds(history['seconds'])} for {formats.count(history['examples'])} examples, "
        f"{formats.compact(speed)} a second."
    )
    return parts.section("The run", lead, tag("div", drawn, class_="grid"))


def _day(text: str) -> str:
    return f"{datetime.fromisoformat(text):%d %b %Y, %H:%M}"
