from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from page_reader import PageReader, words

from components.report.page import render_page
from components.report.summary import build_summary

WHEN = datetime(2026, 4, 1, 8, 30, tzinfo=UTC)
STAGES = [{"name": "LogIngest", "seconds": 4.5, "cached": False}]
EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(1)> ' & {{7*7}}"


def page_of(record, stages=STAGES):
    return render_page(record, build_summary(record, stages, Path("/root")), WHEN)


def test_page_is_well_formed_and_needs_nothing_from_outside(record):
    html = page_of(record)
    reader = PageReader(html)
    assert reader.open == []
    assert not {name for name, _ in reader.elements} & {"script", "img", "link", "iframe", "object", "base"}
    for _, attributes in reader.elements:
        assert not {"src", "href", "style"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert "Encoders" not in html
    assert "url(" not in html and "@import" not in html and "http:" not in html and "https:" not in html


def test_figures_of_the_run_are_on_the_page(record):
    said = words(page_of(record))
    assert "Blessed and pushed" in said
    # 5 of 100 impressions and 1 of 5 purchases were rejected.
    assert "impressions 100 95 5 5.00%" in said
    assert "purchases 5 4 1 20.0%" in said
    assert "impressions unknown item_id 3 3.00%" in said
    assert "all 10 0.7500 0.7000 0.5000 1.1000" in said
    assert "new 6 n/a n/a 0.4500 n/a" in said
    assert "train before 25 Mar 2026, 00:00 70 20.0% 3" in said
    assert "High distance. The L-infinity distance is 0.2" in said
    assert "purchases/0.parquet, row 4" in said
    # 70 examples in 3.5 seconds.
    assert "20 a second" in said
    assert "01 April 2026, 08:30 UTC" in said


def test_every_string_from_data_is_escaped(record):
    counts = {
        **record.counts,
        "read": {**record.counts["read"], EVIL: 1},
        "used": {**record.counts["used"], EVIL: 0},
        "rejects": {EVIL: {EVIL: 1}},
    }
    evil = replace(
        record,
        counts=counts,
        reject_examples=[dict.fromkeys(("log", "reason", "file", "row", "row_json"), EVIL)],
        anomalies=[dict.fromkeys(("split", "kind", "feature", "short", "description"), EVIL)],
        history={**record.history, "model": EVIL},
        results={**record.results, "validation": {"ok": False, "reasons": [EVIL]}},
        pushed_model=f"/root/{EVIL}",
    )
    for blessed in (True, False):
        html = page_of(replace(evil, blessed=blessed), [{"name": EVIL, "seconds": 1.0, "cached": False}])
        reader = PageReader(html)
        assert reader.open == []
        assert not {name for name, _ in reader.elements} & {"script", "img"}
        assert not [key for _, attributes in reader.elements for key in attributes if key.startswith("on")]
        assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 10


def test_rejected_model_says_why(record):
    results = {**record.results, "validation": {"ok": False, "reasons": ["gauc 0.70 is below 0.72"]}}
    said = words(page_of(replace(record, blessed=False, pushed_model=None, results=results)))
    assert "Not blessed, so not pushed" in said
    assert "gauc 0.70 is below 0.72" in said


def test_model_stands_beside_ids_alone_and_the_last_blessed_one(compared_record):
    html = page_of(compared_record)
    assert PageReader(html).open == []
    said = words(html)
    assert "this one, “id” 0.7500 0.7000 0.5000 1.1000" in said
    assert "IDs alone, trained in this run 0.7000 0.7100 0.5300 1.0000" in said
    assert "the last blessed model 0.8000 n/a 0.4000 0.9000" in said
    # AUC of both and the difference, the same of LogLoss, then the model's own GAUC and calibration.
    assert "all 10 0.7500 0.7000 +0.0500 0.5000 0.5300 -0.0300 0.7000 1.1000" in said
    assert "1 4 0.6000 0.5500 +0.0500 0.5500 0.6000 -0.0500 0.6250 1.2500" in said
    assert "new 6 n/a n/a n/a 0.4500 0.4000 +0.0500 n/a n/a" in said
    assert "IDs alone 0.7100 (-0.0100)" in said


def test_trainings_stand_side_by_side(compared_record):
    said = words(page_of(compared_record))
    # 70 examples in 3.5 and in 2 seconds, 140 in 7.
    assert "“id” took 3.5 s for 70 examples, 20 a second;" in said
    assert "the model of IDs alone took 2.0 s for 70 examples, 35 a second;" in said
    assert "MAKE before it, in 2 epochs, took 7.0 s for 140 examples, 20 a second." in said
    assert "Training of IDs alone" in said and "MAKE: AUC" in said


def test_training_of_one_model(record):
    said = words(page_of(record))
    assert "“id” took 3.5 s" in said
    assert "IDs alone" not in said and "MAKE" not in said


def test_last_blessed_model_without_an_id_model(record):
    last = {"impressions": 10, "auc": 0.8, "gauc": None, "logloss": 0.4, "calibration": 0.9}
    said = words(page_of(replace(record, results={**record.results, "last_blessed": last})))
    assert "the last blessed model 0.8000 n/a 0.4000 0.9000" in said
    assert "all 10 0.7500 0.7000 0.5000 1.1000" in said
    assert "IDs alone" not in said


def test_blessed_model_that_was_not_pushed(record):
    assert "Blessed, but not pushed" in words(page_of(replace(record, pushed_model=None)))


def test_clean_run_says_that_nothing_was_rejected(record):
    counts = {**record.counts, "rejects": {log: {} for log in record.counts["read"]}}
    said = words(page_of(replace(record, counts=counts, reject_examples=[], anomalies=[])))
    assert "every row could be used" in said
    assert "all splits fit the schema" in said


def test_no_times_while_the_run_goes_on(record):
    assert "Time by stage" not in words(page_of(record, []))


@pytest.mark.parametrize("impressions", [[], [1]])
def test_hardly_any_data(record, impressions):
    empty = replace(
        record,
        item_impressions=np.array(impressions, np.int64),
        history={**record.history, "curve": [], "seconds": 0.0},
        results={**record.results, "groups": [], "calibration_plot": []},
    )
    assert PageReader(page_of(empty)).open == []
