"""Compares the statistics of two splits, feature by feature."""

from collections.abc import Collection, Iterator

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

_COMPARISONS = frozenset(
    value for name, value in anomalies_pb2.AnomalyInfo.Type.items() if name.startswith("COMPARATOR_")
)


def skew(
    schema: schema_pb2.Schema,
    training: DatasetFeatureStatisticsList,
    serving: DatasetFeatureStatisticsList,
    threshold: float,
    ignore_features: Collection[str] = (),
) -> anomalies_pb2.Anomalies:
    """Finds features whose distribution in training differs from that in serving.

    Categories are compared by the L-infinity distance (the greatest difference of a value's share), numbers
    by the Jensen-Shannon divergence of their histograms; both lie in [0, 1]. A comparator that the schema
    already has stays as it is, so that an edited schema can set a feature's own threshold.

    Args:
        schema: of both; it is not changed.
        training: statistics of what the model learns from.
        serving: statistics of what it will meet.
        threshold: the distance above which a feature is reported.
        ignore_features: names that are not compared: ids, whose values are expected to change.
    Returns:
        Anomalies of kind COMPARATOR_… alone, and in `drift_skew_info` the distance of every feature.
    """
    categories = _categories(training) | _categories(serving)
    compared = _with_comparators(schema, "skew_comparator", threshold, categories, ignore_features)
    return _comparisons(tfdv.validate_statistics(training, compared, serving_statistics=serving))


def drift(
    schema: schema_pb2.Schema,
    previous: DatasetFeatureStatisticsList,
    current: DatasetFeatureStatisticsList,
    threshold: float,
    ignore_features: Collection[str] = (),
) -> anomalies_pb2.Anomalies:
    """Finds features whose distribution differs from that of the span of time before; see `skew`."""
    categories = _categories(previous) | _categories(current)
    compared = _with_comparators(schema, "drift_comparator", threshold, categories, ignore_features)
    return _comparisons(tfdv.validate_statistics(current, compared, previous_statistics=previous))


def _categories(statistics: DatasetFeatureStatisticsList) -> set[str]:
    """Features counted value by value: strings, and numbers that the schema called categories at that time.

    Their statistics have no histogram of numbers, and those of others no counts of values.
    """
    features = (feature for dataset in statistics.datasets for feature in dataset.features)
    return {feature.path.step[0] for feature in features if feature.HasField("string_stats")}


def _with_comparators(
    schema: schema_pb2.Schema,
    comparator: str,
    threshold: float,
    categories: Collection[str],
    ignore_features: Collection[str],
) -> schema_pb2.Schema:
    """A copy of the schema in which each feature that is not ignored has the comparator of its type."""
    result = schema_pb2.Schema()
    result.CopyFrom(schema)
    for feature in result.feature:
        if feature.name in ignore_features:
            feature.ClearField(comparator)
        elif not feature.HasField(comparator):
            norm = "infinity_norm" if feature.name in categories else "jensen_shannon_divergence"
            getattr(getattr(feature, comparator), norm).threshold = threshold
    return result


def _comparisons(anomalies: anomalies_pb2.Anomalies) -> anomalies_pb2.Anomalies:
    """Leaves out what the schema alone tells: that is reported for each split already."""
    result = anomalies_pb2.Anomalies(drift_skew_info=anomalies.drift_skew_info)
    for feature, reasons in _comparison_reasons(anomalies):
        result.anomaly_info[feature].CopyFrom(anomalies.anomaly_info[feature])
        info = result.anomaly_info[feature]
        info.short_description = "; ".join(reason.short_description for reason in reasons)
        info.description = " ".join(reason.description for reason in reasons)
        del info.reason[:]
        info.reason.extend(reasons)
    return result


def _comparison_reasons(
    anomalies: anomalies_pb2.Anomalies,
) -> Iterator[tuple[str, list[anomalies_pb2.AnomalyInfo.Reason]]]:
    for feature, info in anomalies.anomaly_info.items():
        reasons = [reason for reason in info.reason if reason.type in _COMPARISONS]
        if reasons:
            yield feature, reasons
