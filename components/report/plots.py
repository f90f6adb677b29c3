"""The report's plots: SVG made here, so that the page needs neither a script nor the network."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from components.report import formats
from components.report.drawing import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    draw_figure,
    draw_grid,
    draw_line,
    draw_nothing,
    draw_path,
    draw_rectangle,
    draw_table,
    is_finite,
)
from components.report.markup import Markup, join, tag
from components.report.scale import Scale, nice_bounds
from components.report.summary import Stage

MAX_POINTS = 300
MAX_TABLE_ROWS = 20
# Share of the span over which the training loss is averaged for the bold line.
SMOOTHING = 0.03


@dataclass(frozen=True)
class Bar:
    """A vertical bar: `height` None where the metric is not defined, `note` below its label.

    `beside` is the height of a paler bar to its right; None where there is none.
    """

    label: str
    height: float | None
    note: str
    kind: str = ""
    beside: float | None = None


def group_plot(
    groups: Sequence[dict[str, Any]],
    metric: str,
    title: str,
    reading: str,
    base: float,
    beside: Sequence[dict[str, Any]] | None = None,
) -> Markup:
    """One metric by frequency group, as bars from `base`, with the number of impressions of each.

    Args:
        groups: group, impressions and the metric of each.
        metric: its name.
        title, reading: of the plot.
        base: where the bars start.
        beside: the same groups by the model to compare with, as paler bars; None where there is none.
    """
    others = [None] * len(groups) if beside is None else [group[metric] for group in beside]
    bars, rows = [], []
    for group, other in zip(groups, others, strict=True):
        name, count = str(group["group"]), group["impressions"]
        bars.append(Bar(name, group[metric], formats.compact(count), _kind(group["group"]), other))
        shown = [formats.metric(group[metric])] + ([] if beside is None else [formats.metric(other)])
        rows.append((name, *shown, formats.count(count)))
    head = ("group", metric, *(() if beside is None else ("IDs alone",)), "impressions")
    return draw_figure(title, reading, _bars(bars, base), draw_table(head, rows))


def calibration_plot(points: Sequence[dict[str, Any]]) -> Markup:
    """Predicted against observed click rate, with the diagonal of a perfectly calibrated model."""
    points = [
        p for p in points if p["impressions"] > 0 and is_finite(p["predicted"]) and is_finite(p["observed"])
    ]
    if not points:
        return draw_nothing("Calibration", "No impressions to show.")
    _, high = nice_bounds(0, max(max(p["predicted"], p["observed"]) for p in points))
    x, y = Scale(0, high, LEFT, RIGHT), Scale(0, high, BOTTOM, TOP)
    most = max(p["impressions"] for p in points)
    dots = [
        tag(
            "circle",
            tag(
                "title",
                f"predicted {p['predicted']:.4f}, observed {p['observed']:.4f}, {p['impressions']:,} shown",
            ),
            cx=x(p["predicted"]),
            cy=y(p["observed"]),
            r=2.5 + 8 * math.sqrt(p["impressions"] / most),
            class_="dot",
        )
        for p in points
    ]
    diagonal = draw_line([(x(0), y(0)), (x(high), y(high))], "reference")
    body = join([_axes(x, y, "predicted", "observed"), diagonal, dots])
    rows = [
        (f"{p['predicted']:.4f}", f"{p['observed']:.4f}", formats.count(int(p["impressions"])))
        for p in points
    ]
    reading = (
        "Observed click rate against the predicted one; on the dashed line both agree. Area is impressions."
    )
    return draw_figure(
        "Calibration", reading, body, draw_table(("predicted", "observed", "impressions"), rows)
    )


def training_plot(
    curve: Sequence[dict[str, Any]],
    title: str = "Training",
    reading: str = "LogLoss of the training batches in time order; the bold line is their moving mean.",
) -> Markup:
    """The training loss by examples seen: each point faint, their moving mean bold."""
    points = [(p["examples"], p["loss"]) for p in curve if p["loss"] is not None and is_finite(p["loss"])]
    if len(points) < 2:
        return draw_nothing(title, "Too few points for a curve.")
    examples = np.array([point[0] for point in points], np.float64)
    losses = np.array([point[1] for point in points], np.float64)
    smooth = _moving_mean(losses, max(1, round(SMOOTHING * len(losses))))
    # A first loss far above the rest would press the whole curve to the floor.
    low, high = nice_bounds(float(losses.min()), float(min(losses.max(), 2 * np.median(losses))))
    x = Scale(0, float(examples.max()), LEFT, RIGHT)
    y = Scale(low, high, BOTTOM, TOP)
    kept = _spread(len(points))
    body = join(
        [
            _axes(x, y, "examples", "loss"),
            draw_line([(x(examples[i]), y(min(losses[i], high))) for i in kept], "faint"),
            draw_line([(x(examples[i]), y(min(smooth[i], high))) for i in kept], "curve"),
        ]
    )
    listed = kept[:: max(1, math.ceil(len(kept) / MAX_TABLE_ROWS))]
    rows = [(formats.count(int(examples[i])), f"{losses[i]:.4f}", f"{smooth[i]:.4f}") for i in listed]
    return draw_figure(title, reading, body, draw_table(("examples", "loss", "moving mean"), rows))


def accuracy_plot(evaluations: Sequence[dict[str, Any]], title: str) -> Markup:
    """Acc@1 (bold) and Acc@5 on the eval split by training step.

    Args:
        evaluations: step, acc@1, acc@5 of each, in order.
        title: of the plot.
    """
    if len(evaluations) < 2:
        return draw_nothing(title, "Too few evaluations for a curve.")
    lines = {"Acc@1": "acc@1", "Acc@5": "acc@5"}
    reading = "How often the positive is the first, or among the first five, on the eval split."
    _, high = nice_bounds(0, max(evaluation[name] for evaluation in evaluations for name in lines.values()))
    return _progress(evaluations, "step", lines, "accuracy", title, reading, (0, high))


def epoch_plot(
    epochs: Sequence[dict[str, Any]], lines: dict[str, str], y_name: str, title: str, reading: str
) -> Markup:
    """How a training converges: one or two figures by epoch.

    Args:
        epochs: epoch and the figures of each, in order; a figure that is not defined is None.
        lines: by the line's name, the name of its figure in the epochs; the first is bold.
        y_name, title, reading: of the plot.
    """
    values = [row[name] for row in epochs for name in lines.values() if is_finite(row[name])]
    if not values:
        return draw_nothing(title, "No epoch to show.")
    return _progress(epochs, "epoch", lines, y_name, title, reading, nice_bounds(min(values), max(values)))


def _progress(
    rows: Sequence[dict[str, Any]],
    at: str,
    lines: dict[str, str],
    y_name: str,
    title: str,
    reading: str,
    bounds: tuple[float, float],
) -> Markup:
    """Figures of a training by step or epoch, as lines with their names at their ends."""
    x = Scale(0, max(1, rows[-1][at]), LEFT, RIGHT, whole=True)
    y = Scale(*bounds, BOTTOM, TOP)
    drawn = []
    ends = {}
    for name, kind in zip(lines.values(), ("curve", "second"), strict=False):
        points = [(x(row[at]), y(row[name])) for row in rows if is_finite(row[name])]
        if points:
            ends[name] = points[-1]
            drawn += [
                draw_line(points, kind),
                tag("circle", cx=points[-1][0], cy=points[-1][1], r=3, class_=kind),
            ]
    for label, name in lines.items():
        if name in ends:
            # The name of the higher line stands above its end, that of the lower one below.
            end_x, end_y = ends[name]
            aside = -8 if end_y == min(place for _, place in ends.values()) else 16
            place = min(max(end_y + aside, TOP + 10), BOTTOM - 4)
            drawn.append(tag("text", label, x=end_x - 6, y=place, class_="label", text_anchor="end"))
    listed = [
        (formats.count(row[at]), *(formats.metric(row[name]) for name in lines.values()))
        for row in rows[:: math.ceil(len(rows) / MAX_TABLE_ROWS)]
    ]
    body = join([_axes(x, y, f"{at}s", y_name), drawn])
    return draw_figure(title, reading, body, draw_table((at, *lines), listed))


def gate_plot(gate: Sequence[dict[str, Any]]) -> Markup:
    """The weights of the recall model's experts by how often an item was clicked.

    Args:
        gate: clicks, the least of the bucket, items, id, content and content_share of each bucket.
    """
    bars, rows = [], []
    for row in gate:
        name = formats.compact(row["clicks"])
        bars.append(Bar(name, row["content"], formats.compact(row["items"]), "", row["id"]))
        figures = (formats.metric(row[figure]) for figure in ("content", "id", "content_share"))
        rows.append((name, *figures, formats.count(row["items"])))
    reading = (
        "Weight of the content expert, pale: of the ID expert, by an item's clicks in the training days (the least "
        "of each bucket; below it, items)."
    )
    head = ("clicks from", "content", "IDs", "content's part", "items")
    return draw_figure("Gate weights", reading, _bars(bars, 0.0), draw_table(head, rows))


def recall_plot(stages: dict[str, Any], ways: dict[str, str]) -> Markup:
    """Click-recall by the number of recalled items, through the stages and of the most clicked items.

    Args:
        stages: by way of recall, as the RecallEvaluator gives it.
        ways: how each is called.
    """
    title = "Click-recall by K"
    shown = {"staged": "curve", "popular": "second"}
    lines = {
        way: [(int(k), value) for k, value in stages[way]["all"]["click_recall"].items() if is_finite(value)]
        for way in shown
    }
    ks = [k for line in lines.values() for k, _ in line]
    if not ks:
        return draw_nothing(title, "No click in the test days.")
    x = Scale(min(ks), max(max(ks), min(ks) + 1), LEFT, RIGHT, log=True)
    y = Scale(0, nice_bounds(0, max(value for line in lines.values() for _, value in line))[1], BOTTOM, TOP)
    drawn, rows = [], []
    for way, line in lines.items():
        points = [(x(k), y(value)) for k, value in line]
        drawn.append(draw_line(points, shown[way]))
        drawn += [tag("circle", cx=place, cy=height, r=3, class_=shown[way]) for place, height in points]
        if points:
            # The bold line's name stands above its middle, the other's below.
            place, height = points[len(points) // 2]
            aside, anchor = (-10, "end") if shown[way] == "curve" else (18, "start")
            drawn.append(
                tag("text", ways[way], x=place, y=height + aside, class_="label", text_anchor=anchor)
            )
        rows += [(ways[way], formats.count(k), formats.metric(value)) for k, value in line]
    reading = "Share of the test days' clicks whose item is among the first K."
    body = join([_axes(x, y, "recalled items", "click-recall"), drawn])
    return draw_figure(title, reading, body, draw_table(("way", "K", "click-recall"), rows))


def popularity_plot(impressions: npt.NDArray[np.int64]) -> Markup:
    """Impressions of items by their rank, both axes logarithmic: the long tail.

    Args:
        impressions: int64 `[items]`, most first.
    """
    shown = impressions[impressions > 0]
    if len(shown) < 2:
        return draw_nothing("Item popularity", "Fewer than two items were shown in the training days.")
    ranks = sorted({round(rank) for rank in np.geomspace(1, len(shown), MAX_POINTS)})
    x = Scale(1, float(len(shown)), LEFT, RIGHT, log=True)
    y = Scale(1, float(10 ** max(1, math.ceil(math.log10(shown[0])))), BOTTOM, TOP, log=True)
    line = [(x(rank), y(float(shown[rank - 1]))) for rank in ranks]
    area = [*line, (line[-1][0], BOTTOM), (line[0][0], BOTTOM)]
    body = join(
        [
            _axes(x, y, "rank of the item", "impressions"),
            draw_path(area, "area", close=True),
            draw_line(line, "curve"),
        ]
    )
    head = max(1, math.ceil(len(shown) / 100))
    rare = int((shown < 10).sum())
    reading = (
        f"The first 1% of the items have {formats.share(int(shown[:head].sum()), int(shown.sum()))} of the "
        f"impressions in the training days; {formats.share(rare, len(shown))} of the items have fewer than 10."
    )
    listed = ranks[:: math.ceil(len(ranks) / MAX_TABLE_ROWS)]
    rows = [(formats.count(rank), formats.count(int(shown[rank - 1]))) for rank in listed]
    return draw_figure("Item popularity", reading, body, draw_table(("rank", "impressions"), rows))


def stage_plot(stages: Sequence[Stage]) -> Markup:
    """Seconds of each stage as horizontal bars; a stage taken from an earlier run is marked."""
    row, label, top = 25, 140, 6
    height = top + row * len(stages) + 6
    x = Scale(0, max([stage["seconds"] for stage in stages] + [1e-9]), label, WIDTH - 130)
    body = []
    for index, stage in enumerate(stages):
        middle = top + row * index + row / 2
        said = formats.seconds(stage["seconds"]) + (" · cached" if stage["cached"] else "")
        end = x(stage["seconds"])
        body += [
            tag("text", _fit(stage["name"]), x=label - 8, y=middle + 4, class_="label", text_anchor="end"),
            draw_rectangle(
                label, middle - 8, max(1.5, end - label), 16, "bar cached" if stage["cached"] else "bar"
            ),
            tag("text", said, x=end + 7, y=middle + 4, class_="value"),
        ]
    total = formats.seconds(sum(stage["seconds"] for stage in stages))
    rows = [(s["name"], formats.seconds(s["seconds"]), "yes" if s["cached"] else "no") for s in stages]
    reading = f"{total} in all. Cached stages had finished in an earlier run."
    return draw_figure(
        "Time by stage", reading, join(body), draw_table(("stage", "time", "cached"), rows), height
    )


def _bars(bars: Sequence[Bar], base: float) -> Markup:
    heights = [height for bar in bars for height in (bar.height, bar.beside) if height is not None]
    low, high = nice_bounds(min([base, *heights]), max([base, *heights]))
    # Room above the highest bar for its number.
    y = Scale(low, high, BOTTOM - 12, TOP)
    room = (RIGHT - LEFT) / max(1, len(bars))
    body = [draw_grid(y)]
    for index, bar in enumerate(bars):
        middle = LEFT + room * (index + 0.5)
        body += [
            tag("text", bar.label, x=middle, y=BOTTOM + 8, class_="label", text_anchor="middle"),
            tag("text", bar.note, x=middle, y=BOTTOM + 24, class_="tick", text_anchor="middle"),
        ]
        body += _pair(bar, middle, room, y, base)
    body.append(draw_line([(LEFT, y(base)), (RIGHT, y(base))], "axis"))
    return join(body)


def _pair(bar: Bar, middle: float, room: float, y: Scale, base: float) -> list[Markup]:
    """One bar with its number, and the paler one beside it."""
    if bar.height is None:
        return [tag("text", "n/a", x=middle, y=y(base) - 5, class_="tick", text_anchor="middle")]
    left, width = middle - room * 0.32, room * 0.64
    drawn = []
    if bar.beside is not None:
        width /= 2
        drawn.append(_standing(left + width, width, bar.beside, y, base, f"bar beside {bar.kind}".strip()))
    drawn.append(_standing(left, width, bar.height, y, base, f"bar {bar.kind}".strip()))
    reach = [bar.height, base if bar.beside is None else bar.beside]
    place = y(max(reach)) - 5 if bar.height >= base else y(min(reach)) + 12
    value = tag("text", f"{bar.height:.3f}", x=middle, y=place, class_="value", text_anchor="middle")
    return [*drawn, value]


def _standing(left: float, width: float, height: float, y: Scale, base: float, kind: str) -> Markup:
    top, bottom = sorted((y(height), y(base)))
    return draw_rectangle(left, top, width, max(1, bottom - top), kind)


def _axes(x: Scale, y: Scale, x_name: str, y_name: str) -> Markup:
    ticks = [
        tag("text", formats.compact(value), x=x(value), y=BOTTOM + 16, class_="tick", text_anchor="middle")
        for value in x.ticks()
    ]
    names = [
        tag("text", x_name, x=(LEFT + RIGHT) / 2, y=HEIGHT - 8, class_="name", text_anchor="middle"),
        tag("text", y_name, x=LEFT - 38, y=TOP - 14, class_="name"),
    ]
    return join([draw_grid(y), draw_line([(LEFT, BOTTOM), (RIGHT, BOTTOM)], "axis"), ticks, names])


def _kind(group: int | str) -> str:
    return "new" if group == "new" else ""


def _fit(name: str) -> str:
    return name if len(name) <= 18 else name[:17] + "…"


def _spread(length: int) -> list[int]:
    """At most MAX_POINTS indices, evenly over the whole, both ends among them."""
    return sorted({round(index) for index in np.linspace(0, length - 1, min(length, MAX_POINTS))})


def _moving_mean(values: npt.NDArray[np.float64], width: int) -> npt.NDArray[np.float64]:
    """The mean of each value and up to width - 1 before it."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - width)
    return (sums[ends] - sums[starts]) / (ends - starts)
