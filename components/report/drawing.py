"""What every plot of the report is drawn with.

Colors come from the page's style by class, so that a plot follows light and dark. Every plot is a figure with
a title, a sentence that says how to read it, and its numbers as a table for those who cannot see it.
"""

import math
from collections.abc import Iterable, Sequence

from components.report import formats
from components.report.markup import Markup, join, tag
from components.report.scale import Scale

WIDTH, HEIGHT = 460, 280
LEFT, RIGHT, TOP, BOTTOM = 46, WIDTH - 12, 28, HEIGHT - 44


def draw_figure(title: str, reading: str, body: Markup, table: Markup, height: float = HEIGHT) -> Markup:
    """A plot with its title, how to read it, and its numbers as a table that opens."""
    drawing = tag(
        "svg", body, viewBox=f"0 0 {WIDTH} {height:.6g}", role="img", aria_label=f"{title}. {reading}"
    )
    numbers = tag("details", tag("summary", "Numbers"), tag("div", table, class_="scroll"))
    return tag("figure", tag("h3", title), tag("figcaption", reading), drawing, numbers)


def draw_nothing(title: str, reading: str) -> Markup:
    """The figure where there is too little to draw."""
    return tag("figure", tag("h3", title), tag("figcaption", reading))


def draw_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """A table of numbers; the first row names its columns."""
    top = tag("tr", [tag("th", name, scope="col", class_="n") for name in head])
    body = [tag("tr", [tag("td", cell, class_="n") for cell in row]) for row in rows]
    return tag("table", tag("thead", top), tag("tbody", body))


def draw_grid(y: Scale) -> Markup:
    """Horizontal lines at the ticks, with their values."""
    return join(
        [
            draw_line([(LEFT, y(value)), (RIGHT, y(value))], "grid"),
            tag("text", formats.compact(value), x=LEFT - 7, y=y(value) + 4, class_="tick", text_anchor="end"),
        ]
        for value in y.ticks()
    )


def draw_line(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    """A line through points; `kind` is its class."""
    return draw_path(points, kind, close=False)


def draw_path(points: Sequence[tuple[float, float]], kind: str, close: bool) -> Markup:
    """A line through points, or with `close` the area that they enclose."""
    steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return tag("polygon" if close else "polyline", points=steps, class_=kind)


def draw_rectangle(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    """A rectangle with slightly round corners."""
    return tag("rect", x=x, y=y, width=width, height=height, rx=2, class_=kind)


def is_finite(value: float | None) -> bool:
    """Whether a figure can be drawn."""
    return value is not None and math.isfinite(value)
