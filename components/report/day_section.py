"""The page's part on the days that a model was continued by."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from components.report import formats, parts
from components.report.day_plots import metric_by_day, seconds_by_day
from components.report.day_record import REFUSED, seconds_of
from components.report.markup import Markup, tag

# The last days stand in the table; all of them are in summary.json.
SHOWN = 31
_READING = "On the day after the one that was trained to. A ring: the model was refused, and the last blessed one went on."
_PLOTS = (
    ("gauc", "GAUC by day", _READING),
    ("auc", "AUC by day", _READING),
    ("calibration", "Calibration by day", "Predicted over observed clicks on the day after, best 1."),
)


def render_days(days: Sequence[Mapping[str, Any]]) -> Markup | None:
    """The section, or None of a run that knows no days.

    Args:
        days: records of all days, in their order.
    """
    if not days:
        return None
    drawn = [metric_by_day(days, *plot) for plot in _PLOTS]
    return parts.section(
        "Day by day",
        "Each day’s model was measured on the whole next day before anything was trained on that; so was the last "
        "blessed model, which had not seen this day.",
        parts.card(_table(days)),
        tag("div", [*drawn, seconds_by_day(days)], class_="grid"),
    )


def _table(days: Sequence[Mapping[str, Any]]) -> list[Markup | None]:
    head = (
        "trained to",
        "model",
        "GAUC",
        "last blessed",
        "IDs alone",
        "AUC",
        "calibration",
        "time",
        "alerts",
    )
    shown = days[-SHOWN:]
    table = parts.table(head, [_row(day) for day in reversed(shown)], texts=2)
    left_out = len(days) - len(shown)
    note = f"{formats.count(left_out)} earlier days are in summary.json."
    return [table, tag("p", note, class_="note") if left_out else None]


def _row(day: Mapping[str, Any]) -> tuple[str, ...]:
    gaucs = ((day[model] or {}).get("gauc") for model in ("candidate", "last_blessed", "baseline"))
    counts = Counter(alert["kind"] for alert in day["alerts"])
    alerts = ", ".join(f"{kind} {number}" if number > 1 else kind for kind, number in counts.items())
    return (
        day["date"],
        "refused" if day["status"] == REFUSED else "pushed",
        *(formats.metric(gauc) for gauc in gaucs),
        formats.metric(day["candidate"]["auc"]),
        formats.metric(day["candidate"]["calibration"]),
        formats.seconds(seconds_of(day["stages"])) if day["stages"] else formats.MISSING,
        alerts or "none",
    )
