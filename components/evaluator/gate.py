"""Decides whether a click model may be pushed."""

from collections.abc import Iterator, Mapping
from typing import Any

from components.evaluator.config import EvaluatorConfig

# The models that a candidate is compared with, by their names in the results, and what the reasons call them.
COMPARED = {"baseline": "the ID model", "last_blessed": "the last blessed model"}
_WHY_UNDEFINED = {
    "auc": "the evaluated impressions are all clicked or all not clicked",
    "gauc": "no user of the evaluated impressions has both clicked and not clicked ones",
}


def find_faults(results: Mapping[str, Any], config: EvaluatorConfig) -> list[str]:
    """Lists what keeps a model from being blessed.

    A metric that is not defined passes nothing, neither the candidate's nor one that it is compared with.

    Args:
        results: the candidate's metrics over all impressions, and below the names in COMPARED those of the other
            models, or None where there is none.
        config: what is asked.
    Returns:
        One line for each thing that was missed; none where the model is blessed.
    """
    return [*_too_low(results[config.gate], config), *_too_far_below(results, config)]


def _too_low(value: float | None, config: EvaluatorConfig) -> Iterator[str]:
    if value is None:
        yield f"{config.gate} is undefined: {_WHY_UNDEFINED[config.gate]}; at least {config.min_value:.6g} is asked"
    elif not value >= config.min_value:
        yield f"{config.gate} is {value:.6g}; at least {config.min_value:.6g} is asked"


def _too_far_below(results: Mapping[str, Any], config: EvaluatorConfig) -> Iterator[str]:
    value = results[config.gate]
    for name, called in COMPARED.items():
        if results[name] is None:
            continue
        other = results[name][config.gate]
        if value is None or other is None:
            yield f"{config.gate} cannot be compared with that of {called}: one of the two is undefined"
        elif not value >= other - config.max_drop:
            yield (
                f"{config.gate} is {other - value:.6g} below that of {called};"
                f" at most {config.max_drop:.6g} is allowed"
            )
