"""The page's part on the encoders and the embeddings that they gave the catalog."""

from typing import Any

from components.report import formats, parts, plots
from components.report.encoder_record import EncoderRecord
from components.report.markup import Markup, tag
from components.report.run_record import RunRecord

SLICES = {
    "easy": "easy: alike at first sight",
    "between": "between",
    "hard": "hard: nothing in common at first sight",
}
LOSS = "Loss of the training batches in time order; the bold line is their moving mean."


def render_encoders(record: RunRecord, summary: dict[str, Any]) -> Markup | None:
    """The section, or None of a run without encoders.

    Args:
        record: what the run left behind.
        summary: `build_summary` of the same record.
    """
    if not record.encoders and record.embeddings is None:
        return None
    cards = [
        _card(modality, encoder, summary["pushed"].get(f"{modality}_encoder"))
        for modality, encoder in record.encoders.items()
    ]
    drawn = [_plots(modality, encoder.history) for modality, encoder in record.encoders.items()]
    return parts.section(
        "Encoders",
        "Each query of the test split ranks all items that were bought after some query: Acc@1 is how often the "
        "item that its own user bought comes first, Acc@5 how often it is among the first five.",
        tag("div", cards, class_="grid") if cards else None,
        tag("div", drawn, class_="grid") if drawn else None,
        _embeddings(record.embeddings) if record.embeddings is not None else None,
    )


def _card(modality: str, encoder: EncoderRecord, pushed: str | None) -> Markup:
    metrics = encoder.metrics
    rows = [("all", metrics)]
    if metrics["baseline"] is not None:
        rows.append(("all, by the last blessed encoder", metrics["baseline"] | {"pairs": metrics["pairs"]}))
    rows += [(SLICES[name], part) for name, part in metrics["slices"].items() if part["pairs"]]
    body = [
        (name, formats.count(row["pairs"]), formats.metric(row["acc@1"]), formats.metric(row["acc@5"]))
        for name, row in rows
    ]
    return parts.card(
        tag("h3", f"{modality.capitalize()} encoder, method “{metrics['method']}”"),
        parts.verdict(metrics["blessed"], metrics["reasons"], pushed),
        parts.table(("test pairs", "pairs", "Acc@1", "Acc@5"), body, texts=1, strong_rows=1),
        _facts(metrics, encoder.history),
    )


def _facts(metrics: dict[str, Any], history: dict[str, Any]) -> Markup:
    age = metrics["bank_age_steps"]
    bank = history["bank"]
    return parts.facts(
        ("Candidates", formats.count(metrics["candidates"]), "different items that a query ranks"),
        ("Alignment", formats.metric(metrics["alignment"]), "squared distance of query and positive, best 0"),
        ("Uniformity", formats.metric(metrics["uniformity"]), "lower is more evenly spread, 0 is collapsed"),
        ("Random cosine", formats.metric(metrics["random_cosine"]), "of two different items, 1 is collapsed"),
        ("Temperature", formats.metric(metrics["temperature"]), "as learned"),
        (
            "Memory bank",
            "none" if bank is None else f"{formats.count(bank['filled'])} keys",
            "negatives come from the batch" if age is None else f"{age:,.1f} steps old on average",
        ),
        (
            "Training",
            formats.seconds(history["seconds"]),
            f"{formats.count(history['steps'])} steps, {formats.count(history['pairs'])} pairs",
        ),
    )


def _plots(modality: str, history: dict[str, Any]) -> list[Markup]:
    if not history["curve"]:
        return []
    return [
        plots.training_plot(history["curve"], f"Training of the {modality} encoder", LOSS),
        plots.accuracy_plot(history["evaluations"], f"Accuracy of the {modality} encoder"),
    ]


def _embeddings(counts: dict[str, Any]) -> Markup:
    things = {"image": ("picture", counts["with_image"]), "text": ("title", counts["with_title"])}
    rows = [
        (
            f"items with a {thing}",
            formats.count(there),
            formats.count(counts[f"{modality}_embeddings"]),
            formats.share(counts[f"{modality}_embeddings"], there),
            formats.count(counts["encoded"][modality]),
            formats.count(counts["reused"][modality]),
            formats.count(sum(counts["rejects"][modality].values())),
        )
        for modality, (thing, there) in things.items()
    ]
    reasons = [
        f"{formats.count(number)} {modality} {reason}"
        for modality, rejects in counts["rejects"].items()
        for reason, number in rejects.items()
        if number
    ]
    head = ("of the catalog", "items", "with embedding", "coverage", "encoded now", "as before", "rejected")
    return parts.card(
        tag("h3", f"Embeddings of {formats.count(counts['items'])} items"),
        parts.table(head, rows, texts=1),
        tag("p", f"Rejected: {', '.join(reasons)}.", class_="note") if reasons else None,
    )
