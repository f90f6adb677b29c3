"""The ExampleValidator component: each split against the schema, and the splits against each other."""

from collections.abc import Sequence
from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts
from tfx.utils import json_utils

from components.example_validator import executor
from transforms.input_error import InputError


class ExampleValidatorSpec(component_spec.ComponentSpec):
    """Inputs, parameters and output of `ExampleValidator`."""

    PARAMETERS: ClassVar = {
        executor.SKEW_THRESHOLD: component_spec.ExecutionParameter(type=float),
        executor.DRIFT_THRESHOLD: component_spec.ExecutionParameter(type=float),
        executor.IGNORE_FEATURES: component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        executor.STATISTICS: component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics),
        executor.SCHEMA: component_spec.ChannelParameter(type=standard_artifacts.Schema),
        executor.PREVIOUS_STATISTICS: component_spec.ChannelParameter(
            type=standard_artifacts.ExampleStatistics, optional=True
        ),
    }
    OUTPUTS: ClassVar = {
        executor.ANOMALIES: component_spec.ChannelParameter(type=standard_artifacts.ExampleAnomalies),
    }


class ExampleValidator(base_component.BaseComponent):
    """Validates the examples' statistics, with skew and drift comparators.

    TFX's own component validates each split against the schema alone: it hands no other statistics to TFDV,
    so comparators in the schema never run. This one also compares training with what comes after it (skew:
    train against eval, train against test) and each span of time with the one before it (drift). Of a run by
    day that is the train split against that of the day before; where there is no day before, each split
    against the one before it (train, eval, test).

    The output is read like that of TFX's component (`Split-<name>/SchemaDiff.pb`); beside it lie
    `Skew-<name>/SchemaDiff.pb` and `Drift-<name>/SchemaDiff.pb`, which also hold the distance of every
    feature, and `anomalies.json`, a list of `{"split", "kind": "schema" | "skew" | "drift", "feature",
    "short", "description"}`. Anomalies are reported and do not stop a pipeline.
    """

    SPEC_CLASS = ExampleValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        statistics: types.BaseChannel,
        schema: types.BaseChannel,
        skew_threshold: float = 0.1,
        drift_threshold: float = 0.1,
        ignore_features: Sequence[str] = (),
        previous_statistics: types.BaseChannel | None = None,
    ):
        """Wires the component.

        Args:
            statistics: `ExampleStatistics` with the splits train, eval and test.
            schema: `Schema`. A feature's own skew_comparator or drift_comparator in it goes before the
                thresholds here.
            skew_threshold: float in [0, 1]. The distance of a feature's distributions above which it is
                reported: L-infinity for categories, Jensen-Shannon for numbers.
            drift_threshold: the same for drift.
            ignore_features: features of the schema that are validated and not compared: ids and times, whose
                values are expected to change from day to day.
            previous_statistics: `ExampleStatistics` of the day before, of which the train split is read. No
                channel, or one without an artifact: drift is looked for between the splits.
        Raises:
            InputError: if a threshold is out of its range.
        """
        for name, threshold in (("skew_threshold", skew_threshold), ("drift_threshold", drift_threshold)):
            if not 0 <= threshold <= 1:
                raise InputError(
                    f"example validator {name}: expected a number from 0 to 1, got {threshold!r}"
                )
        super().__init__(
            spec=ExampleValidatorSpec(
                statistics=statistics,
                schema=schema,
                previous_statistics=previous_statistics,
                anomalies=types.Channel(type=standard_artifacts.ExampleAnomalies),
                skew_threshold=float(skew_threshold),
                drift_threshold=float(drift_threshold),
                ignore_features=json_utils.dumps(list(ignore_features)),
            )
        )
