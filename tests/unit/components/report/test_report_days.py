"""A run that knows days: its record, and the page's part on days."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from page_reader import PageReader, words

from components.monitoring.config import MonitoringConfig
from components.report.day_plots import metric_by_day, seconds_by_day
from components.report.day_record import build_day_record, read_day_records
from components.report.day_section import render_days
from components.report.page import render_page
from components.report.run_record import RunRecord
from components.report.summary import build_summary
from components.report.writer import write_report
from transforms.configuration import to_json
from transforms.input_error import InputError


def figures(gauc: float | None, auc: float = 0.7) -> dict[str, Any]:
    return {"impressions": 10, "auc": auc, "gauc": gauc, "logloss": 0.5, "calibration": 1.0}


def day(date: str, gauc: float | None = 0.6, status: str = "pushed", **values: Any) -> dict[str, Any]:
    return {
        "date": date,
        "status": status,
        "model": "id",
        "candidate": figures(gauc),
        "last_blessed": figures(0.55),
        "baseline": None,
        "stages": [{"name": "LogIngest", "seconds": 20.0, "cached": False}],
        "coverage": {},
        "alerts": [],
    } | values


def write_days(folder: Path, *records: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    for record in records:
        (folder / f"{record['date']}.json").write_text(json.dumps(record))


@pytest.fixture
def dated_inputs(inputs, tmp_path):
    """A run of the second of April; the days before and after it are done."""
    refused = {"kind": "refused", "subject": "ctr", "text": "gauc is 0.4"}
    write_days(
        tmp_path / "root" / "days",
        day("2026-04-01", 0.4, "refused", alerts=[refused], first=True),
        day("2026-04-02", 0.111),
        day("2026-04-03"),
    )
    return replace(inputs, days=str(tmp_path / "root" / "days"), date="2026-04-02")


def test_a_days_record_is_of_its_summary(compared_record, tmp_path):
    stages = [{"name": "LogIngest", "seconds": 4.5, "cached": False}]
    summary = build_summary(compared_record, stages, tmp_path / "root")
    record = build_day_record(summary, "2026-04-02")
    assert (record["date"], record["status"], record["model"]) == ("2026-04-02", "pushed", "id")
    five = {"impressions": 10, "auc": 0.75, "gauc": 0.7, "logloss": 0.5, "calibration": 1.1}
    assert record["candidate"] == five
    assert record["baseline"]["gauc"] == 0.71 and "groups" not in record["baseline"]
    assert record["last_blessed"]["calibration"] == 0.9
    assert record["stages"] == stages and record["alerts"] == summary["alerts"] != []
    assert record["coverage"] == {}


def test_a_day_that_pushed_nothing_was_refused(record, tmp_path):
    summary = build_summary(replace(record, blessed=False, pushed_model=None), [], tmp_path)
    assert build_day_record(summary, "2026-04-02")["status"] == "refused"
    assert summary["alerts"][0]["kind"] == "refused"


def test_the_summary_has_all_days_with_this_one_made_anew(dated_inputs, tmp_path):
    summary = write_report(dated_inputs, [], tmp_path / "root")
    days = summary["days"]
    assert [record["date"] for record in days] == ["2026-04-01", "2026-04-02", "2026-04-03"]
    assert [record["candidate"]["gauc"] for record in days] == [0.4, 0.7, 0.6]
    said = words((tmp_path / "root" / "report.html").read_text())
    assert "2026-04-01 refused 0.4000 0.5500 n/a 0.7000 1.0000 20.0 s refused" in said
    # Its own stages' times are not known while it still runs.
    assert "2026-04-02 pushed 0.7000 n/a n/a 0.7500 1.1000 n/a drift, rejects 2" in said


def test_coverage_is_compared_with_the_day_before(encoder_inputs, tmp_path):
    # 1,900 of 3,000 items have the embedding of a picture; 0.8 had it the day before, and all had it later.
    write_days(
        tmp_path / "root" / "days",
        day("2026-03-31", coverage={"image": 0.1, "text": 0.1}),
        day("2026-04-01", coverage={"image": 0.8, "text": 0.1}),
        day("2026-04-03", coverage={"image": 1.0, "text": 1.0}),
    )
    monitoring = to_json(MonitoringConfig(min_coverage=0))
    dated = replace(
        encoder_inputs, days=str(tmp_path / "root" / "days"), date="2026-04-02", monitoring=monitoring
    )
    found = build_summary(RunRecord.load(dated), [], tmp_path)["alerts"]
    texts = [alert["text"] for alert in found if alert["kind"] == "coverage"]
    assert texts == [
        "the share of items with an embedding fell by 16.7% from the day before; expected at most 2.0%"
    ]


def test_a_page_with_days_is_well_formed_and_escapes(dated_inputs, tmp_path):
    record = RunRecord.load(dated_inputs)
    evil = day("2026-04-01", model="<script>", alerts=[{"kind": "<b>", "subject": "<i>", "text": "<u>"}])
    record = replace(record, days=[evil])
    html = render_page(record, build_summary(record, [], tmp_path), datetime(2026, 4, 4, tzinfo=UTC))
    assert PageReader(html).open == []
    assert "<script>" not in html and "<u>" not in html
    assert "Day by day" in words(html)


def test_a_run_without_days_has_no_part_on_them(record, tmp_path):
    assert render_days([]) is None
    summary = build_summary(record, [], tmp_path)
    assert summary["days"] == []
    assert "Day by day" not in render_page(record, summary, datetime(2026, 4, 4, tzinfo=UTC))


def test_refused_days_are_rings_and_the_others_dots():
    days = [day("2026-04-01"), day("2026-04-02", 0.5, "refused"), day("2026-04-03", None)]
    reader = PageReader(metric_by_day(days, "gauc", "GAUC by day", "read"))
    (ring,) = reader.of("circle", "refused")
    (dot,) = reader.of("circle", "curve")
    # 0.5 lies below 0.6, so lower on the page, and its day later.
    assert float(ring["cy"]) > float(dot["cy"]) and float(ring["cx"]) > float(dot["cx"])
    assert reader.of("polyline", "third")[0]["points"] == ""
    assert "2026-04-02 0.5000 0.5500 n/a refused" in words(metric_by_day(days, "gauc", "GAUC by day", "read"))


def test_a_single_point_is_seen_without_a_line():
    days = [day("2026-04-01", last_blessed=None), day("2026-04-02")]
    assert len(PageReader(metric_by_day(days, "gauc", "GAUC by day", "read")).of("circle", "second")) == 1
    days = [day("2026-04-01"), day("2026-04-02")]
    assert PageReader(metric_by_day(days, "gauc", "GAUC by day", "read")).of("circle", "second") == []


def test_a_metric_that_no_day_has_is_said_so():
    nothing = day("2026-04-01", None, last_blessed=None)
    assert "No day to show" in words(metric_by_day([nothing], "gauc", "GAUC by day", "read"))
    assert "No day to show" in words(seconds_by_day([day("2026-04-01", stages=[])]))


def test_seconds_are_those_of_all_stages():
    stages = [
        {"name": name, "seconds": seconds, "cached": False} for name, seconds in (("a", 30.0), ("b", 45.0))
    ]
    assert "2026-04-01 1 min 15 s" in words(seconds_by_day([day("2026-04-01", stages=stages)]))


def test_a_long_history_keeps_the_table_short():
    days = [day(f"2026-{month:02d}-{number:02d}") for month in (1, 2, 3) for number in range(1, 29)]
    said = words(render_days(days))
    # 84 days, of which 31 are shown: the last 28 of March and three of February.
    assert "53 earlier days are in summary.json" in said
    assert said.count("pushed 0.6000") == 31


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("2026-04-01", {"date": "2026-04-01"}),
        ("2026-04-01", day("2026-04-02")),
        ("someday", day("someday")),
        ("2026-04-01", day("2026-04-01", alerts=["refused"])),
        ("2026-04-01", []),
    ],
)
def test_a_file_that_is_no_record_is_named(tmp_path, name, content):
    (tmp_path / f"{name}.json").write_text(json.dumps(content))
    with pytest.raises(InputError):
        read_day_records(str(tmp_path))
