"""Relative gains as bars."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.report.markup import Markup, join, tag
from components.report.plots import HEIGHT
from components.report.scale import Scale, nice_bounds
from pipeline.experiment import canvas
from pipeline.experiment.canvas import BOTTOM, KINDS, LEFT, RIGHT, TOP
from pipeline.experiment.figures import percent_with_intervals

# A wide interval of a small group must not press all bars to the floor: whiskers end at that many times the
# highest bar.
_ROOM = 2.5


@dataclass(frozen=True)
class GainBar:
    """A relative gain, as `relative_gain` gives it, perhaps with "users" beside; `note` stands below the label."""

    label: str
    note: str
    gain: dict[str, Any]
    is_new: bool = False


def gain_bars(title: str, reading: str, bars: Sequence[GainBar]) -> Markup:
    """A bar for each gain, with its 95 % intervals, cut off where they go on beyond the plot.

    That over seeds is a whisker, without an end where it is cut off; that over users a broad band behind it.

    Args:
        title: of the plot.
        reading: how to read it.
        bars: in their order.
    """
    y = Scale(*_bounds([bar.gain for bar in bars]), BOTTOM - 14, TOP - 18)
    labels = [f"{label}%" for label in canvas.tick_labels([100 * value for value in y.ticks()])]
    room = (RIGHT - LEFT) / max(1, len(bars))
    body = [
        canvas.grid(y, labels),
        [_draw(y, LEFT + room * (index + 0.5), room, bar) for index, bar in enumerate(bars)],
        canvas.line([(LEFT, y(0)), (RIGHT, y(0))], "axis"),
    ]
    rows = [[bar.label, bar.note, percent_with_intervals(bar.gain)] for bar in bars]
    return canvas.figure(title, reading, body, HEIGHT, canvas.table(("group", "impressions", "gain"), rows))


def _bounds(gains: Sequence[dict[str, Any]]) -> tuple[float, float]:
    means = [gain["mean"] for gain in gains if gain["mean"] is not None]
    limit = _ROOM * max((abs(mean) for mean in means), default=0.01)
    intervals = [interval for gain in gains for interval in (gain, gain.get("users")) if interval]
    ends = [one[end] for one in intervals for end in ("low", "high") if one[end] is not None]
    ends = [min(max(end, -limit), limit) for end in [0.0, *means, *ends]]
    return nice_bounds(min(ends), max(ends))


def _draw(y: Scale, middle: float, room: float, bar: GainBar) -> Markup:
    names = [
        tag("text", bar.label, x=middle, y=BOTTOM + 8, class_="label", text_anchor="middle"),
        tag("text", bar.note, x=middle, y=BOTTOM + 24, class_="tick", text_anchor="middle"),
    ]
    mean = bar.gain["mean"]
    if mean is None:
        return join([names, tag("text", "n/a", x=middle, y=y(0) - 5, class_="tick", text_anchor="middle")])
    top, bottom = sorted((y(mean), y(0)))
    rectangle = tag(
        "rect",
        tag("title", percent_with_intervals(bar.gain)),
        x=middle - room * 0.32,
        y=top,
        width=room * 0.64,
        height=max(1.0, bottom - top),
        rx=2,
        class_=f"{KINDS[bar.is_new]} area-bar",
    )
    said = tag("text", f"{100 * mean:+.1f}%", x=middle, y=HEIGHT - 6, class_="value", text_anchor="middle")
    return join([names, rectangle, _band(y, middle, bar.gain), _whisker(y, middle, bar.gain), said])


def _band(y: Scale, middle: float, gain: dict[str, Any]) -> Markup | None:
    users = gain.get("users")
    if not users:
        return None
    low, high = (min(max(users[end], y.low), y.high) for end in ("low", "high"))
    return tag("line", x1=middle, x2=middle, y1=y(low), y2=y(high), class_="users")


def _whisker(y: Scale, middle: float, gain: dict[str, Any]) -> list[Markup]:
    if gain["low"] is None:
        return []
    low, high = (min(max(gain[end], y.low), y.high) for end in ("low", "high"))
    strokes = [canvas.line([(middle, y(low)), (middle, y(high))], "whisker")]
    strokes += [
        canvas.line([(middle - 4, y(end)), (middle + 4, y(end))], "whisker")
        for end in (gain["low"], gain["high"])
        if y.low <= end <= y.high
    ]
    return strokes
