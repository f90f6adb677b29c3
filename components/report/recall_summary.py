"""What a program would ask of a run's recall."""

from collections.abc import Mapping
from typing import Any

from components.report.recall_record import RecallRecord

STAGED = "staged"
PREFIXES = {"all": "", "long_tail": "long_tail_", "new": "new_"}


def summarize_recall(record: RecallRecord) -> dict[str, Any]:
    """The part "recall" of the summary.

    "click_recall@K", "long_tail_click_recall@K" and "new_click_recall@K" are through the stages, with "k" in the
    place of K; "stages" has all ways of recall with all numbers of items, see `components.recall_evaluator`.

    Args:
        record: what the run left behind.
    """
    metrics, index = record.metrics, record.index
    last_blessed = metrics["last_blessed"]
    k = str(metrics["k"])
    return {
        "fusion": record.history["fusion"],
        "k": metrics["k"],
        "num_retrieved": metrics["num_retrieved"],
        "clicks": metrics["clicks"],
        **_at_k(metrics),
        "index_recall@K": index["index_recall"][k] if "index_recall" in index else None,
        "stages": metrics["stages"],
        "recalled": metrics["recalled"],
        "random_cosine": metrics["random_cosine"],
        "index": {name: index.get(name) for name in ("search", "items", "index_recall", "build_seconds")},
        "last_blessed": None if last_blessed is None else _at_k(last_blessed),
        "blessed": record.blessed,
    }


def _at_k(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    staged = metrics["stages"][STAGED]
    k = str(metrics["k"])
    return {f"{prefix}click_recall@K": staged[group]["click_recall"][k] for group, prefix in PREFIXES.items()}
