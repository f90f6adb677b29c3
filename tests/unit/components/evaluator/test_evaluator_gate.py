import pytest

from components.evaluator.config import EvaluatorConfig
from components.evaluator.gate import find_faults
from transforms.input_error import InputError


def results(gauc, baseline=None, last_blessed=None):
    compared = {"baseline": baseline, "last_blessed": last_blessed}
    return {
        "gauc": gauc,
        **{name: None if value is None else {"gauc": value} for name, value in compared.items()},
    }


CONFIG = EvaluatorConfig(min_value=0.55, max_drop=0.01)


@pytest.mark.parametrize(
    ("found", "reasons"),
    [
        (results(0.55), []),
        (results(0.549), ["gauc is 0.549; at least 0.55 is asked"]),
        # 0.6 is at most 0.01 below 0.605 and 0.609; it is 0.02 below 0.62.
        (results(0.6, baseline=0.605, last_blessed=0.609), []),
        (
            results(0.6, baseline=0.62),
            ["gauc is 0.02 below that of the ID model; at most 0.01 is allowed"],
        ),
        (
            results(0.6, baseline=0.5, last_blessed=0.62),
            ["gauc is 0.02 below that of the last blessed model; at most 0.01 is allowed"],
        ),
        (
            results(0.5, baseline=0.6, last_blessed=0.7),
            [
                "gauc is 0.5; at least 0.55 is asked",
                "gauc is 0.1 below that of the ID model; at most 0.01 is allowed",
                "gauc is 0.2 below that of the last blessed model; at most 0.01 is allowed",
            ],
        ),
    ],
)
def test_every_model_that_is_there_is_compared_with(found, reasons) -> None:
    assert find_faults(found, CONFIG) == reasons


def test_undefined_values_pass_nothing() -> None:
    undefined = {"gauc": None}
    whole = find_faults(results(None) | {"baseline": {"gauc": 0.6}}, CONFIG)
    assert [line.split(";")[0].split(":")[0] for line in whole] == [
        "gauc is undefined",
        "gauc cannot be compared with that of the ID model",
    ]
    assert find_faults(results(0.7) | {"last_blessed": undefined}, CONFIG) == [
        "gauc cannot be compared with that of the last blessed model: one of the two is undefined"
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gate": "accuracy"}, "evaluator.gate must be gauc or auc, got 'accuracy'"),
        ({"min_value": 1.5}, r"evaluator.min_value must lie in \[0, 1\], got 1.5"),
        ({"max_drop": -0.1}, r"evaluator.max_drop must lie in \[0, 1\], got -0.1"),
    ],
)
def test_wrong_settings_are_named(arguments, message) -> None:
    with pytest.raises(InputError, match=message):
        EvaluatorConfig(**arguments)
