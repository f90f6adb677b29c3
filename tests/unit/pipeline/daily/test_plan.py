"""What a day has to do, by what came of the days before."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from components.report.day_record import read_day_records
from pipeline.daily.config import DailyConfig
from pipeline.daily.day import Day
from pipeline.daily.ledger import Ledger
from pipeline.daily.plan import parse_dates, plan_day
from transforms.input_error import InputError

FIRST = date(2024, 1, 30)
FIGURES = {"impressions": 10, "auc": 0.6, "gauc": 0.6, "logloss": 0.3, "calibration": 1.0}


def summary(pushed: bool = True) -> dict[str, Any]:
    return {
        "ctr": {"model": "id", **FIGURES},
        "pushed": {"ctr": "serving/ctr/1"} if pushed else {},
        "embeddings": None,
        "stages": [{"name": "LogIngest", "seconds": 1.5, "cached": False}],
        "alerts": [],
    }


def run(root: Path, day: int, pushed: bool = True) -> Day:
    """Plans a day and writes down what came of it."""
    planned = plan(root, day)
    Ledger(str(root)).write(planned, summary(pushed))
    return planned


def plan(root: Path, day: int, every: int = 3) -> Day:
    return plan_day(str(root), FIRST + timedelta(days=day), DailyConfig(encoder_every_days=every))


def test_days_one_after_another(tmp_path: Path) -> None:
    days = [run(tmp_path, day) for day in range(8)]
    assert [day.date for day in days] == [FIRST + timedelta(days=day) for day in range(8)]
    assert [day.first for day in days] == [True] + 7 * [False]
    # Every third day, from the first on.
    assert [day.trains_encoders for day in days] == [True, False, False] * 2 + [True, False]
    # 30 January 2024 is the 19,752nd day after 1 January 1970: 54 years of 365 days, 13 leap days, and 29.
    assert days[0].span == 54 * 365 + 13 + 29
    assert days[1].measured_on == date(2024, 2, 1)


def test_a_day_again_is_planned_as_it_was(tmp_path: Path) -> None:
    days = [run(tmp_path, day) for day in range(5)]
    assert [plan(tmp_path, day) for day in range(5)] == days


def test_encoders_are_due_by_what_was_done(tmp_path: Path) -> None:
    for day in range(3):
        run(tmp_path, day)
    # The schedule has changed meanwhile.
    assert not plan(tmp_path, 3, every=4).trains_encoders
    assert plan(tmp_path, 3, every=2).trains_encoders


def test_a_run_begins_from_nothing_until_a_day_is_pushed(tmp_path: Path) -> None:
    first = [run(tmp_path, day, pushed=day == 2).first for day in range(4)]
    assert first == [True, True, True, False]
    # A day that is refused later changes nothing.
    assert not plan(tmp_path, 4).first


def test_days_that_were_left_out(tmp_path: Path) -> None:
    run(tmp_path, 0)
    with pytest.raises(
        InputError, match="2024-02-01 goes on from the day before it; run --date 2024-01-31 first"
    ):
        plan(tmp_path, 2)
    with pytest.raises(InputError, match=r"run --date 2024-01-31\.\.2024-02-03 first"):
        plan(tmp_path, 5)
    with pytest.raises(InputError, match=r"begin with 2024-01-30; .* 2024-01-29, needs a ROOT of its own"):
        plan(tmp_path, -1)


def test_the_ledger(tmp_path: Path) -> None:
    assert Ledger(str(tmp_path)).read() == {}
    run(tmp_path, 0)
    run(tmp_path, 1, pushed=False)
    run(tmp_path, 1, pushed=True)  # mended and run again
    records = Ledger(f"{tmp_path}/").read()
    assert [record["status"] for record in records.values()] == ["pushed", "pushed"]
    assert sorted(path.name for path in (tmp_path / "days").iterdir()) == [
        "2024-01-30.json",
        "2024-01-31.json",
    ]
    # The report reads the same files.
    assert read_day_records(str(tmp_path / "days")) == list(records.values())
    record = records[FIRST]
    assert (record["first"], record["trains_encoders"], record["candidate"]) == (True, True, FIGURES)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"date": "2024-01-31", "status": "pushed", "first": true, "trains_encoders": true}'],
)
def test_a_damaged_record(tmp_path: Path, content: str) -> None:
    path = tmp_path / "days" / "2024-01-30.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(InputError, match=r"2024-01-30\.json: expected the record"):
        plan(tmp_path, 1)


def test_a_half_written_record_is_none(tmp_path: Path) -> None:
    run(tmp_path, 0)
    whole = (tmp_path / "days" / "2024-01-30.json").read_text()
    assert json.loads(whole)
    (tmp_path / "days" / "2024-01-31.json.partial").write_text(whole[:10])
    assert list(Ledger(str(tmp_path)).read()) == [FIRST]


def test_dates() -> None:
    assert parse_dates("2024-02-28") == [date(2024, 2, 28)]
    assert parse_dates("2024-02-28..2024-03-01") == [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]
    for text in ("", "yesterday", "2024-02-30", "2024-02-28..", "..2024-02-28", "2024-02-28..x"):
        with pytest.raises(InputError, match="--date must be a day such as 2024-01-31"):
            parse_dates(text)
    with pytest.raises(InputError, match="the last day must not come before the first"):
        parse_dates("2024-02-28..2024-02-27")


@pytest.mark.parametrize(
    "values", [{"encoder_every_days": 0}, {"pair_days": 0}, {"make_days": 0}, {"max_drop": -0.1}]
)
def test_settings_out_of_range(values: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"daily.{next(iter(values))} must be"):
        DailyConfig(**values)


def test_how_a_day_was_planned(tmp_path: Path) -> None:
    days = [run(tmp_path, day) for day in range(2)]
    ledger = Ledger(str(tmp_path))
    assert [ledger.planned(day.date) for day in days] == days
    assert ledger.planned(FIRST + timedelta(days=2)) is None
