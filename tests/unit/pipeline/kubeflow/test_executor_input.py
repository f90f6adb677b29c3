"""What a launcher hands over, and the answer."""

import json

import pytest
from tfx import types
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import standard_artifacts

from components.blessed_model.strategy import BlessedModelStrategy
from components.ctr_trainer.component import CtrTrainer
from models.ctr.config import CtrConfig
from pipeline.kubeflow.artifact_metadata import FIELD, from_metadata, to_metadata
from pipeline.kubeflow.executor_input import ExecutorInput
from transforms.ingest_config import IngestConfig
from transforms.input_error import InputError


def producer(kind, node, output):
    """A channel as a wired component gives it."""
    channel = types.Channel(type=kind)
    resolver = Resolver(**{output: channel}).with_id(node)
    return resolver.outputs[output]


def trainer() -> CtrTrainer:
    return CtrTrainer(
        producer(standard_artifacts.Examples, "LogIngest", "examples"),
        producer(standard_artifacts.TransformGraph, "Transform", "transform_graph"),
        IngestConfig(),
        CtrConfig(integration="id"),
    )


def artifact(kind, number):
    made = kind()
    made.id, made.uri = number, f"/root/{number}"
    return made


def message(tmp_path, **inputs) -> str:
    """As the open-source launcher writes it, types left out."""
    return json.dumps(
        {
            "inputs": {
                "parameterValues": {"logs": "/logs"},
                "artifacts": {
                    name: {"artifacts": [{"name": "7", "uri": "minio://b/x", "metadata": metadata}]}
                    for name, metadata in inputs.items()
                },
            },
            "outputs": {
                "artifacts": {
                    "model": {"artifacts": [{"name": "model", "uri": "minio://b/model", "type": {}}]},
                    "model_run": {"artifacts": [{"name": "model_run", "uri": "minio://b/model_run"}]},
                },
                "outputFile": str(tmp_path / "outputs" / "executor_output.json"),
            },
        }
    )


def test_inputs_get_the_types_that_the_node_says(tmp_path):
    given = ExecutorInput.parse(
        message(
            tmp_path,
            log_ingest__examples=to_metadata([artifact(standard_artifacts.Examples, 5)]),
            transform__transform_graph=to_metadata([artifact(standard_artifacts.TransformGraph, 6)]),
            # Of a run that is wired otherwise: not asked for.
            vocabulary_grower__transform_graph=to_metadata([]),
        )
    )
    inputs = given.inputs_of(trainer())
    assert {name: [(type(each), each.id) for each in entries] for name, entries in inputs.items()} == {
        "examples": [(standard_artifacts.Examples, 5)],
        "transform_graph": [(standard_artifacts.TransformGraph, 6)],
    }


def test_a_resolver_is_given_what_comes_from_stages_alone(tmp_path):
    node = Resolver(
        strategy_class=BlessedModelStrategy,
        candidate=trainer().outputs["model"],
        model=types.Channel(type=standard_artifacts.Model, producer_component_id="CtrTrainer"),
        model_blessing=types.Channel(type=standard_artifacts.ModelBlessing),
    )
    metadata = to_metadata([artifact(standard_artifacts.Model, 9)])
    inputs = ExecutorInput.parse(message(tmp_path, ctr_trainer__model=metadata)).inputs_of(node)
    assert {name: [each.id for each in entries] for name, entries in inputs.items()} == {"candidate": [9]}


def test_a_stage_that_was_not_compiled_is_named(tmp_path):
    given = ExecutorInput.parse(message(tmp_path, log_ingest__examples=to_metadata([])))
    with pytest.raises(
        InputError, match=r"^CtrTrainer takes transform_graph from Transform, which the compiled"
    ):
        given.inputs_of(trainer())


def test_the_answer_has_every_output_with_its_name_and_place(tmp_path):
    given = ExecutorInput.parse(message(tmp_path))
    given.write_output({"model": [artifact(standard_artifacts.Model, 3)]})
    answer = json.loads((tmp_path / "outputs" / "executor_output.json").read_text())["artifacts"]
    (model,), (model_run,) = answer["model"]["artifacts"], answer["model_run"]["artifacts"]
    # Nothing but fields of RuntimeArtifact: the launcher refuses others.
    assert (model["name"], model["uri"], sorted(model)) == (
        "model",
        "minio://b/model",
        ["metadata", "name", "uri"],
    )
    assert [each.uri for each in from_metadata(model["metadata"], standard_artifacts.Model, "model")] == [
        "/root/3"
    ]
    # What this run does not make is there and empty.
    assert model_run["metadata"] == {FIELD: "[]"}


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "{}", '{"outputs": {}}', '{"outputs": 3}'])
def test_other_texts_are_refused(text):
    with pytest.raises(InputError, match="^--executor_input must be the ExecutorInput"):
        ExecutorInput.parse(text)
