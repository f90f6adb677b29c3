from typing import Any

import pytest

from components.recall_evaluator.config import RecallEvaluatorConfig
from components.recall_evaluator.gate import click_recall_at_k, find_faults
from transforms.input_error import InputError

CONFIG = RecallEvaluatorConfig(k=7, ks=(3,), min_click_recall=0.25, max_drop=0.01, max_random_cosine=0.8)


def figures(
    click_recall: float | None, random_cosine: float | None = 0.1, retrieved: float = 1.0
) -> dict[str, Any]:
    """Of a model that has this click-recall at 7 through the stages, and others elsewhere."""
    groups = {"long_tail": {"clicks": 2, "click_recall": {"3": 0.0, "7": 0.125}}}
    staged = {"all": {"clicks": 4, "click_recall": {"3": 0.0, "7": click_recall}}} | groups
    first = {"all": {"clicks": 4, "click_recall": {"3": retrieved, "7": retrieved}}} | groups
    return {"k": 7, "stages": {"retrieved": first, "staged": staged}, "random_cosine": random_cosine}


def test_click_recall_through_the_stages_decides() -> None:
    assert click_recall_at_k(figures(0.5)) == 0.5
    assert click_recall_at_k(figures(0.5), "long_tail") == 0.125


@pytest.mark.parametrize(
    ("found", "last_blessed", "reasons"),
    [
        (figures(0.25), None, []),
        (figures(0.249), None, ["click_recall@7 is 0.249; at least 0.25 is asked"]),
        # 0.5 is 0.005 below 0.505, and 0.02 below 0.52; it may be 0.01 below.
        (figures(0.5), figures(0.505), []),
        (figures(0.5), figures(0.4), []),
        (
            figures(0.5),
            figures(0.52),
            ["click_recall@7 is 0.02 below that of the last blessed model; at most 0.01 is allowed"],
        ),
        (figures(0.5, random_cosine=0.8), None, []),
        (
            figures(0.5, random_cosine=0.81),
            None,
            [
                (
                    "the mean cosine of two random items' vectors is 0.81: the towers have collapsed; "
                    "at most 0.8 is allowed"
                )
            ],
        ),
        # Of fewer than two vectors there is no cosine.
        (figures(0.5, random_cosine=None), None, []),
        (
            figures(None),
            None,
            ["click_recall@7 is undefined: the evaluated split has no click; at least 0.25 is asked"],
        ),
    ],
)
def test_each_reason(found: dict[str, Any], last_blessed: dict[str, Any] | None, reasons: list[str]) -> None:
    assert find_faults(found, last_blessed, CONFIG) == reasons


def test_all_reasons_are_given_at_once() -> None:
    reasons = find_faults(figures(0.1, random_cosine=1.0), figures(0.2), CONFIG)
    assert [reason.split(" is ")[0] for reason in reasons] == [
        "click_recall@7",
        "click_recall@7",
        "the mean cosine of two random items' vectors",
    ]


def test_a_last_model_without_clicks_is_not_compared_with() -> None:
    assert find_faults(figures(0.5), figures(None), CONFIG) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"k": 0}, "recall_evaluator.k must be at least 1, got 0"),
        ({"ks": (5, 0)}, r"recall_evaluator.ks must be numbers of at least 1, got \(5, 0\)"),
        (
            {"k": 30, "ks": (), "num_retrieved": 29},
            r"recall_evaluator.num_retrieved must be at least every k \(30\), got 29",
        ),
        ({"k": 30, "num_retrieved": 499}, r"recall_evaluator.num_retrieved must be at least every k \(500\)"),
        ({"max_clicks": 0}, "recall_evaluator.max_clicks must be at least 1, got 0"),
        ({"max_exact_scores": 0}, "recall_evaluator.max_exact_scores must be at least 1, got 0"),
        ({"head_click_share": 0.0}, "recall_evaluator.head_click_share must be between 0 and 1, got 0.0"),
        ({"head_click_share": 1.0}, "recall_evaluator.head_click_share must be between 0 and 1, got 1.0"),
        ({"min_click_recall": -0.5}, r"recall_evaluator.min_click_recall must be in \[0, 1\], got -0.5"),
        ({"max_drop": 1.5}, r"recall_evaluator.max_drop must be in \[0, 1\], got 1.5"),
        ({"max_random_cosine": 2.0}, r"recall_evaluator.max_random_cosine must be in \[0, 1\], got 2.0"),
    ],
)
def test_wrong_settings_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RecallEvaluatorConfig(**values)


def test_the_k_that_decides_is_among_those_that_are_measured() -> None:
    assert RecallEvaluatorConfig(k=20, ks=(50, 5)).all_ks == (5, 20, 50)
    assert RecallEvaluatorConfig(k=20, ks=(20,)).all_ks == (20,)
    assert RecallEvaluatorConfig(k=20, ks=()).all_ks == (20,)
