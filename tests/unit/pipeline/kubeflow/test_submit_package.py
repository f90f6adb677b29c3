"""A compiled pipeline as a file: what is read of it, and which values its parameters take."""

from pathlib import Path

import pytest
import yaml

from pipeline.kubeflow import submit_package
from pipeline.kubeflow.submit_package import PipelinePackage
from transforms.input_error import InputError

KINDS = {
    "logs": "STRING",
    "epochs": "NUMBER_INTEGER",
    "rate": "NUMBER_DOUBLE",
    "fast": "BOOLEAN",
    "names": "LIST",
    "more": "STRUCT",
}


@pytest.fixture
def package(tmp_path: Path) -> PipelinePackage:
    parameters = {name: {"parameterType": kind, "isOptional": name != "logs"} for name, kind in KINDS.items()}
    spec = {
        "pipelineInfo": {"name": "shop"},
        "root": {
            "dag": {"tasks": {"train": {"taskInfo": {"name": "train"}}}},
            "inputDefinitions": {"parameters": parameters},
        },
    }
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump(spec))
    return PipelinePackage.read(path)


def test_name_and_parameters(package: PipelinePackage) -> None:
    assert package.name == "shop"
    assert set(package.parameters) == set(KINDS)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("logs=a=b", "a=b"),
        ("logs=", ""),
        ("logs=7", "7"),
        ("epochs=7", 7),
        ("rate=1e-3", 0.001),
        ("fast=false", False),
        ('names=["a", 1]', ["a", 1]),
        ('more={"a": {"b": 1}}', {"a": {"b": 1}}),
    ],
)
def test_values_have_the_types_that_the_pipeline_wants(
    package: PipelinePackage, setting: str, value: object
) -> None:
    found = package.values(["logs=x", setting])[setting.partition("=")[0]]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([], "needs --param logs=…"),
        (["logs=x", "zzz=1"], "has no parameter zzz; it has epochs, fast, logs, more, names, rate"),
        (["=x"], "--param expects name=value, got '=x'"),
        (["rate=nan"], "--param rate must be a number, got 'nan'"),
        (["fast=yes"], "--param fast must be true or false, got 'yes'"),
        (["names={}"], "--param names must be a list in JSON, got '{}'"),
        (["more=[1]"], r"--param more must be a mapping in JSON, got '\[1\]'"),
        (["more={"], "--param more must be a mapping in JSON, got '{'"),
    ],
)
def test_mistakes_in_parameters(package: PipelinePackage, settings: list[str], message: str) -> None:
    with pytest.raises(InputError, match=f"{message}$"):
        package.values(settings)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.yaml", None, "cannot be read: No such file or directory"),
        ("p.json", b"{}", "must be a file that ends in .yaml or .yml"),
        ("p.yaml", b"\xff\xfe\x00", "is no YAML: it is no text"),
        ("p.yaml", b"[", "is no YAML: while parsing"),
        ("p.yaml", b"", "is no compiled pipeline"),
        ("p.yaml", b"just words", "is no compiled pipeline"),
        ("p.yaml", b"apiVersion: v1\nkind: Pod\n", 'no field named "apiVersion"'),
        ("p.yaml", b"pipelineInfo: {name: shop}\n", "expected pipelineInfo and root with its tasks"),
        ("p.yaml", b"!!python/object/apply:os.getcwd []\n", "is no YAML: could not determine a constructor"),
    ],
)
def test_files_that_are_no_pipeline(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        PipelinePackage.read(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_too_large(package: PipelinePackage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit_package, "MAX_BYTES", 10)
    with pytest.raises(InputError, match="must have at most 10 bytes, got"):
        PipelinePackage.read(package.path)
