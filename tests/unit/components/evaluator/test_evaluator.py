"""The Evaluator of TFX with this project's metrics, over a small model and real files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tfx.components.evaluator.executor import Executor
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import json_utils, proto_utils

from components.evaluator.eval_config import eval_config
from components.evaluator.results import load_results
from models.metrics.auc import auc
from models.metrics.calibration import calibration
from models.metrics.gauc import gauc
from models.metrics.logloss import logloss
from transforms.input_error import InputError

# What the models predict of x in [0, 1]. Each rounds alike wherever in a batch an example stands, which a
# sigmoid does not: ties in x have to be ties in what is predicted.
PREDICT = {
    "good": lambda x: x,
    "scaled": lambda x: x / 2,  # the same order
    "coarse": lambda x: tf.floor(4 * x) / 4,  # an order with many ties: worse, and better than none
    "bad": lambda x: 1 - x,
}


class Model(tf.Module):
    """Predicts by a function of the feature x."""

    def __init__(self, predict: Callable):
        super().__init__()
        self.predict = predict

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples):
        features = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([], tf.float32)})
        return {"probabilities": self.predict(features["x"])}


class Log:
    """Random impressions: the click follows x, rounded so that predictions tie."""

    def __init__(self, size: int, clicked: int | None = None):
        rng = np.random.default_rng(7)
        self.users = np.array([f"u{i}" for i in rng.integers(0, 12, size)], dtype=object)
        self.x = np.round(rng.random(size), 2).astype(np.float32)
        random_clicks = rng.random(size) < self.x
        self.clicked = random_clicks.astype(np.int64) if clicked is None else np.full(size, clicked)
        self.groups = rng.choice([1, 4, 9], size)

    def write(self, path: Path) -> None:
        path.mkdir(parents=True)
        with tf.io.TFRecordWriter(str(path / "examples-00000-of-00001")) as writer:
            for user, x, clicked, group in zip(self.users, self.x, self.clicked, self.groups, strict=True):
                feature = {
                    "user_id": tf.train.Feature(bytes_list=tf.train.BytesList(value=[user.encode()])),
                    "x": tf.train.Feature(float_list=tf.train.FloatList(value=[x])),
                    "clicked": tf.train.Feature(int64_list=tf.train.Int64List(value=[clicked])),
                    "item_frequency_group": tf.train.Feature(int64_list=tf.train.Int64List(value=[group])),
                }
                writer.write(
                    tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
                )

    def expected(self, model: str, rows: np.ndarray | None = None) -> dict[str, float]:
        rows = np.full(self.x.shape, True) if rows is None else rows
        predictions = np.asarray(PREDICT[model](self.x))[rows]
        users, clicked = self.users[rows], self.clicked[rows]
        return {
            "auc": auc(clicked, predictions),
            "gauc": gauc(users, clicked, predictions),
            "logloss": logloss(clicked, predictions),
            "calibration": calibration(clicked, predictions),
            "impressions": len(predictions),
        }


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, standard_artifacts.Model]:
    artifacts = {}
    for number, (name, predict) in enumerate(PREDICT.items(), start=1):
        artifact = standard_artifacts.Model()
        artifact.id, artifact.uri = number, str(tmp_path_factory.mktemp(name))
        module = Model(predict)
        signatures = {"serving_default": module.serve}
        tf.saved_model.save(module, f"{artifact.uri}/Format-Serving", signatures=signatures)
        artifacts[name] = artifact
    return artifacts


def evaluate(folder: Path, log: Log, model, baseline=None, config=None) -> tuple[dict, bool]:
    """Runs TFX's Evaluator; returns the results and the verdict."""
    examples = standard_artifacts.Examples()
    examples.uri, examples.split_names = str(folder / "examples"), artifact_utils.encode_split_names(["test"])
    log.write(folder / "examples" / "Split-test")
    evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
    evaluation.uri, blessing.uri = str(folder / "evaluation"), str(folder / "blessing")
    context = base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=["--runner=DirectRunner", "--direct_running_mode=in_memory"],
        tmp_dir=str(folder / "tmp"),
    )
    Executor(context).Do(
        {"examples": [examples], "model": [model], **({"baseline_model": [baseline]} if baseline else {})},
        {"evaluation": [evaluation], "blessing": [blessing]},
        {
            "eval_config": proto_utils.proto_to_json(config or eval_config()),
            "example_splits": json_utils.dumps(["test"]),
        },
    )
    blessed = (folder / "blessing" / "BLESSED").exists()
    assert blessed != (folder / "blessing" / "NOT_BLESSED").exists()
    assert blessing.get_int_custom_property("blessed") == int(blessed)
    return load_results(evaluation.uri), blessed


def check(results: dict, expected: dict[str, float]) -> None:
    assert {name: results[name] for name in expected} == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_metrics_are_exact_overall_and_by_group(tmp_path, models) -> None:
    log = Log(300)
    results, blessed = evaluate(tmp_path, log, models["good"])
    assert blessed and results["validation"] == {"ok": True, "reasons": []}
    assert results["baseline"] is None
    check(results, log.expected("good"))
    assert [group["group"] for group in results["groups"]] == [1, 4, "new"]
    for group, number in zip(results["groups"], (1, 4, 9), strict=True):
        check(group, log.expected("good", log.groups == number))
    points = results["calibration_plot"]
    assert sum(point["impressions"] for point in points) == 300
    assert sum(point["observed"] * point["impressions"] for point in points) == pytest.approx(
        log.clicked.sum()
    )
    predicted = [point["predicted"] for point in points]
    assert predicted == sorted(predicted) and 10 <= len(predicted) <= 20
    total = sum(point["predicted"] * point["impressions"] for point in points)
    assert total / log.clicked.sum() == pytest.approx(results["calibration"], rel=1e-6)


def test_a_model_worse_than_the_baseline_is_not_blessed(tmp_path, models) -> None:
    log = Log(200)
    results, blessed = evaluate(tmp_path, log, models["coarse"], baseline=models["good"])
    check(results, log.expected("coarse"))
    check(results["baseline"], log.expected("good"))
    drop = log.expected("good")["gauc"] - log.expected("coarse")["gauc"]
    assert not blessed and results["gauc"] > 0.5
    reasons = [f"gauc is {drop:.6g} below the baseline's; at most 0.0005 is allowed"]
    assert results["validation"] == {"ok": False, "reasons": reasons}


def test_a_model_worse_than_chance_is_not_blessed(tmp_path, models) -> None:
    log = Log(200)
    results, blessed = evaluate(tmp_path, log, models["bad"])
    value = log.expected("bad")["gauc"]
    assert not blessed
    assert results["validation"] == {"ok": False, "reasons": [f"gauc is {value:.6g}; at least 0.5 is asked"]}


def test_a_better_model_is_blessed(tmp_path, models) -> None:
    results, blessed = evaluate(tmp_path, Log(200), models["good"], baseline=models["coarse"])
    assert blessed and results["validation"] == {"ok": True, "reasons": []}


def test_an_equally_good_model_is_blessed_and_the_gate_looks_at_order_alone(tmp_path, models) -> None:
    results, blessed = evaluate(
        tmp_path,
        Log(200),
        models["scaled"],
        baseline=models["good"],
        config=eval_config(gate="auc", max_drop=0.0),
    )
    assert blessed
    assert results["auc"] == results["baseline"]["auc"]
    assert results["logloss"] != results["baseline"]["logloss"]


def test_one_class_ends_in_reasons_and_no_traceback(tmp_path, models) -> None:
    results, blessed = evaluate(tmp_path, Log(30, clicked=0), models["good"], baseline=models["bad"])
    assert not blessed
    assert (results["auc"], results["gauc"], results["calibration"]) == (None, None, None)
    assert results["logloss"] > 0
    assert results["validation"]["reasons"] == [
        "gauc is undefined: no user of the evaluated impressions has both clicked and not clicked ones;"
        + " at least 0.5 is asked",
        "gauc cannot be compared with the baseline's: one of the two is undefined",
    ]


def test_no_impressions_are_an_input_error(tmp_path, models) -> None:
    with pytest.raises(InputError, match="at least one impression"):
        evaluate(tmp_path, Log(0), models["good"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gate": "accuracy"}, "expected one of gauc, auc, got 'accuracy'"),
        ({"min_value": 1.5}, "evaluator min_value: expected a number from 0 to 1, got 1.5"),
        ({"max_drop": -0.1}, "evaluator max_drop: expected a number from 0 to 1, got -0.1"),
    ],
)
def test_wrong_settings_are_named(arguments, message) -> None:
    with pytest.raises(InputError, match=message):
        eval_config(**arguments)
