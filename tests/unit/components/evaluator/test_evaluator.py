"""The Evaluator over small models and real files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import json_utils

from components.evaluator import executor
from components.evaluator.component import Evaluator
from components.evaluator.config import EvaluatorConfig
from components.evaluator.eval_config import eval_config
from components.evaluator.results import load_results
from models.metrics.auc import auc
from models.metrics.calibration import calibration
from models.metrics.gauc import gauc
from models.metrics.logloss import logloss
from transforms.configuration import to_json
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


def evaluate(folder: Path, log: Log, model, baseline=None, last_blessed=None, **config) -> tuple[dict, bool]:
    """Runs the Evaluator; returns the results and the verdict. An optional model that is None has no artifact."""
    examples = standard_artifacts.Examples()
    examples.uri, examples.split_names = str(folder / "examples"), artifact_utils.encode_split_names(["test"])
    log.write(folder / "examples" / "Split-test")
    evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
    evaluation.uri, blessing.uri = str(folder / "evaluation"), str(folder / "blessing")
    context = base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=["--runner=DirectRunner", "--direct_running_mode=in_memory"],
        tmp_dir=str(folder / "tmp"),
    )
    executor.Executor(context).Do(
        {
            "examples": [examples],
            "model": [model],
            "baseline": [baseline] if baseline else [],
            **({"last_blessed": [last_blessed]} if last_blessed else {}),
        },
        {"evaluation": [evaluation], "blessing": [blessing]},
        {"config": to_json(EvaluatorConfig(**config)), "splits": json_utils.dumps(["test"])},
    )
    blessed = (folder / "blessing" / "BLESSED").exists()
    assert blessed != (folder / "blessing" / "NOT_BLESSED").exists()
    # The names that TFX's Evaluator uses, for the Pusher and for the next run's choice of the last blessed model.
    assert blessing.get_int_custom_property("blessed") == int(blessed)
    assert blessing.get_int_custom_property("current_model_id") == model.id
    assert blessing.get_string_custom_property("current_model") == model.uri
    assert blessing.get_int_custom_property("baseline_model_id") == (last_blessed.id if last_blessed else 0)
    return load_results(evaluation.uri), blessed


def check(results: dict, expected: dict[str, float]) -> None:
    assert {name: results[name] for name in expected} == pytest.approx(expected, rel=1e-9, abs=1e-9)


def check_groups(results: dict, log: Log, model: str) -> None:
    assert [group["group"] for group in results["groups"]] == [1, 4, "new"]
    for group, number in zip(results["groups"], (1, 4, 9), strict=True):
        check(group, log.expected(model, log.groups == number))


def test_metrics_are_exact_overall_and_by_group(tmp_path, models) -> None:
    log = Log(300)
    results, blessed = evaluate(tmp_path, log, models["good"])
    assert blessed and results["validation"] == {"ok": True, "reasons": []}
    assert results["baseline"] is None and results["last_blessed"] is None
    check(results, log.expected("good"))
    check_groups(results, log, "good")
    points = results["calibration_plot"]
    # 300 impressions in twenty points; the first has the 15 lowest predictions.
    assert [point["impressions"] for point in points] == [15] * 20
    lowest = np.sort(log.x)[:15]
    assert points[0]["predicted"] == pytest.approx(lowest.mean(), rel=1e-6)
    assert sum(point["observed"] * 15 for point in points) == pytest.approx(log.clicked.sum())
    predicted = [point["predicted"] for point in points]
    assert predicted == sorted(predicted)


def test_three_models_in_one_pass_over_several_batches(tmp_path, models, monkeypatch) -> None:
    monkeypatch.setattr(executor, "BATCH_SIZE", 64)  # five batches, each with impressions of all groups
    log = Log(300)
    results, blessed = evaluate(tmp_path, log, models["good"], models["coarse"], models["bad"])
    assert blessed and results["validation"] == {"ok": True, "reasons": []}
    for found, model in (
        (results, "good"),
        (results["baseline"], "coarse"),
        (results["last_blessed"], "bad"),
    ):
        check(found, log.expected(model))
        check_groups(found, log, model)


def test_a_model_worse_than_the_last_blessed_is_not_blessed(tmp_path, models) -> None:
    log = Log(200)
    results, blessed = evaluate(tmp_path, log, models["coarse"], last_blessed=models["good"])
    check(results, log.expected("coarse"))
    check(results["last_blessed"], log.expected("good"))
    drop = log.expected("good")["gauc"] - log.expected("coarse")["gauc"]
    assert not blessed and results["gauc"] > 0.5 and results["baseline"] is None
    reasons = [f"gauc is {drop:.6g} below that of the last blessed model; at most 0.0005 is allowed"]
    assert results["validation"] == {"ok": False, "reasons": reasons}


def test_a_model_better_than_the_last_blessed_and_worse_than_ids_is_not_blessed(tmp_path, models) -> None:
    log = Log(200)
    results, blessed = evaluate(tmp_path, log, models["coarse"], models["good"], models["bad"], gate="auc")
    drop = log.expected("good")["auc"] - log.expected("coarse")["auc"]
    assert not blessed
    reasons = [f"auc is {drop:.6g} below that of the ID model; at most 0.0005 is allowed"]
    assert results["validation"] == {"ok": False, "reasons": reasons}


def test_an_equally_good_model_is_blessed_and_the_gate_looks_at_order_alone(tmp_path, models) -> None:
    results, blessed = evaluate(
        tmp_path, Log(200), models["scaled"], models["good"], models["good"], gate="auc", max_drop=0.0
    )
    assert blessed
    assert results["auc"] == results["baseline"]["auc"] == results["last_blessed"]["auc"]
    assert results["logloss"] != results["baseline"]["logloss"]


def test_a_model_worse_than_chance_is_not_blessed(tmp_path, models) -> None:
    log = Log(200)
    results, blessed = evaluate(tmp_path, log, models["bad"])
    value = log.expected("bad")["gauc"]
    assert not blessed
    assert results["validation"] == {"ok": False, "reasons": [f"gauc is {value:.6g}; at least 0.5 is asked"]}


def test_one_class_ends_in_reasons_and_no_traceback(tmp_path, models) -> None:
    results, blessed = evaluate(tmp_path, Log(30, clicked=0), models["good"], models["bad"])
    assert not blessed
    assert (results["auc"], results["gauc"], results["calibration"]) == (None, None, None)
    assert results["logloss"] > 0
    assert results["validation"]["reasons"] == [
        "gauc is undefined: no user of the evaluated impressions has both clicked and not clicked ones;"
        + " at least 0.5 is asked",
        "gauc cannot be compared with that of the ID model: one of the two is undefined",
    ]


def test_no_impressions_are_an_input_error(tmp_path, models) -> None:
    with pytest.raises(InputError, match="at least one impression"):
        evaluate(tmp_path, Log(0), models["good"])


def test_impressions_one_by_one_as_tfma_hands_them_over(tmp_path, models) -> None:
    log = Log(60)
    log.write(tmp_path / "examples")
    config = eval_config(["candidate"])
    shared = tfma.default_eval_shared_model(
        f"{models['coarse'].uri}/Format-Serving", model_name="candidate", eval_config=config
    )
    result = tfma.run_model_analysis(
        shared, config, data_location=str(tmp_path / "examples" / "*"), output_path=str(tmp_path / "result")
    )
    values = dict(result.slicing_metrics)[()][""][""]
    expected = log.expected("coarse")
    assert {name: values[name]["doubleValue"] for name in expected} == pytest.approx(expected, rel=1e-9)


def test_component_with_and_without_the_models_to_compare_with() -> None:
    examples = types.Channel(type=standard_artifacts.Examples)
    model = types.Channel(type=standard_artifacts.Model)
    alone = Evaluator(examples, model, EvaluatorConfig(gate="auc"))
    assert set(alone.inputs) == {"examples", "model"}
    assert json_utils.loads(alone.exec_properties["splits"]) == ["test"]
    assert '"auc"' in alone.exec_properties["config"]
    assert alone.outputs["blessing"].type is standard_artifacts.ModelBlessing
    compared = Evaluator(examples, model, EvaluatorConfig(), baseline=model, last_blessed=model)
    assert set(compared.inputs) == {"examples", "model", "baseline", "last_blessed"}
