"""The page's part with real queries and what they retrieve, for a person to judge."""

from typing import Any

from components.report import parts
from components.report.encoder_record import EncoderRecord
from components.report.markup import Markup, tag
from components.report.run_record import RunRecord
from components.report.thumbnail import thumbnail

# Shown at once; the others open with a click.
SHOWN = 8
MAX_CHARACTERS = 120


def render_examples(record: RunRecord) -> Markup | None:
    """The section, or None where there is nothing to show."""
    galleries = [
        _gallery(modality, encoder) for modality, encoder in record.encoders.items() if encoder.examples
    ]
    if not galleries:
        return None
    return parts.section(
        "What the encoders see",
        "Queries of the test split, picked at random: half of those that find what their user bought first and "
        "half of those that do not, as far as there are. Beside the query and its positive stand the five items "
        "that are most similar to the query, with the cosine; ✓ marks the positive, ✗ another item in its place.",
        galleries,
    )


def _gallery(modality: str, encoder: EncoderRecord) -> Markup:
    # Of either kind half is seen without a click, or more where there is less of the other.
    right = [example for example in encoder.examples if example["rank"] == 1]
    wrong = [example for example in encoder.examples if example["rank"] != 1]
    shown_wrong = wrong[: max(SHOWN // 2, SHOWN - len(right))]
    shown_right = right[: SHOWN - len(shown_wrong)]
    first = [*shown_right, *shown_wrong]
    rest = [*right[len(shown_right) :], *wrong[len(shown_wrong) :]]
    more = tag("details", tag("summary", f"{len(rest)} more"), [_example(modality, e) for e in rest])
    return parts.card(
        tag("h3", f"{modality.capitalize()} encoder"),
        [_example(modality, example) for example in first],
        more if rest else None,
    )


def _example(modality: str, example: dict[str, Any]) -> Markup:
    is_right = example["rank"] == 1
    verdict = "found first" if is_right else f"found on rank {example['rank']:,}"
    query = _thing(modality, example["query_image"], example["query_text"], "query")
    positive = _thing(modality, example["positive_image"], example["positive_title"], "what was bought")
    top = zip(
        example["top_item_ids"],
        example["top_titles"],
        example["top_images"],
        example["top_similarities"],
        strict=True,
    )
    found = [
        _retrieved(modality, item, title, image, similarity, example["positive_item_id"], place == 0)
        for place, (item, title, image, similarity) in enumerate(top)
    ]
    return tag(
        "div",
        tag("div", _labeled("Query", query), _labeled("Bought", positive), class_="asked"),
        tag("div", _chip(verdict, is_right), tag("ol", found, class_="found")),
        class_=f"example {modality}",
    )


def _retrieved(
    modality: str,
    item_id: str,
    title: str | None,
    image: bytes | None,
    similarity: float,
    positive: str,
    is_first: bool,
) -> Markup:
    kind, mark = ("right", "✓ ") if item_id == positive else ("wrong", "✗ ") if is_first else (None, "")
    shown = _thing(modality, image, title, title or item_id)
    return tag("li", shown, tag("span", f"{mark}{similarity:.3f}", class_="cosine"), class_=kind)


def _thing(modality: str, image: bytes | None, text: str | None, alt: str) -> Markup:
    if modality == "text":
        return tag("span", _shorten(text or ""), class_="words", title=text)
    source = thumbnail(image)
    if source is None:
        return tag("span", "no picture", class_="blank")
    return tag("img", src=source, alt=_shorten(alt), title=_shorten(text) if text else None)


def _labeled(name: str, thing: Markup) -> Markup:
    return tag("div", tag("span", name, class_="label"), thing)


def _chip(text: str, is_good: bool) -> Markup:
    return tag("span", text, class_="chip good" if is_good else "chip bad")


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"
