"""From where on a finished run deserves a look."""

import math
from dataclasses import dataclass

from transforms.input_error import check_setting


@dataclass(frozen=True)
class MonitoringConfig:
    """From where on a finished run deserves a look. What is beyond is an alert and stops nothing.

    How far a feature may skew or drift is `validation.skew_threshold` and `validation.drift_threshold`; how far a
    model may fall, `evaluator` and `daily`.

    Attributes:
        min_calibration: predicted over observed clicks of the click model below which it promises too little.
        max_calibration: the same above which it promises too much.
        min_coverage: the least share of the items with a picture (or a title) that have its embedding.
        max_coverage_drop: how far the share of all items that have an embedding may fall from one day to the next.
        max_reject_fraction: share of a log's rows that may be rejected; `ingest.max_reject_fraction`, above which
            the run stops, lies above it.
    """

    min_calibration: float = 0.8
    max_calibration: float = 1.25
    min_coverage: float = 0.95
    max_coverage_drop: float = 0.02
    max_reject_fraction: float = 0.01

    def __post_init__(self) -> None:
        for name in ("min_coverage", "max_coverage_drop", "max_reject_fraction"):
            value = getattr(self, name)
            check_setting("monitoring", name, value, 0 <= value <= 1, "in [0, 1]")
        low, high = self.min_calibration, self.max_calibration
        check_setting("monitoring", "min_calibration", low, 0 <= low < math.inf, "at least 0 and finite")
        check_setting("monitoring", "max_calibration", high, high > low, f"above min_calibration, {low}")
