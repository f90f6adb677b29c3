import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.report import run_record
from components.report.inputs import ReportInputs
from components.report.run_record import RunRecord
from transforms.input_error import InputError


def test_item_impressions_are_sorted_from_all_files(tmp_path):
    pq.write_table(pa.table({"item_id": ["a", "b"], "impressions": [2, 9]}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"item_id": ["c"], "impressions": [5]}), tmp_path / "1.parquet")
    assert run_record.read_item_impressions(str(tmp_path)).tolist() == [9, 5, 2]


def test_no_items(tmp_path):
    assert run_record.read_item_impressions(str(tmp_path)).tolist() == []


def write_rejects(path, columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    length = len(columns["reason"])
    pq.write_table(pa.table({**columns, "file": ["f.parquet"] * length, "row": list(range(length))}), path)


def test_three_examples_a_reason_from_all_files(tmp_path):
    write_rejects(
        tmp_path / "searches" / "0.parquet",
        {"search_id": list("abcde"), "reason": ["null_key", "null_key", "no_query", "null_key", "null_key"]},
    )
    write_rejects(tmp_path / "searches" / "1.parquet", {"search_id": ["f"], "reason": ["no_query"]})
    write_rejects(tmp_path / "catalog" / "0.parquet", {"item_id": ["i"], "reason": ["duplicate_id"]})
    counts = {"searches": {"null_key": 4, "no_query": 2}, "purchases": {}, "catalog": {"duplicate_id": 1}}
    examples = run_record.read_reject_examples(str(tmp_path), counts)
    assert [(row["log"], row["reason"], row["row_json"]) for row in examples] == [
        ("catalog", "duplicate_id", '{"item_id": "i"}'),
        ("searches", "no_query", '{"search_id": "c"}'),
        ("searches", "no_query", '{"search_id": "f"}'),
        ("searches", "null_key", '{"search_id": "a"}'),
        ("searches", "null_key", '{"search_id": "b"}'),
        ("searches", "null_key", '{"search_id": "d"}'),
    ]
    assert (examples[5]["file"], examples[5]["row"]) == ("f.parquet", 3)


def test_examples_leave_pictures_out_and_are_cut(tmp_path):
    columns = {
        "image": [b"x" * 9000],
        "created_at": pa.array([0], pa.timestamp("us", tz="UTC")),
        "title": ["long " * 1000],
        "reason": ["unreadable_image"],
    }
    write_rejects(tmp_path / "catalog" / "0.parquet", columns)
    (example,) = run_record.read_reject_examples(str(tmp_path), {"catalog": {"unreadable_image": 1}})
    assert example["row_json"].startswith('{"created_at": "1970-01-01 00:00:00+00:00", "title": "long long')
    assert example["row_json"].endswith("…")
    assert len(example["row_json"]) < 1000


def test_reading_stops_once_every_reason_has_its_examples(tmp_path):
    write_rejects(tmp_path / "searches" / "0.parquet", {"search_id": list("abc"), "reason": ["null_key"] * 3})
    (tmp_path / "searches" / "1.parquet").write_bytes(b"no Parquet: reading it would fail")
    assert len(run_record.read_reject_examples(str(tmp_path), {"searches": {"null_key": 9}})) == 3


def test_anomalies_of_tfdv_alone(tmp_path):
    anomalies = anomalies_pb2.Anomalies()
    anomalies.anomaly_info["city"].short_description = "Unexpected string values"
    anomalies.anomaly_info["city"].description = "Values missing from the schema: Ulm."
    for split, message in (("eval", anomalies), ("train", anomalies_pb2.Anomalies())):
        folder = tmp_path / f"Split-{split}"
        folder.mkdir()
        (folder / "SchemaDiff.pb").write_bytes(message.SerializeToString())
    assert run_record.read_anomalies(str(tmp_path)) == [
        {
            "split": "eval",
            "kind": "schema",
            "feature": "city",
            "short": "Unexpected string values",
            "description": "Values missing from the schema: Ulm.",
        }
    ]


def test_anomaly_of_the_whole_split(tmp_path):
    anomalies = anomalies_pb2.Anomalies()
    anomalies.dataset_anomaly_info.short_description = "Low num examples in dataset."
    (tmp_path / "Split-test").mkdir()
    (tmp_path / "Split-test" / "SchemaDiff.pb").write_bytes(anomalies.SerializeToString())
    found = run_record.read_anomalies(str(tmp_path))
    assert [(row["split"], row["feature"], row["short"]) for row in found] == [
        ("test", "", "Low num examples in dataset.")
    ]


def test_a_missing_verdict_or_anomalies_is_an_error(tmp_path):
    with pytest.raises(InputError, match="BLESSED or NOT_BLESSED"):
        run_record.read_blessed(str(tmp_path))
    with pytest.raises(InputError, match=r"anomalies\.json"):
        run_record.read_anomalies(str(tmp_path))


def test_verdict(tmp_path):
    (tmp_path / "NOT_BLESSED").touch()
    assert run_record.read_blessed(str(tmp_path)) is False


def test_load(inputs, results):
    record = RunRecord.load(inputs)
    assert record.blessed
    assert record.item_impressions.tolist() == [60, 5, 5]
    assert record.results == results
    assert record.counts["splits"] == {"train": 70, "eval": 15, "test": 10}
    # Six rejected rows, none of the three reasons with more than three.
    assert len(record.reject_examples) == 6
    assert record.anomalies[0]["feature"] == "city"


def test_load_without_history_names_the_file(inputs):
    Path(inputs.model_run, "history.json").unlink()
    with pytest.raises(InputError, match=r"history\.json"):
        RunRecord.load(inputs)


def test_inputs_survive_json(inputs):
    assert ReportInputs.from_json(inputs.to_json()) == inputs
    unpushed = replace(inputs, pushed_model=None)
    assert ReportInputs.from_json(unpushed.to_json()) == unpushed


def test_inputs_of_a_run_with_encoders_survive_json(encoder_inputs):
    assert ReportInputs.from_json(encoder_inputs.to_json()) == encoder_inputs


def test_inputs_of_a_run_from_before_there_were_encoders(inputs):
    inputs = replace(inputs, monitoring=None)
    values = json.loads(inputs.to_json())
    older = {name: value for name, value in values.items() if value is not None}
    assert sorted(older) == sorted(
        ["rejects", "item_stats", "anomalies", "model_run", "evaluation", "blessing", "pushed_model"]
    )
    assert ReportInputs.from_json(json.dumps(older)) == inputs
    with pytest.raises(InputError, match="report inputs"):
        ReportInputs.from_json(json.dumps(older | {"unknown": "x"}))


def test_load_encoders(encoder_record, encoder_inputs):
    assert list(encoder_record.encoders) == ["image", "text"]
    image = encoder_record.encoders["image"]
    assert image.metrics["acc@1"] == 0.6125
    assert image.history["steps"] == 20
    assert image.pushed == encoder_inputs.pushed_image_encoder
    assert [example["rank"] for example in image.examples] == [1, 3, 1234]
    assert encoder_record.encoders["text"].pushed is None
    assert encoder_record.embeddings["items"] == 3000
    Path(encoder_inputs.image_evaluation, "examples.parquet").unlink()
    with pytest.raises(InputError, match=r"examples\.parquet"):
        RunRecord.load(encoder_inputs)


def test_load_without_encoders(record):
    assert record.encoders == {} and record.embeddings is None


def test_load_of_a_run_beside_an_id_model(compared_record):
    assert compared_record.baseline_history["seconds"] == 2.0
    assert [epoch["auc"] for epoch in compared_record.make_history["epochs"]] == [0.5, 0.6]


def test_load_of_a_model_alone(record):
    assert record.baseline_history is None and record.make_history is None


def test_inputs_of_another_shape_are_refused():
    with pytest.raises(InputError, match="item_stats"):
        ReportInputs.from_json('{"rejects": "x"}')
