"""What of a run is worth an alert, at and beyond each threshold."""

import copy
from typing import Any

import pytest

from components.monitoring.alert import KINDS, Alert
from components.monitoring.config import MonitoringConfig
from components.monitoring.find_alerts import coverage, find_alerts
from transforms.input_error import InputError

# At every threshold of the defaults, beyond none: 100 of 10,000 rows, 95 of 100 pictures, and so on.
SUMMARY: dict[str, Any] = {
    "logs": {
        "impressions": 10_000,
        "purchases": 0,
        "rejects": {"impressions": {"null_key": 60, "bad": 40}, "purchases": {}},
    },
    "encoder": {"image": {"blessed": True}, "text": {"blessed": True}},
    "embeddings": {
        "items": 200,
        "with_image": 100,
        "with_title": 200,
        "image_embeddings": 95,
        "text_embeddings": 200,
    },
    "ctr": {"blessed": True, "calibration": 1.25},
    "recall": None,
}
FINDING = {"split": "test", "feature": "city", "short": "High distance", "description": "It is 0.2."}


def alerts(
    change: dict[str, dict[str, Any]] | None = None,
    config: MonitoringConfig | None = None,
    before: dict[str, float] | None = None,
    anomalies: list[dict[str, str]] | None = None,
    **reasons: list[str],
) -> list[tuple[str, str]]:
    summary = copy.deepcopy(SUMMARY)
    for part, values in (change or {}).items():
        summary[part] = values if summary[part] is None else summary[part] | values
    found = find_alerts(summary, reasons, anomalies or [], config or MonitoringConfig(), before)
    return [(f"{alert.kind} {alert.subject}", alert.text) for alert in found]


def test_at_the_thresholds_there_is_nothing_to_say() -> None:
    # The share of all items: 95 of 200 now, and 0.494 - 0.475 = 0.019 less than the day before.
    assert alerts(before={"image": 0.494, "text": 1.0}) == []
    assert len(alerts(before={"image": 0.496, "text": 1.0})) == 1


def test_refused_models_are_named_with_their_reasons_and_come_first() -> None:
    change = {
        "ctr": {"blessed": False, "calibration": 2.0},
        "encoder": {"image": {"blessed": False}, "text": {"blessed": True}},
        "recall": {"blessed": False},
    }
    found = alerts(change, ctr=["gauc is 0.4", "and worse"], image_encoder=["collapsed"], recall=[])
    assert found[:3] == [
        ("refused ctr", "gauc is 0.4; and worse"),
        ("refused image_encoder", "collapsed"),
        ("refused recall", "the reasons are in the report"),
    ]
    assert [name for name, _ in found[3:]] == ["calibration ctr"]


@pytest.mark.parametrize(("value", "expected"), [(0.8, 0), (0.799, 1), (1.251, 1), (None, 0)])
def test_calibration_has_two_bounds(value: float | None, expected: int) -> None:
    found = alerts({"ctr": {"blessed": True, "calibration": value}})
    assert len(found) == expected
    assert not expected or found == [
        ("calibration ctr", f"predicted over observed clicks is {value:.3f}; expected 0.8 to 1.25")
    ]


def test_anomalies_are_alerts_by_their_kinds() -> None:
    anomalies = [
        FINDING | {"kind": "drift", "description": ""},
        FINDING | {"kind": "schema", "feature": ""},
        FINDING | {"kind": "skew"},
    ]
    assert alerts(anomalies=anomalies) == [
        ("schema all features", "test: It is 0.2."),
        ("skew city", "It is 0.2."),
        ("drift city", "High distance"),
    ]


def test_coverage_of_pictures_has_a_least_value() -> None:
    embeddings = {"image_embeddings": 94}
    assert alerts({"embeddings": embeddings}) == [
        ("coverage image", "94 of 100 items with a picture have an embedding; expected at least 95.0%")
    ]
    assert alerts({"embeddings": embeddings}, MonitoringConfig(min_coverage=0.94)) == []


def test_coverage_may_fall_only_so_far_from_the_day_before() -> None:
    # Half as many items have a picture at all: of these all have an embedding, but of all items 0.25 less.
    fewer = {"with_image": 45, "image_embeddings": 45}
    (found,) = alerts({"embeddings": fewer}, before={"image": 0.475, "text": 1.0})
    assert found == (
        "coverage image",
        "the share of items with an embedding fell by 25.0% from the day before; expected at most 2.0%",
    )
    assert alerts({"embeddings": fewer}) == []


def test_a_run_without_an_encoder_has_no_coverage_to_lose() -> None:
    assert alerts({"embeddings": {"image_embeddings": 0}}, before={"image": 0.0, "text": 1.0}) == []
    names = [
        name
        for name, _ in alerts({"embeddings": {"image_embeddings": 0}}, before={"image": 0.5, "text": 1.0})
    ]
    assert names == ["coverage image", "coverage image"]


def test_rejects_name_the_most_frequent_reason() -> None:
    logs = {"rejects": {"impressions": {"null_key": 60, "bad": 41}, "purchases": {}}}
    assert alerts({"logs": logs}) == [
        (
            "rejects impressions",
            "101 of 10,000 rows were rejected, 60 of them for null_key; expected at most 1.0%",
        )
    ]


def test_coverage_is_of_all_items() -> None:
    assert coverage(SUMMARY["embeddings"]) == {"image": 0.475, "text": 1.0}
    assert coverage(None) == {}
    assert coverage(SUMMARY["embeddings"] | {"items": 0}) == {}


def test_an_alert_reads_what_it_wrote() -> None:
    alert = Alert(KINDS[0], "ctr", "why")
    assert Alert.from_dict(alert.to_dict()) == alert
    assert str(alert) == "refused ctr: why"
    for other in ({"kind": "refused"}, ["refused"], {"kind": "odd", "subject": "a", "text": "b"}):
        with pytest.raises(InputError, match="alert"):
            Alert.from_dict(other)


@pytest.mark.parametrize(
    "values",
    [
        {"min_coverage": 1.1},
        {"max_coverage_drop": -0.1},
        {"max_reject_fraction": 2},
        {"min_calibration": -1},
        {"min_calibration": 1.3},
    ],
)
def test_thresholds_that_cannot_be_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(InputError, match="monitoring"):
        MonitoringConfig(**values)
