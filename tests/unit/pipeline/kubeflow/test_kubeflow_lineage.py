"""The records of stages below ROOT."""

import shutil

import pytest
from tfx.types import standard_artifacts

from components.report.summary import Stage
from pipeline.kubeflow.lineage import Lineage, StageRecord, output_values
from transforms.input_error import InputError


@pytest.fixture
def lineage(tmp_path):
    return Lineage(f"{tmp_path}/lineage")


def write(lineage, tmp_path, node, number, key="k", kind=standard_artifacts.Model, output="model"):
    """A record of one artifact, whose folder is there."""
    artifact = kind()
    artifact.id, artifact.uri = number, str(tmp_path / f"{node}-{number}")
    (tmp_path / f"{node}-{number}").mkdir()
    record = StageRecord(node, number, key, number / 10, output_values({output: [artifact]}))
    lineage.write(record)
    return record


def ids(artifacts):
    return [artifact.id for artifact in artifacts]


def test_nothing_is_found_before_anything_was_made(lineage):
    assert lineage.find(standard_artifacts.Model) == []
    assert lineage.reuse("A", "k") is None
    assert lineage.stages(["A"]) == []


def test_artifacts_are_found_by_type_stage_and_output(lineage, tmp_path):
    write(lineage, tmp_path, "A", 12)
    write(lineage, tmp_path, "A", 11)
    write(lineage, tmp_path, "B", 10)
    write(lineage, tmp_path, "B", 13, output="indexed_model")
    write(lineage, tmp_path, "A", 14, kind=standard_artifacts.ModelBlessing, output="blessing")
    assert ids(lineage.find(standard_artifacts.Model)) == [10, 11, 12, 13]
    assert ids(lineage.find(standard_artifacts.Model, "B")) == [10, 13]
    assert ids(lineage.find(standard_artifacts.Model, "B", "indexed_model")) == [13]
    (blessing,) = lineage.find(standard_artifacts.ModelBlessing)
    assert isinstance(blessing, standard_artifacts.ModelBlessing) and blessing.uri == str(tmp_path / "A-14")


def test_the_same_work_is_used_again_while_all_of_it_is_there(lineage, tmp_path):
    old = write(lineage, tmp_path, "A", 10, key="same")
    new = write(lineage, tmp_path, "A", 11, key="same")
    write(lineage, tmp_path, "A", 12, key="other")
    assert lineage.reuse("A", "same") == new
    assert lineage.reuse("B", "same") is None
    shutil.rmtree(tmp_path / "A-11")
    assert lineage.reuse("A", "same") == old
    shutil.rmtree(tmp_path / "A-10")
    assert lineage.reuse("A", "same") is None


def test_stages_tell_what_the_last_run_did(lineage, tmp_path):
    write(lineage, tmp_path, "A", 10, key="one")
    write(lineage, tmp_path, "A", 20, key="two")
    write(lineage, tmp_path, "B", 30)
    assert lineage.stages(["B", "Missing", "A"]) == [
        Stage(name="B", seconds=3.0, cached=False),
        Stage(name="A", seconds=2.0, cached=False),
    ]
    lineage.reuse("A", "one")
    assert lineage.stages(["A"]) == [Stage(name="A", seconds=1.0, cached=True)]


def test_a_record_gives_its_artifacts_back(lineage, tmp_path):
    artifact = standard_artifacts.Examples()
    artifact.uri = str(tmp_path)
    artifact.id, artifact.split_names = 2**60 + 1, '["train"]'
    record = StageRecord("A", 1, "k", 1.0, output_values({"examples": [artifact], "nothing": []}))
    lineage.write(record)
    again = lineage.reuse("A", "k")
    types = {"examples": standard_artifacts.Examples, "nothing": standard_artifacts.Model}
    found = again.artifacts(types)
    assert found["nothing"] == []
    (examples,) = found["examples"]
    assert (examples.id, examples.split_names) == (2**60 + 1, '["train"]')


@pytest.mark.parametrize("content", ["{", "[]", '{"node": "A"}'])
def test_a_file_that_is_no_record_is_named(lineage, tmp_path, content):
    write(lineage, tmp_path, "A", 10, key="k")
    (tmp_path / "lineage/A/11-k.json").write_text(content)
    with pytest.raises(InputError, match="11-k.json: expected the record of a stage"):
        lineage.reuse("A", "k")
