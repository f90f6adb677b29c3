"""Two figures of several things against each other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from components.report.markup import Markup, join, tag
from components.report.plots import HEIGHT
from components.report.scale import Scale, nice_bounds
from pipeline.experiment import canvas
from pipeline.experiment.canvas import BOTTOM, LEFT, RIGHT, TOP
from pipeline.experiment.figures import with_spread

# A label's size: letters are about that wide at the plots' size of text.
_LETTER, _LINE = 6.2, 12

Arm = tuple[float, float, float]


@dataclass(frozen=True)
class Point:
    """Something with two figures, each as `spread` gives it."""

    label: str
    x: dict[str, Any]
    y: dict[str, Any]


def scatter_plot(
    title: str, reading: str, x_name: str, y_name: str, points: Sequence[Point], kind: str
) -> Markup:
    """A labelled dot at the means of each, with a bar of one deviation to every side.

    Args:
        title: of the plot.
        reading: how to read it.
        x_name: of the axis below.
        y_name: of the axis beside.
        points: one whose figures are not defined is listed and not drawn.
        kind: one of `KINDS`, the color.
    """
    drawn = [point for point in points if point.x["mean"] is not None and point.y["mean"] is not None]
    x = Scale(*_bounds([point.x for point in drawn]), LEFT, RIGHT)
    y = Scale(*_bounds([point.y for point in drawn]), BOTTOM, TOP)
    crosses = [_cross(x, y, point, kind) for point in drawn]
    labels = _labels([(point.label, *_arms(x, y, point)) for point in drawn])
    rows = [[point.label, with_spread(point.x), with_spread(point.y)] for point in points]
    numbers = canvas.table(("", x_name, y_name), rows)
    body = [canvas.axes(x, y, x_name, y_name), crosses, labels]
    return canvas.figure(title, reading, body, HEIGHT, numbers)


def _bounds(figures: Sequence[dict[str, Any]]) -> tuple[float, float]:
    ends = [figure["mean"] + sign * (figure["std"] or 0.0) for figure in figures for sign in (-1, 1)]
    return nice_bounds(min(ends, default=0.0), max(ends, default=1.0))


def _arms(x: Scale, y: Scale, point: Point) -> tuple[Arm, Arm]:
    """The places of one deviation below the mean, of the mean, and of one deviation above it, on both axes."""
    across, along = (
        (scale(mean - std), scale(mean), scale(mean + std))
        for scale, mean, std in (
            (x, point.x["mean"], point.x["std"] or 0.0),
            (y, point.y["mean"], point.y["std"] or 0.0),
        )
    )
    return across, along


def _cross(x: Scale, y: Scale, point: Point, kind: str) -> Markup:
    (left, middle, right), (bottom, height, top) = _arms(x, y, point)
    said = f"{point.label}: {with_spread(point.x)}, {with_spread(point.y)}"
    return join(
        [
            canvas.line([(left, height), (right, height)], "whisker"),
            canvas.line([(middle, bottom), (middle, top)], "whisker"),
            tag("circle", tag("title", said), cx=middle, cy=height, r=4.5, class_=kind),
        ]
    )


def _labels(points: Sequence[tuple[str, Arm, Arm]]) -> Iterator[Markup]:
    """Each label beside its dot, where it covers neither another label nor a cross, if there is such a place."""
    taken = [(left, y - 2, right, y + 2) for _, (left, _, right), (_, y, _) in points]
    taken += [(x - 2, top, x + 2, bottom) for _, (_, x, _), (bottom, _, top) in points]
    for label, (_, x, _), (_, y, _) in points:
        width = _LETTER * len(label)
        places = [
            (max(min(left, RIGHT - width), LEFT), bottom)
            for left, bottom in (
                (x + 9, y - 7),
                (x - 9 - width, y - 7),
                (x + 9, y + 16),
                (x - 9 - width, y + 16),
                (x - width / 2, y - 22),
                (x - width / 2, y + 30),
            )
        ]
        boxes = [(left, bottom - _LINE, left + width, bottom) for left, bottom in places]
        best = min(boxes, key=lambda box: sum(_overlap(box, other) for other in taken))
        taken.append(best)
        yield tag("text", label, x=best[0], y=best[3] - 2, class_="label")


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The area that two boxes (left, top, right, bottom) share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)
