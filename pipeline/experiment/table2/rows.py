"""From the trials' results to the table's rows."""

from collections.abc import Sequence
from typing import Any

from pipeline.experiment.spread import differences, spread
from pipeline.experiment.table2.methods import ACCURACIES, METHODS, SCL

# What a row has beside the accuracies, with its spread.
_MORE = ("alignment", "uniformity", "random_cosine", "steps", "seconds")


def make_rows(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a modality and method, in the order of the paper's table.

    Args:
        results: of all trials; those of a method in the order of the seeds, the same seeds for every method.
    Returns:
        "method", "modality", "seeds", "pairs", "candidates"; "acc@1", "acc@5", "alignment", "uniformity",
        "random_cosine", "steps" and "seconds", each as `spread` gives it; "slices", of each kind of pair
        "pairs", "acc@1" and "acc@5"; "scl_gain", how far SCL lies above the method in "acc@1" and "acc@5", seed
        by seed, None where SCL was not tried; "paper", the paper's "acc@1" and "acc@5".
    """
    rows = []
    for modality in dict.fromkeys(result["modality"] for result in results):
        best = _of(results, SCL.name, modality)
        for method in METHODS:
            own = _of(results, method.name, modality)
            if not own:
                continue
            rows.append(
                {
                    "method": method.name,
                    "modality": modality,
                    **_accuracies(own),
                    "seeds": [result["seed"] for result in own],
                    "pairs": own[0]["pairs"],
                    "candidates": own[0]["candidates"],
                    "slices": {kind: _slice(own, kind) for kind in own[0]["slices"]},
                    "scl_gain": {
                        name: differences([r[name] for r in best], [r[name] for r in own])
                        for name in ACCURACIES
                    }
                    if best
                    else None,
                    "paper": dict(zip(ACCURACIES, method.paper, strict=True)),
                    **{name: spread([result[name] for result in own]) for name in _MORE},
                }
            )
    return rows


def _of(results: Sequence[dict[str, Any]], method: str, modality: str) -> list[dict[str, Any]]:
    return [result for result in results if (result["method"], result["modality"]) == (method, modality)]


def _slice(results: Sequence[dict[str, Any]], kind: str) -> dict[str, Any]:
    parts = [result["slices"][kind] for result in results]
    return {"pairs": parts[0]["pairs"], **_accuracies(parts)}


def _accuracies(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {name: spread([figure[name] for figure in figures]) for name in ACCURACIES}
