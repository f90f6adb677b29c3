"""Decides whether a recall model may be pushed."""

from collections.abc import Iterator, Mapping
from typing import Any

from components.recall_evaluator.config import RecallEvaluatorConfig
from components.recall_evaluator.measurement import ALL, STAGED


def find_faults(
    figures: Mapping[str, Any], last_blessed: Mapping[str, Any] | None, config: RecallEvaluatorConfig
) -> list[str]:
    """Lists what keeps a model from being blessed.

    Args:
        figures: of `measure`.
        last_blessed: the same of the last blessed model, on the same clicks; None where there is none.
        config: what is asked.
    Returns:
        One line for each thing that was missed; none where the model is blessed.
    """
    return [
        *_too_low(click_recall_at_k(figures), config),
        *_too_far_below(click_recall_at_k(figures), last_blessed, config),
        *_collapsed(figures["random_cosine"], config),
    ]


def click_recall_at_k(figures: Mapping[str, Any], group: str = ALL) -> float | None:
    """Click-recall through the stages at the K that decides, of a group of clicked items."""
    return figures["stages"][STAGED][group]["click_recall"][str(figures["k"])]


def _too_low(value: float | None, config: RecallEvaluatorConfig) -> Iterator[str]:
    name, least = f"click_recall@{config.k}", f"at least {config.min_click_recall:.6g} is asked"
    if value is None:
        yield f"{name} is undefined: the evaluated split has no click; {least}"
    elif value < config.min_click_recall:
        yield f"{name} is {value:.6g}; {least}"


def _too_far_below(
    value: float | None, last_blessed: Mapping[str, Any] | None, config: RecallEvaluatorConfig
) -> Iterator[str]:
    other = None if last_blessed is None else click_recall_at_k(last_blessed)
    if value is not None and other is not None and value < other - config.max_drop:
        yield (
            f"click_recall@{config.k} is {other - value:.6g} below that of the last blessed model; at most "
            f"{config.max_drop:.6g} is allowed"
        )


def _collapsed(cosine: float | None, config: RecallEvaluatorConfig) -> Iterator[str]:
    # Undefined of fewer than two vectors, which are no collapse.
    if cosine is not None and cosine > config.max_random_cosine:
        yield (
            f"the mean cosine of two random items' vectors is {cosine:.6g}: the towers have collapsed; at most "
            f"{config.max_random_cosine:.6g} is allowed"
        )
