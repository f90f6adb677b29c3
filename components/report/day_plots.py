"""Plots with one point a day."""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from components.report import formats
from components.report.day_record import REFUSED, seconds_of
from components.report.drawing import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    draw_figure,
    draw_grid,
    draw_line,
    draw_nothing,
    draw_table,
    is_finite,
)
from components.report.markup import Markup, join, tag
from components.report.scale import Scale, nice_bounds

MODELS = {"candidate": "this day’s model", "last_blessed": "last blessed", "baseline": "IDs alone"}
_KINDS = {"candidate": "curve", "last_blessed": "second", "baseline": "third"}
_MAX_TICKS = 6
_MAX_MARKS = 60


def metric_by_day(days: Sequence[Mapping[str, Any]], metric: str, title: str, reading: str) -> Markup:
    """One metric of the models by day, refused days marked by a ring.

    Args:
        days: records of days, in their order.
        metric: its name.
        title, reading: of the plot.
    """
    lines = {
        model: [(_ordinal(day), day[model][metric]) for day in days if _has(day, model, metric)]
        for model in MODELS
    }
    values = [value for line in lines.values() for _, value in line]
    if not values:
        return draw_nothing(title, "No day to show.")
    x = _days_scale(days)
    y = Scale(*nice_bounds(min(values), max(values)), BOTTOM, TOP)
    drawn = [_legend([model for model, line in lines.items() if line])]
    # The day's own model last, above the others.
    for model in reversed(MODELS):
        points = [(x(place), y(value)) for place, value in lines[model]]
        drawn.append(draw_line(points, _KINDS[model]))
        if len(points) == 1:  # of which a line shows nothing
            drawn.append(tag("circle", cx=points[0][0], cy=points[0][1], r=3, class_=_KINDS[model]))
    drawn += _marks(days, metric, x, y)
    rows = [
        (day["date"], *(formats.metric((day[model] or {}).get(metric)) for model in MODELS), day["status"])
        for day in days
    ]
    table = draw_table(("trained to", *MODELS.values(), "model"), rows)
    return draw_figure(title, reading, join([_day_axes(days, x, y), drawn]), table)


def seconds_by_day(days: Sequence[Mapping[str, Any]]) -> Markup:
    """Seconds of all stages of each day's run."""
    timed = [(day, seconds_of(day["stages"])) for day in days if day["stages"]]
    title = "Time by day"
    if not timed:
        return draw_nothing(title, "No day to show.")
    x = _days_scale(days)
    y = Scale(0, nice_bounds(0, max(seconds for _, seconds in timed))[1], BOTTOM, TOP)
    line = [(x(_ordinal(day)), y(seconds)) for day, seconds in timed]
    body = join([_day_axes(days, x, y), draw_line(line, "curve"), [_dot(*point) for point in line]])
    rows = [(day["date"], formats.seconds(seconds)) for day, seconds in timed]
    reading = "Seconds of all stages of a day’s run. A day that trains encoders takes longer."
    return draw_figure(title, reading, body, draw_table(("day", "time"), rows))


def _marks(days: Sequence[Mapping[str, Any]], metric: str, x: Scale, y: Scale) -> list[Markup]:
    marks = []
    for day in days:
        if not _has(day, "candidate", metric):
            continue
        value = day["candidate"][metric]
        place = x(_ordinal(day)), y(value)
        said = tag("title", f"{day['date']}: {value:.4f}, {day['status']}")
        if day["status"] == REFUSED:
            marks.append(tag("circle", said, cx=place[0], cy=place[1], r=5.5, class_="refused"))
        elif len(days) <= _MAX_MARKS:
            marks.append(_dot(*place, said))
    return marks


def _dot(x: float, y: float, *said: Markup) -> Markup:
    return tag("circle", *said, cx=x, cy=y, r=3, class_="curve")


def _legend(models: Sequence[str]) -> Markup:
    """Names of the lines above the plot, where no line runs."""
    drawn = []
    left = float(RIGHT)
    for model in reversed(models):
        left -= 6.2 * len(MODELS[model]) + 26
        drawn += [
            draw_line([(left, TOP - 18), (left + 14, TOP - 18)], _KINDS[model]),
            tag("text", MODELS[model], x=left + 18, y=TOP - 14, class_="name"),
        ]
    return join(drawn)


def _days_scale(days: Sequence[Mapping[str, Any]]) -> Scale:
    first, last = _ordinal(days[0]), _ordinal(days[-1])
    return Scale(first - 0.5, max(last, first + 1) + 0.5, LEFT, RIGHT)


def _day_axes(days: Sequence[Mapping[str, Any]], x: Scale, y: Scale) -> Markup:
    first, last = _ordinal(days[0]), _ordinal(days[-1])
    ticks = [
        tag(
            "text",
            f"{date.fromordinal(day):%d %b}",
            x=x(day),
            y=BOTTOM + 16,
            class_="tick",
            text_anchor="middle",
        )
        for day in range(first, last + 1, math.ceil((last - first + 1) / _MAX_TICKS))
    ]
    name = tag("text", "trained to", x=(LEFT + RIGHT) / 2, y=HEIGHT - 8, class_="name", text_anchor="middle")
    return join([draw_grid(y), draw_line([(LEFT, BOTTOM), (RIGHT, BOTTOM)], "axis"), ticks, name])


def _has(day: Mapping[str, Any], model: str, metric: str) -> bool:
    return day[model] is not None and is_finite(day[model][metric])


def _ordinal(day: Mapping[str, Any]) -> int:
    return date.fromisoformat(day["date"]).toordinal()
