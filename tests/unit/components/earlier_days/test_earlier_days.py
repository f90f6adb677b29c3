"""What the resolvers of a run by days find among the artifacts of all days."""

import pytest
from tfx import types
from tfx.components.evaluator import constants
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing, PushedModel

from components.artifacts import ItemStats, Make
from components.blessed_model.earlier_strategy import EarlierBlessedModelStrategy
from components.earlier_days.blessed_days_strategy import EarlierBlessedDaysStrategy
from components.earlier_days.day_before_strategy import DayBeforeStrategy
from components.earlier_days.last_made_strategy import LastMadeStrategy
from components.span import set_span
from transforms.input_error import InputError


def made(kind: type[types.Artifact], number: int, span: int | None) -> types.Artifact:
    artifact = kind()
    artifact.id = number
    if span is not None:
        set_span(artifact, span)
    return artifact


def verdict(number: int, model: int, blessed: bool = True) -> ModelBlessing:
    artifact = ModelBlessing()
    artifact.id = number
    artifact.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model)
    artifact.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, int(blessed))
    return artifact


def ids(found: dict[str, list[types.Artifact]]) -> dict[str, list[int]]:
    return {name: [artifact.id for artifact in artifacts] for name, artifacts in found.items()}


def test_the_day_before() -> None:
    stats = [
        made(ItemStats, number, span)
        for number, span in ((1, 9), (2, 10), (4, 10), (3, 10), (5, 11), (6, None))
    ]
    examples = [made(Examples, 7, 10), made(Examples, 8, 12)]
    inputs = {"item_stats": stats, "examples": examples}
    # Of a day that was run twice the newer one counts.
    assert ids(DayBeforeStrategy(11).resolve_artifacts(None, inputs)) == {"item_stats": [4], "examples": [7]}
    with pytest.raises(InputError, match="expected item_stats of 1970-01-13 to go on from, found none"):
        DayBeforeStrategy(13).resolve_artifacts(None, inputs)


@pytest.mark.parametrize(
    ("span", "verdicts", "expected"),
    [
        (10, [verdict(20, 1)], []),  # the first day
        (11, [verdict(20, 1)], [1]),
        (11, [verdict(20, 1, False)], []),
        (12, [verdict(20, 1), verdict(21, 2)], [2]),
        (12, [verdict(20, 1), verdict(21, 2, False)], [1]),  # a refused day is passed over
        (12, [verdict(21, 1), verdict(20, 2)], [2]),  # the later day, not the later verdict
        (11, [verdict(20, 1), verdict(21, 2), verdict(22, 3)], [1]),  # run again, whatever came after
        (13, [verdict(20, 1), verdict(21, 2, False), verdict(22, 3)], [3]),  # refused, mended, and run again
        (
            13,
            [verdict(20, 1), verdict(22, 3, False), verdict(23, 2)],
            [2],
        ),  # of one day's two the one that passed
        (14, [verdict(20, 4), verdict(21, 1)], [1]),  # a run that knows no days counts for nothing
        (14, [verdict(20, 99)], []),  # of some other component's model
    ],
)
def test_the_last_blessed_model_of_an_earlier_day(span: int, verdicts: list, expected: list[int]) -> None:
    models = [made(Model, 1, 10), made(Model, 3, 11), made(Model, 2, 11), made(Model, 4, None)]
    inputs = {"model": models, "model_blessing": verdicts}
    found = ids(EarlierBlessedModelStrategy(span).resolve_artifacts(None, inputs))
    assert found["model"] == expected
    assert len(found["model_blessing"]) == len(expected)


def test_what_was_made_beside_the_last_blessed_model() -> None:
    inputs = {
        "model": [made(Model, 1, 10), made(Model, 2, 11)],
        "model_blessing": [verdict(20, 1), verdict(21, 2, False)],
        "baseline": [made(Model, 30, 9), made(Model, 31, 10), made(Model, 32, 10), made(Model, 33, 11)],
        "pushed_model": [made(PushedModel, 40, 11)],
    }
    found = ids(EarlierBlessedModelStrategy(12).resolve_artifacts(None, inputs))
    # The refused day's baseline has learned from the same clicks, so it is no one's to go on from either.
    assert found == {"model": [1], "model_blessing": [20], "baseline": [32], "pushed_model": []}


def clicks(*spans: int, refused: int = 0) -> dict[str, list[types.Artifact]]:
    """Click models of these days, and their verdicts."""
    models = [made(Model, 1_000 + span, span) for span in spans]
    verdicts = [verdict(2_000 + span, 1_000 + span, span != refused) for span in spans]
    return {"click_model": models, "click_blessing": verdicts}


def test_encoders_of_refused_days_are_passed_over() -> None:
    inputs = {
        "model": [made(Model, number, number) for number in (10, 17, 24)],
        "model_blessing": [verdict(100 + number, number) for number in (10, 17, 24)],
        "pushed_model": [made(PushedModel, 200 + number, number) for number in (10, 17, 24)],
    }
    # Of day 17 the encoder was blessed and the click model refused, say, so day 20 goes on with that of day 10; it does
    # not matter to it what came of itself or of day 24 when it is run again.
    for refused, expected in ((17, 10), (20, 17), (24, 17)):
        given = inputs | clicks(10, 17, 20, 24, refused=refused)
        found = ids(EarlierBlessedModelStrategy(20).resolve_artifacts(None, given))
        assert (found["model"], found["pushed_model"]) == ([expected], [200 + expected])
    none = EarlierBlessedModelStrategy(20).resolve_artifacts(None, inputs | clicks(17, refused=17))
    assert set(map(len, none.values())) == {0}


def test_what_was_made_last() -> None:
    makes = [made(Make, 1, 3), made(Make, 4, 10), made(Make, 2, 10), made(Make, 3, 17), made(Make, 5, None)]
    for span, expected in ((3, []), (4, [1]), (10, [1]), (11, [4]), (18, [3])):
        found = ids(LastMadeStrategy(span).resolve_artifacts(None, {"make": makes} | clicks(3, 10, 17)))
        assert found == {"make": expected, "click_model": [], "click_blessing": []}
    refused = {"make": makes} | clicks(3, 10, 17, refused=10)
    assert ids(LastMadeStrategy(12).resolve_artifacts(None, refused))["make"] == [1]


def test_the_last_days_that_were_blessed() -> None:
    days = {1: 10, 2: 11, 3: 12, 4: 12, 5: 13, 6: 14}
    examples = [made(Examples, number, span) for number, span in reversed(days.items())]
    # Day 11 was refused, day 12 run twice, day 14 is the one that runs.
    inputs = {"examples": examples} | clicks(10, 11, 12, 13, 14, refused=11)
    found = EarlierBlessedDaysStrategy(14, days=5).resolve_artifacts(None, inputs)
    assert ids(found) == {"examples": [1, 4, 5], "click_model": [], "click_blessing": []}
    assert ids(EarlierBlessedDaysStrategy(14, days=2).resolve_artifacts(None, inputs))["examples"] == [5]
    assert ids(EarlierBlessedDaysStrategy(14, days=1).resolve_artifacts(None, inputs))["examples"] == []
