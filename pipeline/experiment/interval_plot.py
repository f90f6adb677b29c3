"""Differences with their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.report.markup import Markup, tag
from components.report.plots import WIDTH
from components.report.scale import Scale, nice_bounds
from pipeline.experiment import canvas
from pipeline.experiment.figures import signed, with_interval, with_intervals

_ROW, _TOP, _LEFT, _BOTTOM = 38, 10, 14, 24
_RIGHT = WIDTH - 60


@dataclass(frozen=True)
class IntervalRow:
    """A difference, as `gain` gives it, perhaps with an interval over users beside."""

    label: str
    gain: dict[str, Any]


def interval_plot(title: str, reading: str, rows: Sequence[IntervalRow]) -> Markup:
    """A row for each difference: a dot a seed, a stroke at the mean, its intervals as bars.

    Args:
        title: of the plot.
        reading: how to read it.
        rows: in their order.
    """
    ends = [value for row in rows for value in _ends(row.gain)]
    low, high = nice_bounds(min([0.0, *ends]), max([0.0, *ends]))
    x = Scale(low, high, _LEFT, _RIGHT)
    height = _TOP + _ROW * len(rows) + _BOTTOM
    body: list[object] = [_grid(x, height)]
    for index, row in enumerate(rows):
        top = _TOP + _ROW * index
        body.append(tag("text", row.label, x=_LEFT + 4, y=top + 11, class_="label"))
        body += _draw(x, top + 25, row.gain)
    listed = [
        [row.label, with_intervals(row.gain), ", ".join(map(signed, row.gain["values"]))] for row in rows
    ]
    return canvas.figure(
        title, reading, body, height, canvas.table(("", "95 % over seeds, over users", "by seed"), listed)
    )


def _ends(gain: dict[str, Any]) -> list[float]:
    """All that the axis must hold."""
    users = gain.get("users") or {"low": None, "high": None}
    found = [*gain["values"], gain["low"], gain["high"], users["low"], users["high"]]
    return [value for value in found if value is not None]


def _draw(x: Scale, middle: float, gain: dict[str, Any]) -> list[Markup]:
    said = tag("text", signed(gain["mean"]), x=_RIGHT + 8, y=middle + 4, class_="value")
    if gain["mean"] is None:
        return [said]
    drawn = []
    if gain.get("users"):
        users = gain["users"]
        drawn.append(_bar(x(users["low"]), x(users["high"]), middle, "other band"))
    if gain["low"] is not None:
        drawn.append(_bar(x(gain["low"]), x(gain["high"]), middle, "first interval"))
    drawn += [
        tag("circle", tag("title", signed(value)), cx=x(value), cy=middle, r=3.5, class_="first")
        for value in gain["values"]
        if value is not None
    ]
    mean = x(gain["mean"])
    stroke = tag("line", x1=mean, x2=mean, y1=middle - 7, y2=middle + 7, class_="first mean")
    return [*drawn, tag("g", tag("title", with_interval(gain)), stroke), said]


def _bar(start: float, end: float, middle: float, kind: str) -> Markup:
    return tag("line", x1=start, x2=end, y1=middle, y2=middle, class_=kind)


def _grid(x: Scale, height: float) -> Markup:
    bottom = height - _BOTTOM
    labels = canvas.tick_labels(x.ticks())
    lines = [
        [
            canvas.line([(x(value), _TOP), (x(value), bottom)], "axis" if value == 0 else "grid"),
            tag("text", label, x=x(value), y=bottom + 16, class_="tick", text_anchor="middle"),
        ]
        for value, label in zip(x.ticks(), labels, strict=True)
    ]
    return tag("g", lines)
