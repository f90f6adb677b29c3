"""Wires what finds the work of earlier days in the lineage."""

from typing import Any

from tfx import types
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import standard_artifacts

from components import artifacts
from components.blessed_model.earlier_strategy import EarlierBlessedModelStrategy
from components.blessed_model.verdicts import CLICK_BLESSING, CLICK_MODEL
from components.earlier_days.blessed_days_strategy import EarlierBlessedDaysStrategy
from components.earlier_days.day_before_strategy import DayBeforeStrategy
from components.earlier_days.last_made_strategy import LastMadeStrategy
from pipeline.daily.day import Day

_Model, _Blessing = standard_artifacts.Model, standard_artifacts.ModelBlessing


def day_before(day: Day) -> Resolver:
    """What a day's data goes on from: `history`, `item_stats`, `transform_graph`, `statistics`."""
    return _resolver(
        "DayBefore",
        DayBeforeStrategy,
        {"span": day.span},
        history=_of("LogIngest", artifacts.UserHistory),
        item_stats=_of("LogIngest", artifacts.ItemStats),
        # Of Transform or, from the second day on, of VocabularyGrower.
        transform_graph=types.Channel(type=standard_artifacts.TransformGraph),
        statistics=_of("StatisticsGen", standard_artifacts.ExampleStatistics),
    )


def last_blessed_click_model(day: Day) -> Resolver:
    """The click `model` that was blessed last, its `model_blessing`, and the `baseline` of its day."""
    return _resolver(
        "LastBlessedModel",
        EarlierBlessedModelStrategy,
        {"span": day.span},
        model=_of("CtrTrainer", _Model),
        model_blessing=_of("Evaluator", _Blessing),
        baseline=_of("IdBaseline", _Model),
    )


def last_blessed_recall_model(day: Day) -> Resolver:
    """The recall `model` that was blessed last, with its index, on a day that was not refused."""
    return _resolver(
        "LastBlessedRecall",
        EarlierBlessedModelStrategy,
        {"span": day.span},
        model=_of("RecallTrainer", _Model),
        # The index's: a model whose index was refused was never pushed.
        model_blessing=_of("IndexBuilder", _Blessing),
        **_of_clicks(),
    )


def last_blessed_encoder(day: Day, modality: str) -> Resolver:
    """The encoder `model` that was blessed last, on a day that was not refused, its `model_blessing`, and as
    `pushed_model` where it was pushed."""
    name = f"{modality.capitalize()}Encoder"
    return _resolver(
        f"LastBlessed{name}",
        EarlierBlessedModelStrategy,
        {"span": day.span},
        model=_of(name, _Model),
        model_blessing=_of(f"{name}Evaluator", _Blessing),
        pushed_model=_of(f"{name}Pusher", standard_artifacts.PushedModel),
        **_of_clicks(),
    )


def last_make(day: Day) -> Resolver:
    """The `make` that was trained last, on a day that was not refused."""
    make = _of("MakeTrainer", artifacts.Make)
    return _resolver("LastMake", LastMadeStrategy, {"span": day.span}, make=make, **_of_clicks())


def earlier_examples(day: Day, days: int) -> Resolver:
    """The `examples` of the last days, the day itself not among them, nor refused ones."""
    return _resolver(
        "EarlierExamples",
        EarlierBlessedDaysStrategy,
        {"span": day.span, "days": days},
        examples=_of("LogIngest", standard_artifacts.Examples),
        **_of_clicks(),
    )


def _of_clicks() -> dict[str, types.BaseChannel]:
    """What says which days were refused."""
    return {CLICK_MODEL: _of("CtrTrainer", _Model), CLICK_BLESSING: _of("Evaluator", _Blessing)}


def _of(node: str, kind: type[types.Artifact]) -> types.Channel:
    return types.Channel(type=kind, producer_component_id=node)


def _resolver(name: str, strategy: type, config: dict[str, Any], **channels: types.BaseChannel) -> Resolver:
    return Resolver(strategy_class=strategy, config=config, **channels).with_id(name)
