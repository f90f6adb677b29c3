"""What the Evaluator measures and what it asks of a model before it blesses it."""

import json

from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.ranking_metrics import RankingMetrics
from transforms.input_error import InputError

GATES = ("gauc", "auc")


def eval_config(
    *,
    min_value: float = 0.5,
    max_drop: float = 0.0005,
    gate: str = "gauc",
    label_key: str = "clicked",
    prediction_key: str = "probabilities",
    user_key: str = "user_id",
    group_key: str = "item_frequency_group",
    signature_name: str = "serving_default",
) -> config_pb2.EvalConfig:
    """Builds the EvalConfig of the click models.

    Metrics are computed over all impressions and by group of item frequency; the thresholds look at all
    impressions alone, for the value over one group of few users says little. Without a baseline (nothing was
    blessed before) the Evaluator leaves the second threshold out. A metric that is not defined is NaN and
    fails the first.

    Args:
        min_value: float in [0, 1]. The least value of the gate's metric that is blessed.
        max_drop: float in [0, 1]. How far below the baseline's value it may lie.
        gate: "gauc" or "auc": the metric that decides. AUC is for logs whose users have too few impressions
            each for a GAUC.
        label_key: the feature of the raw Examples that holds the label, 0 or 1.
        prediction_key: the model's output that holds the probability of a click.
        user_key: the feature of the raw Examples that names the user.
        group_key: the feature of the raw Examples to slice by.
        signature_name: the signature of the model that takes serialized Examples.
    Returns:
        EvalConfig with one unnamed model; the Evaluator adds the baseline's where there is one.
    Raises:
        InputError: if a value is out of its range.
    """
    if gate not in GATES:
        raise InputError(f"evaluator gate: expected one of {', '.join(GATES)}, got {gate!r}")
    for name, value in (("min_value", min_value), ("max_drop", max_drop)):
        if not 0 <= value <= 1:
            raise InputError(f"evaluator {name}: expected a number from 0 to 1, got {value!r}")
    overall = config_pb2.SlicingSpec()
    threshold = config_pb2.MetricThreshold(
        value_threshold=config_pb2.GenericValueThreshold(lower_bound={"value": min_value}),
        change_threshold=config_pb2.GenericChangeThreshold(
            direction=config_pb2.MetricDirection.HIGHER_IS_BETTER, absolute={"value": -max_drop}
        ),
    )
    # A threshold that names no slice would be asked of every group.
    gates = config_pb2.PerSliceMetricThresholds(
        thresholds=[config_pb2.PerSliceMetricThreshold(slicing_specs=[overall], threshold=threshold)]
    )
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                signature_name=signature_name, label_key=label_key, prediction_key=prediction_key
            )
        ],
        slicing_specs=[overall, config_pb2.SlicingSpec(feature_keys=[group_key])],
        metrics_specs=[
            config_pb2.MetricsSpec(metrics=_metrics(user_key), per_slice_thresholds={gate: gates})
        ],
    )


def _metrics(user_key: str) -> list[config_pb2.MetricConfig]:
    return [
        config_pb2.MetricConfig(class_name="ExampleCount"),
        config_pb2.MetricConfig(
            class_name=RankingMetrics.__name__,
            module=RankingMetrics.__module__,
            config=json.dumps({"user_key": user_key}),
        ),
        config_pb2.MetricConfig(class_name="CalibrationPlot"),
    ]
