"""The YAML of Kubeflow Pipelines v2, read with the SDK of the same."""

import json

import pytest
import yaml
from google.protobuf import json_format
from kfp.components import load_component_from_text

from pipeline.cli import main
from pipeline.config import override
from pipeline.kubeflow.compile_config import CompileConfig
from pipeline.kubeflow.compile_pipeline import compile_pipeline
from pipeline.kubeflow.stage_resources import StageResources
from pipeline.pipeline import create_pipeline
from pipeline.presets import preset

IMAGE = f"registry.example/adlens@sha256:{'0123456789abcdef' * 4}"
SETTINGS = {"image_encoder": {"augmentation": 0}}


@pytest.fixture(scope="module")
def tiny():
    return create_pipeline("", "/data/root", preset("tiny"))


@pytest.fixture(scope="module")
def small():
    """Fewer stages, for a compile takes seconds."""
    config = override(preset("tiny"), {"modalities": [], "train_recall": False, "ctr": {"integration": "id"}})
    return create_pipeline("", "/data/root", config)


def compiled(pipeline, **values) -> str:
    config = CompileConfig(
        **{"target": "kubeflow", "image": IMAGE, "root": "/data/root", "preset": "tiny"} | values
    )
    return compile_pipeline([pipeline], SETTINGS, config)[0]


def specification(text):
    return json_format.MessageToDict(load_component_from_text(text).pipeline_spec)


def container(spec, name):
    return spec["deploymentSpec"]["executors"][f"exec-{name}"]["container"]


@pytest.fixture(scope="module")
def spec(tiny):
    return specification(
        compiled(
            tiny,
            accelerator="nvidia.com/gpu",
            accelerator_count=2,
            resources={"CtrTrainer": StageResources(16, "64G"), "beam": StageResources(2.5, "6Gi")},
        )
    )


def test_a_run_is_asked_for_logs_date_and_preset(spec):
    assert spec["root"]["inputDefinitions"]["parameters"] == {
        "logs": {"parameterType": "STRING"},
        "date": {"parameterType": "STRING", "defaultValue": "", "isOptional": True},
        "preset": {"parameterType": "STRING", "defaultValue": "tiny", "isOptional": True},
    }


def test_every_stage_has_its_command(spec, tiny):
    for node in tiny.components:
        (name,) = [
            name for name, task in spec["root"]["dag"]["tasks"].items() if task["taskInfo"]["name"] == node.id
        ]
        found = container(spec, name)
        assert found["image"] == IMAGE
        assert found["command"] == ["python", "-m", "pipeline.kubeflow.stage"]
        flags = dict(zip(found["args"][::2], found["args"][1::2], strict=True))
        assert flags.pop("--nodes", "") in ("", ",".join(sorted(each.id for each in tiny.components)))
        assert flags == {
            "--node": node.id,
            "--root": "/data/root",
            "--logs": "{{$.inputs.parameters['logs']}}",
            "--date": "{{$.inputs.parameters['date']}}",
            "--preset": "{{$.inputs.parameters['preset']}}",
            "--settings": json.dumps(SETTINGS),
            "--executor_input": "{{$}}",
        }


def test_the_first_stage_knows_all_others(spec, tiny):
    arguments = container(spec, "log-ingest")["args"]
    nodes = arguments[arguments.index("--nodes") + 1].split(",")
    assert nodes == sorted(node.id for node in tiny.components)
    assert "--nodes" not in container(spec, "ctr-trainer")["args"]


def test_stages_take_what_others_give(spec):
    task = spec["root"]["dag"]["tasks"]["pusher"]
    assert task["inputs"]["artifacts"] == {
        "ctr_trainer__model": {
            "taskOutputArtifact": {"producerTask": "ctr-trainer", "outputArtifactKey": "model"}
        },
        "evaluator__blessing": {
            "taskOutputArtifact": {"producerTask": "evaluator", "outputArtifactKey": "blessing"}
        },
    }
    assert sorted(task["dependentTasks"]) == ["ctr-trainer", "evaluator"]


def test_resources_and_accelerators(spec):
    ctr = container(spec, "ctr-trainer")["resources"]
    assert (ctr["resourceCpuLimit"], ctr["resourceMemoryLimit"]) == ("16", "64G")
    assert (ctr["accelerator"]["resourceType"], ctr["accelerator"]["resourceCount"]) == (
        "nvidia.com/gpu",
        "2",
    )
    ingest = container(spec, "log-ingest")["resources"]
    assert (ingest["resourceCpuLimit"], ingest["resourceMemoryLimit"]) == ("2.5", "6Gi")
    assert "accelerator" not in ingest
    with_accelerator = {
        name
        for name, executor in spec["deploymentSpec"]["executors"].items()
        if "accelerator" in executor["container"]["resources"]
    }
    assert with_accelerator == {
        f"exec-{name}"
        for name in (
            "image-encoder",
            "text-encoder",
            "make-trainer",
            "ctr-trainer",
            "id-baseline",
            "recall-trainer",
        )
    }


def test_every_stage_is_tried_again_and_never_taken_from_kubeflows_cache(spec):
    for task in spec["root"]["dag"]["tasks"].values():
        assert task["retryPolicy"] == {
            "maxRetryCount": 2,
            "backoffDuration": "60s",
            "backoffFactor": 2.0,
            "backoffMaxDuration": "900s",
        }
        assert task["cachingOptions"] == {}


def test_a_claim_is_mounted_in_every_container(small):
    text = compiled(
        small, volume_claim="adlens-root", mount_path="/data", logs="/data/logs", retries=0, reuse=False
    )
    first, second = yaml.safe_load_all(text)
    executors = second["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert sorted(executors) == sorted(first["deploymentSpec"]["executors"])
    assert all(
        each == {"pvcMount": [{"constant": "adlens-root", "mountPath": "/data"}]}
        for each in executors.values()
    )
    assert load_component_from_text(text).platform_spec.platforms["kubernetes"]
    assert first["root"]["inputDefinitions"]["parameters"]["logs"]["defaultValue"] == "/data/logs"
    assert all("retryPolicy" not in task for task in first["root"]["dag"]["tasks"].values())
    assert all(
        each["container"]["args"].count("--anew") == 1
        for each in first["deploymentSpec"]["executors"].values()
    )


def test_vertex_gets_one_document_and_its_own_place(small):
    text = compiled(
        small, target="vertex", root="gs://bucket/root", accelerator="NVIDIA_L4", accelerator_count=1
    )
    (spec,) = yaml.safe_load_all(text)
    arguments = container(spec, "ctr-trainer")["args"]
    assert arguments[arguments.index("--root") + 1] == "/gcs/bucket/root"
    assert container(spec, "ctr-trainer")["resources"]["accelerator"]["resourceType"] == "NVIDIA_L4"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--image=adlens:1"], "--image must name an image by its digest"),
        (["--resources=CtrTrainer"], "--resources expects STAGE=CPU,MEMORY"),
        (["--resources=CtrTrainer=many,4G"], "--resources expects STAGE=CPU,MEMORY"),
        (["--resources=CtrTrainer=1,4GB"], "expected memory with a unit such as 16G, got '4GB'"),
        (
            ["--resources=CtrTrianer=1,4G"],
            "--resources CtrTrianer: no such stage or kind of stages; the nearest is CtrTrainer",
        ),
        (["--accelerator=nvidia.com/gpu"], "--accelerator expects NAME=N"),
        (["--accelerator=nvidia.com/gpu=0"], "--accelerator expects NAME=N"),
        (["--root=relative"], "an absolute path"),
        (["--set=ctr.epoch=1"], "epochs"),
        (["--beam-arg=--job_name={{$.run}}"], "expected no {{$"),
    ],
)
def test_mistakes_end_in_one_line(flags, message, tmp_path, capsys):
    out = tmp_path / "pipeline.yaml"
    command = ["compile", f"--out={out}", "--root=/data/root", f"--image={IMAGE}", "--preset=tiny", *flags]
    assert main(command) == 1
    said = capsys.readouterr().err
    assert message in said and "Traceback" not in said
    assert not out.exists()


def test_the_command_writes_the_file(tmp_path, capsys):
    out = tmp_path / "pipeline.yaml"
    places = [f"--out={out}", "--root=/data/root/", "--image=adlens:1", "--allow-tag"]
    few_stages = [
        "--preset=tiny",
        "--set=modalities=[]",
        "--set=train_recall=false",
        "--set=ctr.integration=id",
    ]
    assert main(["compile", *places, *few_stages]) == 0
    said = capsys.readouterr()
    assert f"{out}: 12 tasks for kubeflow" in said.out
    assert "adlens:1 is a tag" in said.err
    arguments = container(specification(out.read_text()), "ctr-trainer")["args"]
    assert "/data/root" in arguments
    assert json.loads(arguments[arguments.index("--settings") + 1]) == {
        "modalities": [],
        "train_recall": False,
        "ctr": {"integration": "id"},
    }
