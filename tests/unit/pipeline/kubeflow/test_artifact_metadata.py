"""Artifacts in the metadata of Kubeflow's own: what one stage writes, the next one reads."""

import pytest
from google.protobuf import json_format, struct_pb2
from tfx.types import standard_artifacts

from pipeline.kubeflow.artifact_metadata import FIELD, from_metadata, to_metadata
from transforms.input_error import InputError

# No float holds it: the next one down is 9,007,199,254,740,992.
LARGE = 2**53 + 1


def through_kubeflow(metadata):
    """As the backend carries it: a Struct, in which every number is a float."""
    return json_format.MessageToDict(json_format.ParseDict(metadata, struct_pb2.Struct()))


def examples(number: int) -> standard_artifacts.Examples:
    artifact = standard_artifacts.Examples()
    artifact.id, artifact.uri = number, f"/root/examples/{number}"
    artifact.split_names, artifact.span = '["train", "eval"]', 19_732
    artifact.set_int_custom_property("current_model_id", LARGE)
    artifact.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    return artifact


def test_all_of_an_artifact_comes_through():
    metadata = through_kubeflow(to_metadata([examples(LARGE)]))
    (read,) = from_metadata(metadata, standard_artifacts.Examples, "examples")
    assert isinstance(read, standard_artifacts.Examples)
    assert (read.id, read.uri) == (LARGE, f"/root/examples/{LARGE}")
    assert (read.split_names, read.span) == ('["train", "eval"]', 19_732)
    assert read.get_int_custom_property("current_model_id") == LARGE
    assert read.get_string_custom_property("payload_format") == "FORMAT_TF_EXAMPLE"


def test_people_see_the_first_artifacts_properties():
    metadata = to_metadata([examples(1), examples(2)])
    shown = {name: value for name, value in metadata.items() if name != FIELD}
    assert shown == {
        "split_names": '["train", "eval"]',
        "span": "19732",
        "current_model_id": "9007199254740993",
        "payload_format": "FORMAT_TF_EXAMPLE",
        "tfx_uri": "/root/examples/1",
    }


@pytest.mark.parametrize("numbers", [[], [1], [1, 2, 3]])
def test_as_many_come_through_as_there_are(numbers):
    metadata = through_kubeflow(to_metadata([examples(number) for number in numbers]))
    assert [each.id for each in from_metadata(metadata, standard_artifacts.Examples, "examples")] == numbers


@pytest.mark.parametrize(
    "metadata", [{}, {FIELD: "no JSON"}, {FIELD: 7.0}, {FIELD: "[7]"}, {FIELD: '[{"nothing_known": 1}]'}]
)
def test_other_metadata_is_refused_in_one_line(metadata):
    with pytest.raises(InputError, match=f"^input examples: expected the metadata {FIELD}") as error:
        from_metadata(metadata, standard_artifacts.Examples, "examples")
    assert "\n" not in str(error.value)
