"""What the experiment's plots are drawn on: a frame with axes, a legend, and the numbers beside.

Colors come from the page's style by class, so that a plot follows light and dark.
"""

from collections.abc import Iterable, Sequence

from components.report import parts
from components.report.markup import Markup, join, tag
from components.report.plots import HEIGHT, WIDTH
from components.report.scale import Scale

# Colors by class, of the first of two things shown and of the second.
KINDS = ("first", "other")
LEFT, RIGHT, TOP, BOTTOM = 58, WIDTH - 14, 44, HEIGHT - 44

STYLE = """
svg .first { fill: var(--accent); stroke: var(--accent); }
svg .other { fill: var(--new); stroke: var(--new); }
svg .band { stroke-width: 9; stroke-opacity: 0.25; }
svg .interval { stroke-width: 1.5; }
svg .users { stroke: var(--ink); stroke-width: 9; stroke-opacity: 0.2; }
svg .mean { stroke-width: 2; }
svg circle.first, svg circle.other { fill-opacity: 0.55; }
svg polyline.first, svg polyline.other { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg polygon.first, svg polygon.other { fill-opacity: 0.16; stroke: none; }
svg .whisker { stroke: var(--ink); stroke-opacity: 0.7; }
svg .area-bar { fill-opacity: 0.75; stroke: none; }
.chip.open { background: var(--rule); color: var(--soft); }
td .chip { margin-bottom: 0; }
.said { margin-top: 8px; }
.said + .card, .said + .scroll { margin-top: 14px; }
"""


def figure(title: str, reading: str, body: Iterable[object], height: float, numbers: Markup) -> Markup:
    """A plot with its title, a sentence that says how to read it, and its numbers for those who cannot see it.

    Args:
        title: of the plot.
        reading: how to read it.
        body: what is drawn.
        height: of the drawing; its width is that of all plots.
        numbers: a table.
    """
    drawing = tag(
        "svg", body, viewBox=f"0 0 {WIDTH} {height:.6g}", role="img", aria_label=f"{title}. {reading}"
    )
    return tag(
        "figure",
        tag("h3", title),
        tag("figcaption", reading),
        drawing,
        tag("details", tag("summary", "Numbers"), numbers),
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """The numbers of a plot, what they are of in the first column."""
    return parts.table(head, rows, texts=1)


def axes(x: Scale, y: Scale, x_name: str, y_name: str, x_ticks: Sequence[float] | None = None) -> Markup:
    """A grid across, the axis below, its ticks and both names."""
    x_ticks = x.ticks() if x_ticks is None else x_ticks
    ticks = [
        tag("text", label, x=x(value), y=BOTTOM + 16, class_="tick", text_anchor="middle")
        for value, label in zip(x_ticks, tick_labels(x_ticks), strict=True)
    ]
    names = [
        tag("text", x_name, x=(LEFT + RIGHT) / 2, y=HEIGHT - 8, class_="name", text_anchor="middle"),
        tag("text", y_name, x=8, y=TOP - 12, class_="name"),
    ]
    return join(
        [grid(y, tick_labels(y.ticks())), line([(LEFT, BOTTOM), (RIGHT, BOTTOM)], "axis"), ticks, names]
    )


def grid(y: Scale, labels: Sequence[str]) -> Markup:
    """Lines across at the ticks, with their labels."""
    return join(
        [
            line([(LEFT, y(value)), (RIGHT, y(value))], "grid"),
            tag("text", label, x=LEFT - 7, y=y(value) + 4, class_="tick", text_anchor="end"),
        ]
        for value, label in zip(y.ticks(), labels, strict=True)
    )


def legend(names: Sequence[str], left: float = LEFT, room: float = 70) -> Markup:
    """A dot of each color with what it stands for.

    Args:
        names: at most two.
        left: where it begins.
        room: of each.
    """
    return join(
        [
            tag("circle", cx=left + 4 + room * index, cy=10, r=3.5, class_=kind),
            tag("text", name, x=left + 13 + room * index, y=14, class_="name"),
        ]
        for index, (name, kind) in enumerate(zip(names, KINDS, strict=False))
    )


def line(points: Iterable[tuple[float, float]], kind: str) -> Markup:
    """A line through points."""
    return tag("polyline", points=path(points), class_=kind)


def path(points: Iterable[tuple[float, float]]) -> str:
    """Points as SVG writes them."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def tick_labels(values: Sequence[float]) -> list[str]:
    """Values with as many decimals as it takes to write all of them exactly."""
    decimals = next(
        (count for count in range(8) if all(abs(round(value, count) - value) < 1e-9 for value in values)), 8
    )
    return [f"{value:.{decimals}f}" for value in values]
