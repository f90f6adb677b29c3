"""The ExampleValidator over real statistics of small random splits."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx import types
from tfx.types import artifact_utils, standard_artifacts

from components.example_validator.comparison import skew
from components.example_validator.component import ExampleValidator
from components.example_validator.executor import Executor
from transforms.input_error import InputError

STEADY = {"a": 0.5, "b": 0.3, "c": 0.2}


def split(seed: int, city: dict[str, float] = STEADY, price: float = 0.0, age: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "city": rng.choice(list(city), 2000, p=list(city.values())),
            "price": rng.normal(price, 1, 2000),
            "age": rng.integers(0, age, 2000),
            "user_id": [f"{seed}-{row}" for row in range(2000)],
        }
    )


def write_statistics(folder: Path, split_name: str, frame: pd.DataFrame) -> None:
    place = folder / f"Split-{split_name}"
    place.mkdir(parents=True)
    proto = tfdv.generate_statistics_from_dataframe(frame)
    (place / "FeatureStats.pb").write_bytes(proto.SerializeToString())


@pytest.fixture
def validate(tmp_path):
    """Runs the executor over splits; returns the output artifact and its anomalies.json."""

    def run(train, evaluation, test, change_schema=lambda schema: None, day_before=None, **thresholds):
        statistics, schema_artifact = standard_artifacts.ExampleStatistics(), standard_artifacts.Schema()
        statistics.uri, schema_artifact.uri = str(tmp_path / "statistics"), str(tmp_path / "schema")
        statistics.split_names = artifact_utils.encode_split_names(["train", "eval", "test"])
        statistics.span = 19_728
        for name, frame in (("train", train), ("eval", evaluation), ("test", test)):
            write_statistics(tmp_path / "statistics", name, frame)
        schema = tfdv.infer_schema(
            tfdv.load_stats_binary(str(tmp_path / "statistics/Split-train/FeatureStats.pb"))
        )
        change_schema(schema)
        Path(schema_artifact.uri).mkdir()
        tfdv.write_schema_text(schema, str(tmp_path / "schema" / "schema.pbtxt"))
        output = standard_artifacts.ExampleAnomalies()
        output.uri = str(tmp_path / "anomalies")
        channels = {"statistics": statistics, "schema": schema_artifact}
        if day_before is not None:
            channels["previous_statistics"] = standard_artifacts.ExampleStatistics()
            channels["previous_statistics"].uri = str(tmp_path / "previous")
            channels["previous_statistics"].split_names = artifact_utils.encode_split_names(["train"])
            channels["previous_statistics"].span = 19_727
            write_statistics(tmp_path / "previous", "train", day_before)
        parameters = ExampleValidator(
            **{name: types.Channel(type(artifact)) for name, artifact in channels.items()}, **thresholds
        ).exec_properties
        inputs = {name: [artifact] for name, artifact in channels.items()}
        Executor().Do(inputs, {"anomalies": [output]}, parameters)
        return output, json.loads((tmp_path / "anomalies" / "anomalies.json").read_text())

    return run


def found(records: list[dict[str, str]]) -> set[tuple[str, str, str]]:
    return {(record["kind"], record["split"], record["feature"]) for record in records}


def test_days_alike_have_no_anomalies(validate) -> None:
    output, records = validate(split(1), split(2), split(3), ignore_features=["user_id"])
    assert records == []
    assert output.get_json_value_custom_property("blessed") == {"train": 1, "eval": 1, "test": 1}
    assert artifact_utils.decode_split_names(output.split_names) == ["train", "eval", "test"]


def test_what_shifts_is_found_where_it_shifts_and_nothing_else(validate) -> None:
    # b's share goes from 0.3 to 0.6 and back: eval differs from train, and test from eval, but not from
    # train. The mean of price moves by three deviations in test.
    shifted = {"a": 0.2, "b": 0.6, "c": 0.2}
    _, records = validate(split(1), split(2, city=shifted), split(3, price=3), ignore_features=["user_id"])
    assert found(records) == {
        ("skew", "eval", "city"),
        ("drift", "eval", "city"),
        ("drift", "test", "city"),
        ("skew", "test", "price"),
        ("drift", "test", "price"),
    }
    city = next(record for record in records if (record["kind"], record["split"]) == ("skew", "eval"))
    assert city["description"].startswith("train (training) against eval (serving): ")
    assert "0.3" in city["description"] or "0.29" in city["description"]


def test_a_day_drifts_from_the_day_before_and_its_splits_are_not_compared_for_drift(validate) -> None:
    # Of a: 0.5 the day before, 0.2 today and 0.2 tomorrow. So today is not what yesterday was, tomorrow is what
    # today is; the price of tomorrow alone moves, which skew finds and no drift, for tomorrow has its own run.
    shifted = {"a": 0.2, "b": 0.6, "c": 0.2}
    today, tomorrow = split(1, city=shifted), split(3, city=shifted, price=3)
    _, records = validate(
        today, split(2, city=shifted), tomorrow, day_before=split(4), ignore_features=["user_id"]
    )
    assert found(records) == {("drift", "train", "city"), ("skew", "test", "price")}
    drift = next(record for record in records if record["kind"] == "drift")
    # 19,728 days after 1970-01-01: 54 years of 365 days, 13 leap days (1972 to 2020), and 5 days: 2024-01-06.
    assert drift["description"].startswith("2024-01-06 (current) against 2024-01-05 (previous), train: ")


def test_a_day_like_the_day_before_has_no_anomalies(validate) -> None:
    _, records = validate(split(1), split(2), split(3), day_before=split(4), ignore_features=["user_id"])
    assert records == []


def test_thresholds_decide_each_for_its_own_comparison(validate) -> None:
    shifted = {"a": 0.2, "b": 0.6, "c": 0.2}  # at a distance of 0.3
    _, records = validate(
        split(1),
        split(2, city=shifted),
        split(3),
        skew_threshold=0.5,
        drift_threshold=0.1,
        ignore_features=["user_id"],
    )
    assert found(records) == {("drift", "eval", "city"), ("drift", "test", "city")}


def test_a_new_value_is_against_the_schema_and_the_files_are_those_of_tfx(validate) -> None:
    output, records = validate(split(1), split(2, city={**STEADY, "c": 0.19, "z": 0.01}), split(3))
    assert ("schema", "eval", "city") in found(records)
    assert output.get_json_value_custom_property("blessed") == {"train": 1, "eval": 0, "test": 1}
    for name, features in (("train", []), ("eval", ["city"]), ("test", [])):
        path = Path(output.uri) / f"Split-{name}" / "SchemaDiff.pb"
        assert list(anomalies_pb2.Anomalies.FromString(path.read_bytes()).anomaly_info) == features
    distances = anomalies_pb2.Anomalies.FromString(
        (Path(output.uri) / "Skew-eval/SchemaDiff.pb").read_bytes()
    )
    assert {info.path.step[0] for info in distances.drift_skew_info} == {"city", "price", "age", "user_id"}


def test_a_features_own_threshold_in_the_schema_wins(validate) -> None:
    def loosen(schema: schema_pb2.Schema) -> None:
        city = next(feature for feature in schema.feature if feature.name == "city")
        city.skew_comparator.infinity_norm.threshold = 0.9
        city.drift_comparator.infinity_norm.threshold = 0.9

    shifted = {"a": 0.2, "b": 0.6, "c": 0.2}
    _, records = validate(split(1), split(2, city=shifted), split(3), loosen, ignore_features=["user_id"])
    assert records == []


def test_comparison_leaves_the_schema_as_it_was() -> None:
    statistics = tfdv.generate_statistics_from_dataframe(split(1))
    schema = tfdv.infer_schema(statistics)
    before = schema.SerializeToString(deterministic=True)
    skew(schema, statistics, tfdv.generate_statistics_from_dataframe(split(2, price=3)), 0.1)
    assert schema.SerializeToString(deterministic=True) == before


def test_categories_kept_as_numbers_are_compared_by_value() -> None:
    # Of the ages 0 to 4 each has a fifth; of the same ages doubled, 0, 2 and 4 keep theirs while 1 and 3 lose
    # it to 6 and 8: the distance is 0.2.
    frames = [split(1), split(1)]
    frames[1]["age"] *= 2
    schema = tfdv.infer_schema(tfdv.generate_statistics_from_dataframe(frames[0]))
    next(feature for feature in schema.feature if feature.name == "age").int_domain.is_categorical = True
    options = tfdv.StatsOptions(schema=schema)
    statistics = [tfdv.generate_statistics_from_dataframe(frame, options) for frame in frames]
    for threshold, expected in ((0.15, ["age"]), (0.25, [])):
        assert (
            list(skew(schema, *statistics, threshold, ["price", "city", "user_id"]).anomaly_info) == expected
        )


def test_a_threshold_out_of_range_is_named() -> None:
    channels = types.Channel(standard_artifacts.ExampleStatistics), types.Channel(standard_artifacts.Schema)
    with pytest.raises(InputError, match="drift_threshold: expected a number from 0 to 1, got 2"):
        ExampleValidator(*channels, drift_threshold=2)
