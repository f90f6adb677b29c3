"""Lines through the seeds' means."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.report import formats
from components.report.markup import Markup, join, tag
from components.report.plots import HEIGHT
from components.report.scale import Scale, nice_bounds
from pipeline.experiment import canvas
from pipeline.experiment.canvas import BOTTOM, KINDS, LEFT, RIGHT, TOP
from pipeline.experiment.figures import with_spread

_SIDE = 18


@dataclass(frozen=True)
class Line:
    """A figure by a whole number, such as epochs; each as `spread` gives it."""

    label: str
    points: dict[int, dict[str, Any]]


def line_plot(title: str, reading: str, x_name: str, y_name: str, lines: Sequence[Line]) -> Markup:
    """A line through the means of each, a dot a seed, and a band of one deviation to both sides.

    Args:
        title: of the plot.
        reading: how to read it.
        x_name: of the axis below, whose ticks are the points' own.
        y_name: of the axis beside.
        lines: at most two; a figure that is not defined is left out.
    """
    x_values = sorted({at for one in lines for at in one.points})
    values = [value for one in lines for figure in one.points.values() for value in figure["values"]]
    known = [value for value in values if value is not None] or [0.0]
    x = Scale(x_values[0], max(x_values[-1], x_values[0] + 1), LEFT + _SIDE, RIGHT - _SIDE)
    y = Scale(*nice_bounds(min(known), max(known)), BOTTOM, TOP)
    body = [canvas.axes(x, y, x_name, y_name, x_values)]
    if len(lines) > 1:
        body.append(canvas.legend([one.label for one in lines], room=110))
    body += [_draw(x, y, kind, one) for kind, one in zip(KINDS, lines, strict=False)]
    rows = [
        [f"{one.label}, {at}", with_spread(figure), ", ".join(map(formats.metric, figure["values"]))]
        for one in lines
        for at, figure in sorted(one.points.items())
    ]
    numbers = canvas.table((x_name, y_name, "by seed"), rows)
    return canvas.figure(title, reading, body, HEIGHT, numbers)


def _draw(x: Scale, y: Scale, kind: str, one: Line) -> Markup:
    means = [(at, figure["mean"], figure["std"] or 0.0) for at, figure in sorted(one.points.items())]
    means = [point for point in means if point[1] is not None]
    above = [(x(at), _within(y, mean + std)) for at, mean, std in means]
    below = [(x(at), _within(y, mean - std)) for at, mean, std in means]
    band = tag("polygon", points=canvas.path([*above, *reversed(below)]), class_=kind)
    dots = [
        tag("circle", tag("title", formats.metric(value)), cx=x(at), cy=y(value), r=3, class_=kind)
        for at, figure in one.points.items()
        for value in figure["values"]
        if value is not None
    ]
    return join([band, canvas.line([(x(at), y(mean)) for at, mean, _ in means], kind), dots])


def _within(y: Scale, value: float) -> float:
    return y(min(max(value, y.low), y.high))
