"""Figures of several seeds as dots with their mean and spread."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.report import formats
from components.report.markup import Markup, tag
from components.report.plots import WIDTH
from components.report.scale import Scale, nice_bounds
from pipeline.experiment import canvas
from pipeline.experiment.figures import with_spread

_LINE, _GAP, _TOP, _LEFT, _BOTTOM = 20, 8, 26, 14, 24
_RIGHT = WIDTH - 104


@dataclass(frozen=True)
class DotRow:
    """What is compared, with up to two figures by their names, each as `spread` gives it."""

    label: str
    figures: dict[str, dict[str, Any]]


def dot_plot(title: str, reading: str, rows: Sequence[DotRow]) -> Markup:
    """A row for each thing compared: a dot a seed, a stroke at the mean, a bar of one deviation to both sides.

    Args:
        title: of the plot.
        reading: how to read it.
        rows: in their order; all with figures of the same names.
    """
    names = list(rows[0].figures)
    values = [value for row in rows for figure in row.figures.values() for value in figure["values"]]
    _, high = nice_bounds(0, max([value for value in values if value is not None], default=1.0))
    x = Scale(0, high, _LEFT, _RIGHT)
    room = _LINE * (len(names) + 1) + _GAP
    height = _TOP + room * len(rows) + _BOTTOM
    body: list[Markup] = [_grid(x, height), canvas.legend(names, _LEFT)]
    for index, row in enumerate(rows):
        top = _TOP + room * index
        body.append(tag("text", row.label, x=_LEFT, y=top + _LINE * 0.7, class_="label"))
        for place, (kind, figure) in enumerate(zip(canvas.KINDS, row.figures.values(), strict=False), 1):
            body += _dots(x, top + _LINE * (place + 0.4), kind, figure)
    listed = [[row.label, *(", ".join(_listed(figure)) for figure in row.figures.values())] for row in rows]
    numbers = canvas.table(("", *(f"{name} by seed" for name in names)), listed)
    return canvas.figure(title, reading, body, height, numbers)


def _dots(x: Scale, middle: float, kind: str, figure: dict[str, Any]) -> list[Markup]:
    said = tag("text", with_spread(figure), x=_RIGHT + 8, y=middle + 4, class_="value")
    if figure["mean"] is None:
        return [said]
    mean, std = figure["mean"], figure["std"] or 0.0
    ends = max(x.low, mean - std), min(x.high, mean + std)
    band = tag("line", x1=x(ends[0]), x2=x(ends[1]), y1=middle, y2=middle, class_=f"{kind} band")
    stroke = tag("line", x1=x(mean), x2=x(mean), y1=middle - 7, y2=middle + 7, class_=f"{kind} mean")
    dots = [
        tag("circle", tag("title", formats.metric(value)), cx=x(value), cy=middle, r=3.5, class_=kind)
        for value in figure["values"]
    ]
    return [band, *dots, stroke, said]


def _grid(x: Scale, height: float) -> Markup:
    bottom = height - _BOTTOM
    lines = [
        [
            tag("polyline", points=f"{x(value):.1f},{_TOP} {x(value):.1f},{bottom}", class_="grid"),
            tag(
                "text", formats.compact(value), x=x(value), y=bottom + 16, class_="tick", text_anchor="middle"
            ),
        ]
        for value in x.ticks()
    ]
    return tag("g", lines)


def _listed(figure: dict[str, Any]) -> list[str]:
    return [formats.metric(value) for value in figure["values"]]
