"""The page's part with a few ads beside their users' behaviors: why each was scored as it was."""

from typing import Any

from components.report import formats, parts
from components.report.markup import Markup, join, tag
from components.report.scale import Scale, nice_bounds

# Shown at once; the others open with a click.
SHOWN = 4
MAX_CHARACTERS = 90
# Why an impression was picked, as `inspection.json` says it.
AT_RANDOM = "random"

TIERS_WIDTH, TIERS_HEIGHT = 320, 104
TIERS_LEFT, TIERS_RIGHT, TIERS_TOP, TIERS_BOTTOM = 8, TIERS_WIDTH - 8, 16, TIERS_HEIGHT - 18
# Above this many tiers the counts over the bars would run into each other.
MAX_LABELED_TIERS = 24
BARS_WIDTH = 218

Item = dict[str, str | None]
UNKNOWN: Item = {"title": None, "picture": None}


def render_inspection(inspection: dict[str, Any] | None) -> Markup | None:
    """The section, or None of a run that inspected nothing.

    Args:
        inspection: `inspection.json` of the Inspector.
    """
    if inspection is None or not inspection["impressions"]:
        return None
    cards = [_card(impression, inspection) for impression in inspection["impressions"]]
    rest = tag("details", tag("summary", f"{len(cards) - SHOWN} more"), cards[SHOWN:], class_="inspected")
    return parts.section(
        "Why an ad was scored as it was",
        f"{_choice(inspection)} {_reading(inspection)}",
        cards[:SHOWN],
        rest if len(cards) > SHOWN else None,
    )


def _choice(inspection: dict[str, Any]) -> str:
    what = (
        "where content raised or lowered the prediction of IDs alone most"
        if inspection["has_baseline"]
        else "whose predictions are highest or lowest (no model of IDs alone was trained to compare with)"
    )
    scanned = f"the first {formats.count(inspection['scanned'])} test impressions"
    rate = formats.share(inspection["click_rate"], 1)
    return f"Out of {scanned}, {rate} of them clicked: some {what}, and some at random."


def _reading(inspection: dict[str, Any]) -> str:
    beside = "Beside each ad stand the user's earlier clicks and purchases"
    if not inspection["modalities"]:
        return f"{beside}, the latest first. The model reads no embedding of content, so nothing is compared."
    return (
        f"{beside}, what is most similar to the ad first, with the cosine of their embeddings. Bars count the "
        f"behaviors in each of {inspection['num_tiers']} tiers of similarity from −1 to 1."
    )


def _card(impression: dict[str, Any], inspection: dict[str, Any]) -> Markup:
    item = inspection["items"].get(impression["item_id"], UNKNOWN)
    return parts.card(
        tag("h3", _heading(impression)),
        tag(
            "div",
            tag(
                "div",
                tag("div", _picture(item), tag("p", _name(item, impression["item_id"])), class_="ad"),
                _chips(impression),
                _predictions(impression, _highest(inspection)),
            ),
            tag("div", _behaviors(impression, inspection["items"]), _tiers(impression)),
            class_="example inspected",
        ),
    )


def _heading(impression: dict[str, Any]) -> str:
    after, before = impression["prediction"], impression["baseline_prediction"]
    if before is None:
        return f"Predicted {formats.share(after, 1)}"
    if _is_unmoved(before, after):
        return f"Content left the prediction at {formats.share(after, 1)}"
    verb = "raised" if after > before else "lowered"
    return f"Content {verb} the prediction from {formats.share(before, 1)} to {formats.share(after, 1)}"


def _chips(impression: dict[str, Any]) -> Markup:
    is_new = impression["group"] == "new"
    chips = [
        _chip("clicked" if impression["clicked"] else "not clicked"),
        _chip("new item" if is_new else f"item group {impression['group']}"),
        _outcome(impression),
        _chip("picked at random") if impression["picked"] == AT_RANDOM else None,
    ]
    return tag("p", chips, class_="chips")


def _outcome(impression: dict[str, Any]) -> Markup | None:
    """Whether content moved the prediction toward what happened."""
    before, after = impression["baseline_prediction"], impression["prediction"]
    if before is None or _is_unmoved(before, after):
        return None
    is_right = (after > before) == impression["clicked"]
    return _chip(
        "toward what happened" if is_right else "away from what happened", "good" if is_right else "bad"
    )


def _is_unmoved(before: float, after: float) -> bool:
    """Whether a reader sees no difference."""
    return formats.share(before, 1) == formats.share(after, 1)


def _chip(text: str, kind: str = "plain") -> Markup:
    return tag("span", text, class_=f"chip {kind}")


def _highest(inspection: dict[str, Any]) -> float:
    """The end of all cards' scale of predictions, so that bars can be compared between cards."""
    shown = [
        value
        for impression in inspection["impressions"]
        for value in (impression["prediction"], impression["baseline_prediction"])
        if value is not None
    ]
    return nice_bounds(0, max(shown))[1]


def _predictions(impression: dict[str, Any], highest: float) -> Markup:
    rows = [
        ("IDs alone", impression["baseline_prediction"], "bar cached"),
        ("with content" if impression["modalities"] else "prediction", impression["prediction"], "bar"),
    ]
    rows = [row for row in rows if row[1] is not None]
    scale = Scale(0, highest, 0, BARS_WIDTH)
    drawn = []
    for index, (name, value, kind) in enumerate(rows):
        top = 36 * index
        drawn += [
            tag("text", name, x=0, y=top + 12, class_="tick"),
            tag("text", formats.share(value, 1), x=BARS_WIDTH, y=top + 12, class_="label", text_anchor="end"),
            tag("rect", x=0, y=top + 18, width=BARS_WIDTH, height=8, rx=2, class_="room"),
            tag("rect", x=0, y=top + 18, width=max(1, scale(value)), height=8, rx=2, class_=kind),
        ]
    said = ", ".join(f"{name} {formats.share(value, 1)}" for name, value, _ in rows)
    return tag(
        "svg",
        drawn,
        viewBox=f"0 0 {BARS_WIDTH} {36 * len(rows)}",
        role="img",
        aria_label=f"Predicted: {said}",
        class_="predicted",
    )


def _behaviors(impression: dict[str, Any], items: dict[str, Item]) -> list[Markup]:
    if not impression["num_behaviors"]:
        return [tag("p", "The user has no earlier click or purchase.", class_="note")]
    shown = [_behavior(behavior, impression, items) for behavior in impression["behaviors"]]
    label = (
        f"{len(shown)} of {formats.count(impression['num_behavior_items'])} different items among the user's last "
        f"{formats.count(impression['num_behaviors'])} behaviors"
    )
    return [tag("span", label, class_="label"), tag("ol", shown, class_="found behaved")]


def _behavior(behavior: dict[str, Any], impression: dict[str, Any], items: dict[str, Item]) -> Markup:
    item = items.get(behavior["item_id"], UNKNOWN)
    times = f" ×{behavior['times']}" if behavior["times"] > 1 else ""
    cosines = [
        tag("span", tag("span", modality), _cosine(similarity), class_="cosine")
        for modality, similarity in behavior["similarities"].items()
    ]
    is_same = behavior["item_id"] == impression["item_id"]
    name = "this very item" if is_same else _name(item, behavior["item_id"])
    return tag(
        "li",
        _picture(item),
        cosines,
        tag("span", name, times, class_="words", title=_name(item, behavior["item_id"])),
        class_="same" if is_same else None,
    )


def _cosine(similarity: float | None) -> str:
    return "–" if similarity is None else f"{similarity:.2f}"


def _picture(item: Item) -> Markup:
    if item["picture"] is None:
        return tag("span", "no picture", class_="blank")
    return tag("img", src=item["picture"], alt="")


def _name(item: Item, item_id: str) -> str:
    name = item["title"] or item_id
    return name if len(name) <= MAX_CHARACTERS else name[: MAX_CHARACTERS - 1] + "…"


def _tiers(impression: dict[str, Any]) -> Markup | None:
    if not impression["num_behaviors"]:
        return None
    drawn = [
        _histogram(modality, compared, impression["num_behaviors"])
        for modality, compared in impression["modalities"].items()
    ]
    return tag("div", drawn, class_="tiers") if drawn else None


def _histogram(modality: str, compared: dict[str, Any], num_behaviors: int) -> Markup:
    name = modality.capitalize()
    if not compared["has_embedding"]:
        return tag("p", f"{name}: the ad's item has no embedding.", class_="note")
    if compared["tiers"] is None:
        return tag("p", f"{name}: none of the behaviors has an embedding.", class_="note")
    counts = compared["tiers"]
    x = Scale(0, len(counts), TIERS_LEFT, TIERS_RIGHT)
    y = Scale(0, max(counts), TIERS_BOTTOM, TIERS_TOP)
    bars = [
        _bar(x(tier), x(tier + 1), y(count), str(count) if len(counts) <= MAX_LABELED_TIERS else None)
        for tier, count in enumerate(counts)
        if count
    ]
    axis = tag("line", x1=TIERS_LEFT, x2=TIERS_RIGHT, y1=TIERS_BOTTOM, y2=TIERS_BOTTOM, class_="axis")
    # The ends' labels stay inside of the drawing.
    ticks = [
        tag("text", text, x=x(place * len(counts)), y=TIERS_HEIGHT - 4, class_="tick", text_anchor=anchor)
        for text, place, anchor in (
            ("−1", 0, "start"),
            ("−0.5", 0.25, "middle"),
            ("0", 0.5, "middle"),
            ("0.5", 0.75, "middle"),
            ("1", 1, "end"),
        )
    ]
    label = f"{name}: {compared['compared']} of {num_behaviors} behaviors compared"
    drawing = tag(
        "svg",
        join([bars, axis, ticks]),
        viewBox=f"0 0 {TIERS_WIDTH} {TIERS_HEIGHT}",
        role="img",
        aria_label=f"{label}. {_spoken(counts)}",
    )
    return tag("div", tag("span", label, class_="label"), drawing)


def _bar(left: float, right: float, top: float, label: str | None) -> list[Markup | None]:
    gap = 0.08 * (right - left)
    height = max(1.0, TIERS_BOTTOM - top)
    text = None
    if label is not None:
        text = tag("text", label, x=(left + right) / 2, y=top - 3, class_="value", text_anchor="middle")
    return [
        tag("rect", x=left + gap, y=top, width=right - left - 2 * gap, height=height, rx=1, class_="bar"),
        text,
    ]


def _spoken(counts: list[int]) -> str:
    """The tiers that hold something, for those who cannot see the bars."""
    edges = [-1 + 2 * tier / len(counts) for tier in range(len(counts) + 1)]
    return ", ".join(
        f"{count} from {edges[tier]:.6g} to {edges[tier + 1]:.6g}"
        for tier, count in enumerate(counts)
        if count
    )
