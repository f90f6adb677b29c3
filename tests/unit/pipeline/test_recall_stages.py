"""How the stages of recall stand among the others, and what they read from each other."""

from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import standard_artifacts
from tfx.utils import json_utils

from components.recall_evaluator.config import RecallEvaluatorConfig
from models.recall.config import RecallConfig
from pipeline.config import RunConfig, override
from pipeline.pipeline import create_pipeline
from serving.retrieval.config import IndexConfig
from transforms.configuration import from_json
from transforms.ingest_config import IngestConfig

STAGES = ["RecallTrainer", "LastBlessedRecall", "RecallEvaluator", "IndexBuilder", "RecallPusher"]
OF_REPORT = ["recall_run", "recall_evaluation", "index_evaluation", "pushed_recall"]


def nodes(root: str = "root", **values: Any) -> dict[str, BaseNode]:
    """The nodes of a run by name, in their order."""
    pipeline = create_pipeline("logs", root, override(RunConfig(), values))
    return {node.id: node for node in pipeline.components}


def sources(node: BaseNode) -> dict[str, tuple[str, str]]:
    """From which node and which of its outputs each input comes; those that a resolver finds are left out."""
    return {
        name: (channel.producer_component_id, channel.output_key)
        for name, channel in node.inputs.items()
        if isinstance(channel, types.OutputChannel)
    }


def test_the_stages_stand_in_their_order_before_the_report() -> None:
    # Others, which depend on none of them, may come between.
    made = list(nodes())
    assert [name for name in made if name in STAGES] == STAGES
    assert made[-1] == "Report"


def test_what_the_stages_read() -> None:
    made = nodes()
    assert sources(made["RecallTrainer"]) == {
        "examples": ("LogIngest", "examples"),
        "transform_graph": ("Transform", "transform_graph"),
        # The clicks of the training days alone: nothing else tells the gates how popular an item is.
        "item_stats": ("LogIngest", "item_stats"),
        "embeddings": ("CatalogEmbedder", "embeddings"),
    }
    assert sources(made["RecallEvaluator"]) == {
        "examples": ("LogIngest", "examples"),
        "catalog": ("LogIngest", "catalog"),
        "item_stats": ("LogIngest", "item_stats"),
        "model": ("RecallTrainer", "model"),
        "last_blessed": ("LastBlessedRecall", "model"),
    }
    assert sources(made["IndexBuilder"]) == {
        "vectors": ("RecallEvaluator", "vectors"),
        "model": ("RecallTrainer", "model"),
        "model_blessing": ("RecallEvaluator", "blessing"),
    }
    # What is pushed is the model with its index, and only where both are good.
    assert sources(made["RecallPusher"]) == {
        "model": ("IndexBuilder", "indexed_model"),
        "model_blessing": ("IndexBuilder", "blessing"),
    }
    report = sources(made["Report"])
    assert [report[name] for name in OF_REPORT] == [
        ("RecallTrainer", "model_run"),
        ("RecallEvaluator", "evaluation"),
        ("IndexBuilder", "evaluation"),
        ("RecallPusher", "pushed_model"),
    ]


def test_the_last_blessed_is_looked_for_among_recall_models() -> None:
    resolver = nodes()["LastBlessedRecall"]
    assert isinstance(resolver, Resolver)
    candidate, models = resolver.raw_inputs["candidate"], resolver.raw_inputs["model"]
    assert (candidate.producer_component_id, candidate.output_key) == ("RecallTrainer", "model")
    assert (models.producer_component_id, models.type) == ("RecallTrainer", standard_artifacts.Model)


def test_what_the_stages_are_told(tmp_path: Path) -> None:
    made = nodes(
        str(tmp_path),
        modalities=["text"],
        ctr={"integration": "id"},
        ingest={"max_behaviors": 7},
        recall={"fusion": "output", "epochs": 3},
        recall_evaluator={"k": 9, "ks": [3], "num_retrieved": 33, "min_click_recall": 0.125},
        index={"min_recall": 0.75},
    )
    trainer = made["RecallTrainer"].exec_properties
    recall = from_json(RecallConfig, trainer["config"])
    # The modalities stand by name, so that what a model was trained with can be read from its execution.
    assert (recall.fusion, recall.epochs, recall.modalities) == ("output", 3, ("text",))
    assert from_json(IngestConfig, trainer["ingest"]).max_behaviors == 7
    evaluator = made["RecallEvaluator"].exec_properties
    told = from_json(RecallEvaluatorConfig, evaluator["config"])
    assert (told.k, told.ks, told.num_retrieved, told.min_click_recall) == (9, (3,), 33, 0.125)
    assert json_utils.loads(evaluator["splits"]) == ["test"]
    index = made["IndexBuilder"].exec_properties
    assert (index["k"], index["num_retrieved"]) == (9, 33)
    assert from_json(IndexConfig, index["config"]).min_recall == 0.75
    destination = made["RecallPusher"].exec_properties["push_destination"]
    assert str(tmp_path / "serving" / "recall") in destination


def test_recall_by_ids_reads_no_embeddings() -> None:
    made = nodes(recall={"fusion": "id"})
    assert "embeddings" not in sources(made["RecallTrainer"])
    assert from_json(RecallConfig, made["RecallTrainer"].exec_properties["config"]).modalities == ()
    # A run without any encoder has it too.
    made = nodes(modalities=[], ctr={"integration": "id"}, recall={"fusion": "id"})
    assert set(STAGES) < set(made) and "CatalogEmbedder" not in made


def test_a_run_without_recall() -> None:
    made = nodes(train_recall=False)
    assert not set(STAGES) & set(made)
    assert not set(OF_REPORT) & set(made["Report"].inputs)
    with_it = nodes()
    assert [name for name in with_it if name not in STAGES] == list(made)
    for name, node in made.items():
        if hasattr(node, "exec_properties"):
            assert node.exec_properties == with_it[name].exec_properties
