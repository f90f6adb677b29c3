"""The page's part on recall."""

from typing import Any

from components.report import formats, parts, plots
from components.report.markup import Markup, tag
from components.report.recall_record import RecallRecord

WAYS = {
    "staged": "through the stages",
    "retrieved": "first stage alone",
    "exact": "all items by the model",
    "popular": "the most clicked items",
}
GROUPS = {"all": "all clicks", "long_tail": "of long-tail items", "new": "of new items"}
LOSS = "Loss of the training batches, in random order; the bold line is their moving mean."


def render_recall(
    record: RecallRecord | None, recall: dict[str, Any] | None, pushed: str | None
) -> Markup | None:
    """The section, or None of a run without recall.

    Args:
        record: what the run left behind.
        recall: the part "recall" of `build_summary` of the same record.
        pushed: where the model is, as the summary says, or None.
    """
    if record is None or recall is None:
        return None
    k = recall["k"]
    return parts.section(
        f"Recall, fusion “{recall['fusion']}”",
        f"How often an item that was clicked in the test days is among the {formats.count(k)} that are recalled out "
        f"of {formats.count(record.metrics['items'])}, when {formats.count(recall['num_retrieved'])} are retrieved "
        "and then reordered. The long tail are the items outside the most clicked; new ones were never shown in "
        "training.",
        parts.verdict(record.blessed, record.reasons, pushed),
        _tiles(recall),
        parts.card(_ways(record.metrics)),
        tag("div", _plots(record, recall), class_="grid"),
        parts.card(tag("h3", "Index"), _facts(record, recall)),
    )


def _tiles(recall: dict[str, Any]) -> Markup:
    k = recall["k"]
    last = recall["last_blessed"]
    shown = (
        ("Click-recall", "click_recall@K", "of all clicks"),
        ("Long tail", "long_tail_click_recall@K", "of clicks on long-tail items"),
        ("New items", "new_click_recall@K", "of clicks on items training never showed"),
    )
    made = [
        parts.tile(
            f"{name} @ {k}",
            formats.metric(recall[key]),
            hint,
            None if last is None else f"last blessed {formats.metric(last[key])}",
        )
        for name, key, hint in shown
    ]
    made.append(
        parts.tile(
            f"Index @ {k}", formats.metric(recall["index_recall@K"]), "of the exact top items are found"
        )
    )
    made.append(parts.tile("Test clicks", formats.count(recall["clicks"]), "the last days, never trained on"))
    return tag("dl", made, class_="tiles")


def _ways(metrics: dict[str, Any]) -> Markup:
    first = next(iter(metrics["stages"].values()))
    ks = list(first["all"]["click_recall"])
    body = [
        (
            f"{label}, {GROUPS[group]}",
            formats.count(metrics["stages"][way][group]["clicks"]),
            *(formats.metric(metrics["stages"][way][group]["click_recall"][k]) for k in ks),
        )
        for way, label in WAYS.items()
        for group in GROUPS
    ]
    head = ("click-recall", "clicks", *(f"@{k}" for k in ks))
    return parts.table(head, body, texts=1, strong_rows=len(GROUPS))


def _plots(record: RecallRecord, recall: dict[str, Any]) -> list[Markup]:
    drawn = [plots.recall_plot(recall["stages"], WAYS)]
    if record.history["gate"] is not None:
        drawn.append(plots.gate_plot(record.history["gate"]))
    drawn.append(plots.training_plot(record.history["curve"], "Training of the recall model", LOSS))
    return drawn


def _facts(record: RecallRecord, recall: dict[str, Any]) -> Markup:
    recalled, index = recall["recalled"], recall["index"]
    history = record.history
    return parts.facts(
        ("Search", index["search"] or "not built", f"over {formats.count(index['items'])} items"),
        ("Random cosine", formats.metric(recall["random_cosine"]), "of two different items, 1 is collapsed"),
        ("Coverage", _share(recalled["coverage"]), f"of the catalog is among somebody's first {recall['k']}"),
        ("Long tail", _share(recalled["long_tail_share"]), "of what is recalled"),
        ("New items", _share(recalled["new_share"]), "of what is recalled"),
        (
            "Training",
            formats.seconds(history["seconds"]),
            f"{formats.count(history['examples'])} clicks",
        ),
    )


def _share(value: float | None) -> str:
    return formats.MISSING if value is None else formats.share(value, 1)
