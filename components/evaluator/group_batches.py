"""Splits batches of impressions by group, and keeps them batches."""

from collections.abc import Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.extractors import unbatch_extractor

_KEPT = (tfma.LABELS_KEY, tfma.PREDICTIONS_KEY, tfma.FEATURES_KEY)


def group_batches_extractor(group_key: str) -> tfma.extractors.Extractor:
    """Stands where TFMA's UnbatchExtractor stands: the impressions of one group in a batch stay together.

    TFMA hands impressions to metrics one by one, which takes several times as long as the models themselves.
    Metrics that take many at a time, and slices by nothing but the group, need not part the impressions of a
    group: each is in the same slices as the others. The serialized examples end here.

    Args:
        group_key: the feature to slice by; one value an example.
    """
    return tfma.extractors.Extractor(
        stage_name=unbatch_extractor.UNBATCH_EXTRACTOR_STAGE_NAME,
        ptransform=beam.FlatMap(_split, group_key=group_key),
    )


def _split(extracts: tfma.Extracts, group_key: str) -> Iterator[tfma.Extracts]:
    kept = {name: extracts[name] for name in _KEPT}
    groups = kept[tfma.FEATURES_KEY][group_key].ravel()
    for group in np.unique(groups):
        yield _take(kept, np.flatnonzero(groups == group))


def _take(values: Any, rows: np.ndarray) -> Any:
    """The rows of all arrays, however deep they lie in dictionaries."""
    if isinstance(values, Mapping):
        return {name: _take(value, rows) for name, value in values.items()}
    return values[rows]
