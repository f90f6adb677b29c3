"""The figures of an encoder on the test pairs, and whether they are good enough."""

import math
from typing import Any

from components.encoder_evaluator.config import EncoderEvaluatorConfig
from components.encoder_evaluator.embedded_pairs import EmbeddedPairs
from components.encoder_evaluator.pair_index import PairIndex
from models.metrics.embedding_geometry import embedding_geometry
from models.metrics.top_n_accuracy import Ranks, rank_positives
from transforms.pair_difficulty import DIFFICULTIES

# What a difference of two exact fractions may be off by.
_ROUNDING = 1e-9
TOPS = (1, 5)


def rank_pairs(embedded: EmbeddedPairs, index: PairIndex) -> Ranks:
    """Where each pair's positive stands among all candidates."""
    return rank_positives(embedded.queries, index.positives, embedded.candidates)


def accuracies(ranks: Ranks) -> dict[str, float | None]:
    """Acc@1 and Acc@5, None of no pairs."""
    return {f"acc@{n}": float(ranks.hits(n).mean()) if ranks.above.size else None for n in TOPS}


def measure(embedded: EmbeddedPairs, index: PairIndex, ranks: Ranks, seed: int) -> dict[str, Any]:
    """All figures, None where one is not defined.

    Args:
        embedded: the pairs' vectors, without a problem.
        index: of the same pairs.
        ranks: `rank_pairs` of both.
        seed: of the random pairs of items.
    """
    geometry = embedding_geometry(embedded.queries, index.positives, embedded.candidates, seed=seed)
    figures = {name: value if math.isfinite(value) else None for name, value in geometry._asdict().items()}
    slices = {name: _slice(ranks, index.difficulties == place) for place, name in enumerate(DIFFICULTIES)}
    return accuracies(ranks) | figures | {"slices": slices}


def unmeasured() -> dict[str, Any]:
    """The figures of vectors that cannot be compared."""
    names = (*(f"acc@{n}" for n in TOPS), "alignment", "uniformity", "random_cosine")
    return dict.fromkeys(names) | {"slices": {}}


def find_faults(
    figures: dict[str, Any], baseline: dict[str, float | None] | None, config: EncoderEvaluatorConfig
) -> list[str]:
    """Why an encoder must not be pushed; empty where it may.

    Args:
        figures: what `measure` gave.
        baseline: `accuracies` of the last blessed encoder on the same pairs, or None where there is none.
        config: the thresholds.
    """
    faults = []
    accuracy, cosine = figures["acc@1"], figures["random_cosine"]
    if accuracy < config.min_acc - _ROUNDING:
        faults.append(f"acc@1 {accuracy:.4f} is below min_acc {config.min_acc}")
    before = baseline["acc@1"] if baseline else None
    if before is not None and before - accuracy > config.max_drop + _ROUNDING:
        faults.append(
            f"acc@1 {accuracy:.4f} is more than max_drop {config.max_drop} below {before:.4f}, "
            "that of the last blessed encoder on the same pairs"
        )
    if cosine is not None and cosine > config.max_random_cosine:
        faults.append(
            f"random items have a mean cosine of {cosine:.4f}, above max_random_cosine "
            f"{config.max_random_cosine}: the encoder has collapsed"
        )
    return faults


def _slice(ranks: Ranks, inside: Any) -> dict[str, Any]:
    part = Ranks(ranks.above[inside], ranks.ties[inside])
    return {"pairs": int(inside.sum()), **accuracies(part)}
