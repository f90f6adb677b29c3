"""Steps that are taken again and again."""

import logging

import pytest

from serving.gateway.errors import PartUnavailable
from serving.gateway.periodic import Periodic


def test_a_failing_step_holds_up_no_other_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    taken: list[str] = []

    def defect() -> None:
        raise ValueError("a defect")

    periodic = Periodic("work", 1.0, lambda: [defect, lambda: taken.append("other")])
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            periodic.round()
    assert taken == ["other"] * 3
    assert periodic.status() == {"errors": 3, "last_error": "ValueError: a defect"}
    assert [bool(record.exc_info) for record in caplog.records] == [True, False]


def test_an_outage_is_told_at_its_begin_and_its_end(caplog: pytest.LogCaptureFixture) -> None:
    is_down = True

    def step() -> None:
        if is_down:
            raise PartUnavailable("down")

    periodic = Periodic("work", 1.0, lambda: [step])
    with caplog.at_level(logging.INFO):
        periodic.round()
        periodic.round()
        is_down = False
        periodic.round()
        periodic.round()
    assert [record.getMessage() for record in caplog.records] == ["work: down", "work: works again"]
