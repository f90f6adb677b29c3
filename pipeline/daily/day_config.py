"""What is configured otherwise in a run by days."""

import dataclasses
from typing import TYPE_CHECKING

from pipeline.daily.config import DailyConfig
from pipeline.daily.day import Day
from transforms.ingest_window import IngestWindow
from transforms.time_splits import SPLITS

if TYPE_CHECKING:
    from pipeline.config import RunConfig

# The whole of the next day: it is divided between both.
MEASURED_SPLITS = SPLITS[1:]


def config_of_a_day(config: "RunConfig") -> "RunConfig":
    """The gates with the bounds that a single day allows."""
    return dataclasses.replace(
        config,
        evaluator=dataclasses.replace(config.evaluator, max_drop=config.daily.max_drop),
        recall_evaluator=dataclasses.replace(config.recall_evaluator, max_drop=config.daily.recall_max_drop),
    )


def window_of(day: Day, config: DailyConfig) -> IngestWindow:
    """The part of the logs that a day reads; query pairs only where encoders learn from them."""
    return IngestWindow.of_day(day.date, day.first, config.pair_days if day.trains_encoders else 0)
