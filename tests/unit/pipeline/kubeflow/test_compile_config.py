"""What `adlens compile` can be told, and what it refuses."""

import pytest

from pipeline.kubeflow.compile_config import CompileConfig
from pipeline.kubeflow.stage_resources import BEAM, LIGHT, PLAIN, TRAINER, StageResources
from transforms.input_error import InputError

IMAGE = f"registry.example/adlens@sha256:{'0123456789abcdef' * 4}"


def config(**values) -> CompileConfig:
    return CompileConfig(**{"target": "kubeflow", "image": IMAGE, "root": "/data/root"} | values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"target": "airflow"}, "target must be one of kubeflow, vertex, got 'airflow'"),
        ({"image": "adlens:1.0"}, "by its digest, NAME@sha256:…, got 'adlens:1.0'"),
        ({"image": "adlens@sha256:abc"}, "by its digest"),
        ({"image": "", "allow_tag": True}, "by its digest"),
        ({"root": "root"}, "an absolute path, got 'root'"),
        ({"root": "gs://bucket/root"}, "for a bucket name a claim that mounts it"),
        ({"volume_claim": "No_Claim"}, "must be the name of a claim, got 'No_Claim'"),
        ({"mount_path": "/data"}, "--mount-path needs --volume-claim"),
        ({"volume_claim": "c", "mount_path": "/dat"}, "must lie below --mount-path /dat"),
        ({"retries": 11}, "must lie in 0..10, got 11"),
        (
            {"accelerator": "nvidia.com/gpu"},
            "expected an accelerator and how many, got 'nvidia.com/gpu' and 0",
        ),
        ({"accelerator": "NVIDIA_L4", "accelerator_count": 1}, "such as nvidia.com/gpu, got 'NVIDIA_L4'"),
        ({"target": "vertex"}, "must be gs://BUCKET/FOLDER for Vertex AI, got '/data/root'"),
        ({"target": "vertex", "root": "gs://bucket"}, "must be gs://BUCKET/FOLDER"),
        ({"target": "vertex", "root": "gs://b/r", "volume_claim": "c"}, "is for --target kubeflow"),
    ],
)
def test_what_cannot_run_is_refused(values, message):
    with pytest.raises(InputError) as error:
        config(**values)
    assert message in str(error.value)


def test_a_tag_is_taken_where_it_is_allowed():
    assert config(image="adlens:1.0", allow_tag=True).image == "adlens:1.0"


def test_the_claim_is_mounted_at_the_root_or_above():
    assert config(volume_claim="c").mounted_at == "/data/root"
    assert config(volume_claim="c", mount_path="/data").mounted_at == "/data"


def test_vertex_sees_buckets_below_gcs():
    assert config(target="vertex", root="gs://bucket/some/root").container_root == "/gcs/bucket/some/root"
    assert config(target="vertex", root="/gcs/bucket/root").container_root == "/gcs/bucket/root"
    assert config().container_root == "/data/root"


def test_resources_go_by_kind_and_by_name():
    defaults = config()
    kinds = {kind: defaults.resources_of("Any", kind) for kind in ("light", "plain", "beam", "trainer")}
    assert kinds == {"light": LIGHT, "plain": PLAIN, "beam": BEAM, "trainer": TRAINER}
    told = config(resources={"plain": StageResources(3, "9G"), "Inspector": StageResources(4, "10Gi")})
    assert told.resources_of("Release", "plain") == StageResources(3, "9G")
    assert told.resources_of("Inspector", "plain") == StageResources(4, "10Gi")


def test_trainers_alone_get_accelerators():
    told = config(
        accelerator="nvidia.com/gpu", accelerator_count=2, resources={"trainer": StageResources(3, "9G")}
    )
    assert told.resources_of("CtrTrainer", "trainer") == StageResources(3, "9G", "nvidia.com/gpu", 2)
    assert told.resources_of("LogIngest", "beam") == BEAM


@pytest.mark.parametrize(
    "values", [(0, "4G"), (1, "4"), (1, "G"), (1, "4GB"), (1, "4G", "nvidia.com/gpu"), (1, "4G", "", 1)]
)
def test_resources_are_checked(values):
    with pytest.raises(InputError, match="^resources: expected"):
        StageResources(*values)
