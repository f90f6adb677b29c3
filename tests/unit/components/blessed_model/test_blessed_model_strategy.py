"""The resolver of the baseline, alone and in a pipeline that is run again."""

from pathlib import Path

import pytest
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.types.standard_artifacts import Model, ModelBlessing

from components.blessed_model.strategy import BlessedModelStrategy


def model(number: int) -> Model:
    artifact = Model()
    artifact.id = number
    return artifact


def verdict(number: int, model_id: int, blessed: bool) -> ModelBlessing:
    artifact = ModelBlessing()
    artifact.id = number
    artifact.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model_id)
    artifact.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, int(blessed))
    return artifact


@pytest.mark.parametrize(
    ("candidate", "verdicts", "expected"),
    [
        (1, [], None),  # the first run
        (1, [(10, 1, True)], None),  # the first run again: its own blessing does not count
        (2, [(10, 1, True)], 1),
        (2, [(10, 1, True), (20, 2, True)], 1),  # again, after it was blessed
        (3, [(10, 1, True), (20, 2, False)], 1),  # what was not blessed is no baseline
        (3, [(10, 1, True), (20, 2, True)], 2),
        (1, [(10, 1, True), (20, 2, True)], 2),  # back to an older configuration, whose model is cached
        (3, [(10, 1, True), (20, 2, True), (30, 1, True)], 1),  # that went back was blessed last
        (3, [(20, 2, True), (10, 1, True)], 2),  # the order of the channel does not count
        (3, [(40, 99, True)], None),  # a blessing of some other component's model
    ],
)
def test_picks_the_last_blessed_other_model(candidate, verdicts, expected) -> None:
    inputs = {
        "candidate": [model(candidate)],
        "model": [model(3), model(1), model(2)],
        "model_blessing": [verdict(*row) for row in verdicts],
    }
    result = BlessedModelStrategy().resolve_artifacts(None, inputs)
    assert [artifact.id for artifact in result["candidate"]] == [candidate]
    assert [artifact.id for artifact in result["model"]] == ([expected] if expected else [])
    blessed = [artifact.get_int_custom_property("current_model_id") for artifact in result["model_blessing"]]
    assert blessed == ([expected] if expected else [])


@component
def Train(model: OutputArtifact[Model], log: Parameter[str], seed: Parameter[int]):
    Path(model.uri).mkdir(parents=True, exist_ok=True)
    with open(log, "a") as file:
        file.write(f"train {seed}\n")


@component
def Judge(
    model: InputArtifact[Model],
    blessing: OutputArtifact[ModelBlessing],
    log: Parameter[str],
    baseline: InputArtifact[Model] = None,
):
    blessing.set_int_custom_property("blessed", 1)
    blessing.set_int_custom_property("current_model_id", model.id)
    with open(log, "a") as file:
        file.write(f"judge {model.id} against {baseline.id if baseline else None}\n")


def run(folder: Path, seed: int) -> list[str]:
    """Runs Train, the resolver and Judge; returns what was executed, not taken from the cache."""
    log = folder / f"log-{seed}-{len(list(folder.iterdir()))}"
    log.touch()
    # The log's name is a parameter and would undo the cache: the components write through one fixed link.
    link = folder / "log"
    link.unlink(missing_ok=True)
    link.symlink_to(log)
    train = Train(log=str(link), seed=seed)
    resolve = Resolver(
        strategy_class=BlessedModelStrategy,
        candidate=train.outputs["model"],
        model=types.Channel(type=Model, producer_component_id=train.id),
        model_blessing=types.Channel(type=ModelBlessing),
    ).with_id("BlessedModel")
    judge = Judge(model=train.outputs["model"], baseline=resolve.outputs["model"], log=str(link))
    LocalDagRunner().run(
        pipeline.Pipeline(
            pipeline_name="blessed",
            pipeline_root=str(folder / "root"),
            components=[train, resolve, judge],
            enable_cache=True,
            metadata_connection_config=metadata.sqlite_metadata_connection_config(
                str(folder / "metadata.db")
            ),
        )
    )
    return log.read_text().splitlines()


def test_a_repeated_run_takes_all_from_the_cache(tmp_path) -> None:
    first = run(tmp_path, 1)
    assert first[0] == "train 1" and first[1].endswith("against None")
    assert run(tmp_path, 1) == []
    second = run(tmp_path, 2)
    old = first[1].split()[1]
    assert second[0] == "train 2" and second[1].endswith(f"against {old}")
    assert run(tmp_path, 2) == []
