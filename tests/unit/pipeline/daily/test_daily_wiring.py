"""Which stages a day has, and what they read from each other and from earlier days."""

from datetime import date
from typing import Any

from tfx import types
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver

from components.evaluator.config import EvaluatorConfig
from components.recall_evaluator.config import RecallEvaluatorConfig
from pipeline.config import RunConfig, override
from pipeline.daily.day import Day
from pipeline.pipeline import create_pipeline
from transforms.configuration import from_json
from transforms.ingest_window import IngestWindow

DATE = date(2024, 1, 10)
FIRST = Day(DATE, first=True, trains_encoders=True)
LATER = Day(DATE, first=False, trains_encoders=False)
WITH_ENCODERS = Day(DATE, first=False, trains_encoders=True)


def nodes(day: Day | None, **values: Any) -> dict[str, BaseNode]:
    """The nodes of a run by name, in their order."""
    pipeline = create_pipeline("logs", "root", override(RunConfig(), values), day=day)
    return {node.id: node for node in pipeline.components}


def sources(node: BaseNode) -> dict[str, str]:
    """From which node, and which of its outputs, each input comes."""
    return {
        name: f"{channel.producer_component_id}.{channel.output_key}"
        for name, channel in node.inputs.items()
        if isinstance(channel, types.OutputChannel)
    }


def test_the_first_day_begins_from_nothing() -> None:
    made, plain = nodes(FIRST), nodes(None)
    # The same stages; only the models that are gone on from are looked for by day.
    assert set(made) == set(plain)
    assert "base" in sources(made["CtrTrainer"]) and "base" not in sources(plain["CtrTrainer"])
    assert "known_history" not in sources(made["LogIngest"])
    assert "earlier_stats" not in sources(made["RecallTrainer"])
    assert not {"earlier_examples", "base"} & set(sources(made["MakeTrainer"]))


def test_a_later_day_goes_on_from_the_day_before() -> None:
    made = nodes(LATER)
    assert sources(made["LogIngest"]) == {
        "known_history": "DayBefore.history",
        "known_stats": "DayBefore.item_stats",
    }
    assert "Transform" not in made
    assert sources(made["VocabularyGrower"])["known_graph"] == "DayBefore.transform_graph"
    assert sources(made["ExampleValidator"])["previous_statistics"] == "DayBefore.statistics"
    trainer, baseline = sources(made["CtrTrainer"]), sources(made["IdBaseline"])
    assert (trainer["base"], baseline["base"]) == ("LastBlessedModel.model", "LastBlessedModel.baseline")
    assert trainer["transform_graph"] == baseline["transform_graph"] == "VocabularyGrower.transform_graph"
    recall = sources(made["RecallTrainer"])
    assert (recall["base"], recall["earlier_stats"]) == ("LastBlessedRecall.model", "DayBefore.item_stats")
    # Measured against what was gone on from.
    assert sources(made["Evaluator"])["last_blessed"] == "LastBlessedModel.model"
    assert sources(made["RecallEvaluator"])["last_blessed"] == "LastBlessedRecall.model"


def test_days_that_train_no_encoders_take_the_last() -> None:
    made = nodes(LATER)
    left_out = {"ImageEncoder", "ImageEncoderEvaluator", "ImageEncoderPusher", "TextEncoder", "MakeTrainer"}
    assert not left_out & set(made)
    assert sources(made["CatalogEmbedder"]) == {
        "catalog": "LogIngest.catalog",
        "image_model": "LastBlessedImageEncoder.model",
        "image_blessing": "LastBlessedImageEncoder.model_blessing",
        "text_model": "LastBlessedTextEncoder.model",
        "text_blessing": "LastBlessedTextEncoder.model_blessing",
    }
    assert sources(made["CtrTrainer"])["make"] == "LastMake.make"
    release = sources(made["Release"])
    assert release["pushed_image_encoder"] == "LastBlessedImageEncoder.pushed_model"
    assert not {"image_run", "image_evaluation", "make_run"} & set(sources(made["Report"]))


def test_days_that_train_encoders() -> None:
    made = nodes(WITH_ENCODERS, daily={"make_days": 3})
    assert sources(made["CatalogEmbedder"])["image_model"] == "ImageEncoder.model"
    assert sources(made["CatalogEmbedder"])["image_baseline"] == "LastBlessedImageEncoder.model"
    assert sources(made["MakeTrainer"])["earlier_examples"] == "EarlierExamples.examples"
    assert sources(made["MakeTrainer"])["base"] == "LastMake.make"
    assert made["EarlierExamples"].exec_properties["source_uri"] == {"span": WITH_ENCODERS.span, "days": 3}
    assert sources(made["CtrTrainer"])["make"] == "MakeTrainer.make"
    assert sources(made["Release"])["pushed_image_encoder"] == "ImageEncoderPusher.pushed_model"


def test_models_are_measured_on_the_whole_next_day_by_the_bounds_of_a_day() -> None:
    made = nodes(LATER, daily={"max_drop": 0.07, "recall_max_drop": 0.08})
    for name in ("Evaluator", "RecallEvaluator"):
        assert made[name].exec_properties["splits"] == '["eval", "test"]'
    evaluator = from_json(EvaluatorConfig, made["Evaluator"].exec_properties["config"])
    recall = from_json(RecallEvaluatorConfig, made["RecallEvaluator"].exec_properties["config"])
    assert (evaluator.max_drop, recall.max_drop) == (0.07, 0.08)
    assert nodes(None)["Evaluator"].exec_properties["splits"] == '["test"]'


def test_query_pairs_are_made_where_encoders_learn_from_them() -> None:
    windows = {
        day: from_json(
            IngestWindow, nodes(day, daily={"pair_days": 5})["LogIngest"].exec_properties["window"]
        )
        for day in (FIRST, LATER, WITH_ENCODERS)
    }
    # 2024-01-10 is day 19,732.
    assert windows[LATER].pairs_start is None
    assert windows[WITH_ENCODERS].pairs_start == (19_733 - 5) * 86_400_000_000
    assert (windows[FIRST].start, windows[LATER].start) == (None, 19_732 * 86_400_000_000)


def test_all_that_a_day_makes_bears_it() -> None:
    for node in nodes(LATER).values():
        for channel in node.outputs.values():
            tags = channel.additional_properties | channel.additional_custom_properties
            assert tags.get("span") == (None if isinstance(node, Resolver) else LATER.span), node.id
    assert not any(
        channel.additional_properties or channel.additional_custom_properties
        for node in nodes(None).values()
        for channel in node.outputs.values()
    )


def test_a_small_configuration() -> None:
    made = nodes(LATER, modalities=[], ctr={"integration": "id"}, train_recall=False)
    assert set(made) == {
        "DayBefore",
        "LastBlessedModel",
        "LogIngest",
        "StatisticsGen",
        "SchemaGen",
        "ExampleValidator",
        "VocabularyGrower",
        "CtrTrainer",
        "Evaluator",
        "Inspector",
        "Pusher",
        "Release",
        "Report",
    }


def test_a_plain_run_keeps_nothing_to_go_on_from() -> None:
    made = nodes(None)
    for name in ("CtrTrainer", "IdBaseline", "RecallTrainer"):
        assert "resumable" not in made[name].exec_properties
        assert nodes(FIRST)[name].exec_properties["resumable"] == 1
