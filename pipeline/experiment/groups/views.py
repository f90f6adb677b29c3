"""Figure 6b for a terminal and for the page."""

from typing import Any

from rich import box
from rich.table import Table

from components.report import formats, parts
from components.report.markup import Markup, tag
from pipeline.experiment.figures import percent_with_intervals, seeds_of, with_spread
from pipeline.experiment.findings_view import findings_card, findings_table
from pipeline.experiment.gain_bars import GainBar, gain_bars
from pipeline.experiment.groups.rows import METRICS, distance_to_oracle, findings
from pipeline.experiment.held_out_clicks import NEW
from pipeline.experiment.rows import Rows
from pipeline.experiment.terminal_table import terminal_table

_PAPER = "Embeddings help in all groups, and more the less often an item was shown."


def tables(rows: Rows, style: box.Box) -> list[Table]:
    """The improvements by AUC and by LogLoss, then the paper's orders."""
    found = []
    for metric, label in METRICS.items():
        title = f"Figure 6b, SimTier + MAKE over IDs alone by frequency group, {label}: {_seeds(rows)}"
        names = ["impressions", "IDs alone", "better by", *(["to oracle"] if _is_known(rows) else [])]
        table = terminal_table(title, "group", names, style)
        for row in rows:
            improvement = percent_with_intervals(row[f"{metric}_improvement"])
            figures = [with_spread(row["id"][metric]), improvement, *_headroom(row, metric)]
            table.add_row(*_group(row), *figures)
        found.append(table)
    return [*found, findings_table("Figure 6b, the paper's orders", findings(rows), style)]


def section(rows: Rows) -> Markup:
    """Relative improvements by group, which of the paper's orders hold, and how far the oracle is."""
    reading = (
        "Relative to IDs alone, positive where embeddings help; below, the impressions. The whisker is the 95 % "
        "interval over seeds, without an end where it goes on beyond the plot; the broad band that over test users."
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
        f"weighted by their impressions. {_seeds(rows)}.",
        tag("div", plots, class_="grid"),
        findings_card("What shows of the paper's figure", _PAPER, findings(rows)),
        [
            parts.card(tag("h3", label), _said(rows, metric), _table(rows, metric))
            for metric, label in METRICS.items()
        ],
    )


def _said(rows: Rows, metric: str) -> Markup | None:
    """What there is to gain, which helps to see why an order does not show."""
    if not _is_known(rows):
        return None
    distances = _known(rows, [distance_to_oracle(row, metric) for row in rows])
    shares = _known(rows, [row["headroom"][metric] for row in rows])
    if len(distances) < 2 or len(shares) < 2:
        return None
    listed = sorted(distances, key=lambda group: distances[group])
    most, least = max(shares, key=lambda group: shares[group]), min(shares, key=lambda group: shares[group])
    text = (
        "What there is to gain: the oracle knows the true click probabilities. IDs alone are nearest to it in "
        f"{_place(listed[0])} ({formats.metric(distances[listed[0]])} away) and farthest in {_place(listed[-1])} "
        f"({formats.metric(distances[listed[-1]])}); from the nearest to the farthest: {', '.join(listed)}. "
        f"SimTier + MAKE go most of the way in {_place(most)} ({_share(shares[most])}) and least in "
        f"{_place(least)} ({_share(shares[least])})."
    )
    return tag("p", text, class_="said")


def _table(rows: Rows, metric: str) -> Markup:
    head = ["group", "impressions", "IDs alone", "SimTier + MAKE", "better by"]
    head += ["oracle", "of the way to it"] if _is_known(rows) else []
    body = [
        [
            *_group(row),
            *(with_spread(row[who][metric]) for who in ("id", "simtier_make")),
            percent_with_intervals(row[f"{metric}_improvement"]),
            *([formats.metric(row["oracle"][metric]["mean"])] if row["oracle"] else []),
            *_headroom(row, metric),
        ]
        for row in rows
    ]
    return parts.table(head, body, texts=1)


def _seeds(rows: Rows) -> str:
    return seeds_of(rows[0]["id"]["auc"])


def _is_known(rows: Rows) -> bool:
    return rows[0]["oracle"] is not None


def _known(rows: Rows, values: list[float | None]) -> dict[str, float]:
    """By group, those that are defined."""
    named = zip(rows, values, strict=True)
    return {str(row["group"]): value for row, value in named if value is not None}


def _place(group: str) -> str:
    return "new items" if group == NEW else f"group {group}"


def _group(row: dict[str, Any]) -> tuple[str, str]:
    return str(row["group"]), formats.count(row["impressions"])


def _headroom(row: dict[str, Any], metric: str) -> list[str]:
    return [_share(row["headroom"][metric])] if row["headroom"] else []


def _share(value: float | None) -> str:
    return formats.MISSING if value is None else f"{100 * value:.1f}%"
