import json
from dataclasses import replace
from pathlib import Path

from components.report.run_record import RunRecord
from components.report.summary import build_summary

STAGES = [
    {"name": "LogIngest", "seconds": 4.5, "cached": True},
    {"name": "CtrTrainer", "seconds": 9.25, "cached": False},
]


def test_whole_summary(record, tmp_path):
    # Every number stands in the fixture's artifacts; NaN and infinity have become null.
    summary = build_summary(record, STAGES, tmp_path / "root")
    assert summary == {
        "logs": {
            "catalog": 6,
            "impressions": 100,
            "searches": 12,
            "purchases": 5,
            "used": {"catalog": 6, "impressions": 95, "searches": 12, "purchases": 4},
            "rejects": {
                "catalog": {},
                "impressions": {"null user_id": 2, "unknown item_id": 3},
                "searches": {},
                "purchases": {"duplicate purchase_id": 1},
            },
            "splits": {"train": 70, "eval": 15, "test": 10},
            "query_pairs": {"train": 3, "eval": 1, "test": 0, "seen_in_train": 1},
        },
        "encoder": {},
        "embeddings": None,
        "ctr": {
            "model": "id",
            "impressions": 10,
            "auc": 0.75,
            "gauc": 0.7,
            "logloss": 0.5,
            "calibration": 1.1,
            "groups": [
                {
                    "group": 1,
                    "impressions": 4,
                    "auc": 0.6,
                    "gauc": 0.625,
                    "logloss": 0.55,
                    "calibration": 1.25,
                },
                {
                    "group": "new",
                    "impressions": 6,
                    "auc": None,
                    "gauc": None,
                    "logloss": 0.45,
                    "calibration": None,
                },
            ],
            "blessed": True,
        },
        "recall": None,
        "pushed": {"ctr": "pushed/ctr/1"},
        "stages": STAGES,
        # 5 of 100 impressions and 1 of 5 purchases were rejected, above one in a hundred.
        "alerts": [
            {
                "kind": "drift",
                "subject": "city",
                "text": "The L-infinity distance is 0.2, above the threshold 0.1.",
            },
            {
                "kind": "rejects",
                "subject": "impressions",
                "text": "5 of 100 rows were rejected, 3 of them for unknown item_id; expected at most 1.0%",
            },
            {
                "kind": "rejects",
                "subject": "purchases",
                "text": "1 of 5 rows were rejected, 1 of them for duplicate purchase_id; expected at most 1.0%",
            },
        ],
        "days": [],
    }
    json.dumps(summary, allow_nan=False)


def test_not_blessed_pushes_nothing(record, tmp_path):
    summary = build_summary(replace(record, blessed=False, pushed_model=None), [], tmp_path / "root")
    assert summary["ctr"]["blessed"] is False
    assert summary["pushed"] == {}


def test_baseline_and_last_blessed_stand_beside_the_model(compared_record, tmp_path):
    ctr = build_summary(compared_record, [], tmp_path)["ctr"]
    assert ctr["auc"] == 0.75 and ctr["groups"][0]["auc"] == 0.6
    assert ctr["baseline"] == {
        "model": "id",
        "impressions": 10,
        "auc": 0.7,
        "gauc": 0.71,
        "logloss": 0.53,
        "calibration": 1.0,
        "groups": [
            {"group": 1, "impressions": 4, "auc": 0.55, "gauc": 0.5, "logloss": 0.6, "calibration": 1.5},
            {
                "group": "new",
                "impressions": 6,
                "auc": None,
                "gauc": None,
                "logloss": 0.4,
                "calibration": None,
            },
        ],
    }
    assert ctr["last_blessed"] == {
        "impressions": 10,
        "auc": 0.8,
        "gauc": None,
        "logloss": 0.4,
        "calibration": 0.9,
    }
    json.dumps(ctr, allow_nan=False)


def test_model_pushed_outside_of_root_keeps_its_path(record, tmp_path):
    for place in ("/srv/models/1", "gs://bucket/root/pushed/1", str(tmp_path / "rooted" / "1")):
        summary = build_summary(replace(record, pushed_model=place), [], tmp_path / "root")
        assert summary["pushed"] == {"ctr": place}


def test_relative_root(record, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert build_summary(record, [], Path("root"))["pushed"] == {"ctr": "pushed/ctr/1"}
    # A URI is no path below the working folder.
    remote = replace(record, pushed_model="gs://bucket/1")
    assert build_summary(remote, [], Path("."))["pushed"] == {"ctr": "gs://bucket/1"}


def test_encoders_and_embeddings(encoder_record, tmp_path):
    summary = build_summary(encoder_record, [], tmp_path / "root")
    assert list(summary["encoder"]) == ["image", "text"]
    image = summary["encoder"]["image"]
    assert {name: image[name] for name in ("acc@1", "acc@5", "pairs", "candidates", "random_cosine")} == {
        "acc@1": 0.6125,
        "acc@5": 0.875,
        "pairs": 1600,
        "candidates": 1234,
        "random_cosine": 0.125,
    }
    assert image["method"] == "scl" and image["blessed"] is True and "baseline" not in image
    assert image["slices"]["hard"] == {"pairs": 600, "acc@1": 0.0167, "acc@5": 0.6667}
    assert summary["encoder"]["text"]["baseline"] == {"acc@1": 0.4, "acc@5": 0.5}
    assert summary["encoder"]["text"]["blessed"] is False
    embeddings = summary["embeddings"]
    assert (embeddings["items"], embeddings["image_coverage"], embeddings["text_coverage"]) == (
        3000,
        0.95,
        1.0,
    )
    assert embeddings["reused"] == {"image": 0, "text": 2488}
    # The text encoder was not pushed.
    assert summary["pushed"] == {"ctr": "pushed/ctr/1", "image_encoder": "pushed/image_encoder/3"}
    json.dumps(summary, allow_nan=False)


def test_one_modality_alone(encoder_inputs, tmp_path):
    alone = replace(encoder_inputs, image_evaluation=None, image_run=None, pushed_image_encoder=None)
    summary = build_summary(RunRecord.load(alone), [], tmp_path / "root")
    assert list(summary["encoder"]) == ["text"]
    assert summary["pushed"] == {"ctr": "pushed/ctr/1"}
