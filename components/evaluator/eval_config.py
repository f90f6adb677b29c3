"""What the Evaluator measures, in the words of TensorFlow Model Analysis."""

import json
from collections.abc import Sequence

from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.ranking_metrics import RankingMetrics

LABEL = "clicked"
USER = "user_id"
GROUP = "item_frequency_group"


def eval_config(models: Sequence[str]) -> config_pb2.EvalConfig:
    """Builds the EvalConfig of the click models: metrics over all impressions and by group of item frequency.

    It has no threshold, for TFMA compares with one baseline only; `components.evaluator.gate` decides.

    Args:
        models: their names, the candidate's first.
    """
    config = config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                name=name,
                # TFMA would else load the model once more to find out.
                model_type="tf_generic",
                signature_name="serving_default",
                label_key=LABEL,
                prediction_key="probabilities",
            )
            for name in models
        ],
        slicing_specs=[config_pb2.SlicingSpec(), config_pb2.SlicingSpec(feature_keys=[GROUP])],
        metrics_specs=[
            config_pb2.MetricsSpec(
                metrics=[
                    config_pb2.MetricConfig(
                        class_name=RankingMetrics.__name__,
                        module=RankingMetrics.__module__,
                        config=json.dumps({"user_key": USER}),
                    )
                ]
            )
        ],
    )
    config.options.include_default_metrics.value = False
    return config


def examples_schema() -> schema_pb2.Schema:
    """The features of the raw Examples that are read beside the models: what is not here is not decoded."""
    kinds = {LABEL: schema_pb2.INT, USER: schema_pb2.BYTES, GROUP: schema_pb2.INT}
    features = [
        schema_pb2.Feature(
            name=name,
            type=kind,
            presence=schema_pb2.FeaturePresence(min_fraction=1.0),
            shape=schema_pb2.FixedShape(dim=[schema_pb2.FixedShape.Dim(size=1)]),
        )
        for name, kind in kinds.items()
    ]
    return schema_pb2.Schema(feature=features)
