"""Which stages a configuration has, and what they read from each other."""

from typing import Any

import pytest
from tfx import types
from tfx.dsl.components.base.base_node import BaseNode

from components.monitoring.config import MonitoringConfig
from components.release.config import ReleaseConfig
from models.ctr.config import CtrConfig
from models.make.config import MakeConfig
from pipeline.config import RunConfig, override
from pipeline.pipeline import create_pipeline, create_preparation_pipeline
from transforms.configuration import from_json
from transforms.ingest_config import IngestConfig

ENCODERS = [
    f"{before}{name}Encoder{after}"
    for name in ("Image", "Text")
    for before, after in (("", ""), ("LastBlessed", ""), ("", "Evaluator"), ("", "Pusher"))
]
DATA = ["LogIngest", "StatisticsGen", "SchemaGen", "ExampleValidator"]
RECALL = ["RecallTrainer", "LastBlessedRecall", "RecallEvaluator", "IndexBuilder", "RecallPusher"]
END = ["LastBlessedModel", "Evaluator", "Inspector", "Pusher", *RECALL, "Release", "Report"]


def nodes(**values: Any) -> dict[str, BaseNode]:
    """The nodes of a run by name, in their order."""
    pipeline = create_pipeline("logs", "root", override(RunConfig(), values))
    return {node.id: node for node in pipeline.components}


def sources(node: BaseNode) -> dict[str, str]:
    """From which node each input comes; those that a resolver finds are left out."""
    return {
        name: channel.producer_component_id
        for name, channel in node.inputs.items()
        if isinstance(channel, types.OutputChannel)
    }


def names(made: dict[str, BaseNode]) -> set[str]:
    return set(made)


def test_default() -> None:
    made = nodes()
    clicks = ["MakeTrainer", "CtrTrainer", "IdBaseline"]
    assert names(made) == {*DATA, *ENCODERS, "CatalogEmbedder", "Transform", *clicks, *END}
    examples = {"examples": "LogIngest", "embeddings": "CatalogEmbedder"}
    assert sources(made["MakeTrainer"]) == examples
    assert sources(made["CtrTrainer"]) == examples | {"transform_graph": "Transform", "make": "MakeTrainer"}
    assert sources(made["IdBaseline"]) == {"examples": "LogIngest", "transform_graph": "Transform"}
    assert sources(made["Evaluator"])["baseline"] == "IdBaseline"
    assert "LastBlessedModel" in {node.id for node in made["Evaluator"].upstream_nodes}
    assert sources(made["Inspector"]) == examples | {
        "catalog": "LogIngest",
        "model": "CtrTrainer",
        "id_baseline": "IdBaseline",
    }
    assert sources(made["Pusher"])["model"] == "CtrTrainer"
    report = sources(made["Report"])
    assert (report["model_run"], report["baseline_run"], report["make_run"], report["inspection"]) == (
        "CtrTrainer",
        "IdBaseline",
        "MakeTrainer",
        "Inspector",
    )


def test_a_release_names_what_was_pushed() -> None:
    made = nodes(release={"sample_users": 3})
    assert list(made)[-2:] == ["Release", "Report"]
    pushed = {
        "pushed_ctr": "Pusher",
        "pushed_recall": "RecallPusher",
        "pushed_image_encoder": "ImageEncoderPusher",
        "pushed_text_encoder": "TextEncoderPusher",
    }
    items = {"examples": "LogIngest", "catalog": "LogIngest", "embeddings": "CatalogEmbedder"}
    assert sources(made["Release"]) == items | pushed
    told = made["Release"].exec_properties
    # Beside the folders that the Pushers push to.
    assert told["serving"] == "root/serving"
    assert "root/serving/ctr" in made["Pusher"].exec_properties["push_destination"]
    assert from_json(ReleaseConfig, told["config"]).sample_users == 3
    assert from_json(IngestConfig, told["ingest"]) == IngestConfig()
    alone = nodes(modalities=[], ctr={"integration": "id"}, train_recall=False)["Release"]
    assert set(sources(alone)) == {"examples", "catalog", "pushed_ctr"}


def test_what_the_trainers_are_told() -> None:
    made = nodes(ctr={"modalities": ["text"]}, make={"epochs": 3})
    assert made["MakeTrainer"].exec_properties["modalities"] == "text"
    ctr = from_json(CtrConfig, made["CtrTrainer"].exec_properties["config"])
    assert (ctr.integration, ctr.modalities) == ("simtier_make", ("text",))
    assert from_json(MakeConfig, made["CtrTrainer"].exec_properties["make_config"]).epochs == 3
    baseline = from_json(CtrConfig, made["IdBaseline"].exec_properties["config"])
    assert (baseline.integration, baseline.modalities) == ("id", ())
    # The baseline differs in nothing else.
    for name in ("embedding_dim", "mlp_units", "epochs", "batch_size", "learning_rate", "seed"):
        assert getattr(baseline, name) == getattr(ctr, name)


def test_a_model_of_ids_alone() -> None:
    made = nodes(ctr={"integration": "id"})
    assert names(made) == {*DATA, *ENCODERS, "CatalogEmbedder", "Transform", "CtrTrainer", *END}
    assert sources(made["CtrTrainer"]) == {"examples": "LogIngest", "transform_graph": "Transform"}
    assert "baseline" not in sources(made["Evaluator"]) and "id_baseline" not in sources(made["Inspector"])
    without_encoders = nodes(modalities=[], ctr={"integration": "id"}, recall={"fusion": "id"})
    assert names(without_encoders) == {*DATA, "Transform", "CtrTrainer", *END}


@pytest.mark.parametrize(
    "values", [{"make": {"epochs": 0}}, {"ctr": {"integration": "simtier"}}], ids=["0 epochs", "no MAKE"]
)
def test_no_training_of_make_by_itself(values: dict[str, Any]) -> None:
    made = nodes(**values)
    assert "MakeTrainer" not in made and "IdBaseline" in made
    assert set(sources(made["CtrTrainer"])) == {"examples", "transform_graph", "embeddings"}
    assert "make_run" not in sources(made["Report"])


def test_no_baseline() -> None:
    made = nodes(ctr={"baseline": False})
    assert "IdBaseline" not in made and "MakeTrainer" in made
    assert "baseline" not in sources(made["Evaluator"]) and "baseline_run" not in sources(made["Report"])


def test_the_preparation_is_that_of_a_run() -> None:
    config = RunConfig()
    prepared = create_preparation_pipeline("logs", "root", config).components
    whole = nodes()
    assert names({node.id: node for node in prepared}) == {*DATA, *ENCODERS, "CatalogEmbedder", "Transform"}
    for node in prepared:
        if hasattr(node, "exec_properties"):
            assert node.exec_properties == whole[node.id].exec_properties


def test_the_report_knows_the_thresholds_of_alerts() -> None:
    report = nodes(monitoring={"min_coverage": 0.5})["Report"]
    assert from_json(MonitoringConfig, report.exec_properties["monitoring"]) == MonitoringConfig(
        min_coverage=0.5
    )
    assert report.exec_properties["date"] is None
