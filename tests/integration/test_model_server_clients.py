"""A client that somebody else wrote, with protos of its own, gets predictions, metadata and states."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from served_models import models_config, running, save_model

# ovmsclient brings TF Serving's messages along once more, under the same names, so it has its own process.
CLIENT = """
import json, sys
import numpy as np
transport, port = sys.argv[1:]
if transport == "grpc":
    from ovmsclient import make_grpc_client as make_client
else:
    from ovmsclient import make_http_client as make_client
client = make_client(f"127.0.0.1:{port}")
status = client.get_model_status("m", model_version=3)
metadata = client.get_model_metadata("m", model_version=3)
prediction = client.predict({"x": np.array([0, 1], np.float32)}, "m", model_version=3)
several = {}
try:
    client.get_model_status("m")
    error = None
except Exception as raised:
    error = f"{type(raised).__name__}: {raised}"
print(json.dumps({"status": status, "metadata": metadata, "prediction": np.asarray(prediction).tolist(), "error": error}))
"""


@pytest.fixture(scope="module", params=["grpc", "http"])
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    base = tmp_path_factory.mktemp("clients") / "m"
    save_model(base, 3, addend=2.0)
    # This client has no words for a half, and says so of the whole model.
    with running(models_config(("m", base))) as client:
        port = client.server.grpc_port if request.param == "grpc" else client.server.rest_port
        command = [sys.executable, "-c", CLIENT, request.param, str(port)]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parent
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_predict(answers: dict[str, Any]) -> None:
    assert answers["prediction"] == [2.0, 2.5]


def test_status(answers: dict[str, Any]) -> None:
    assert answers["status"]["3"]["state"] == "AVAILABLE"
    assert answers["status"]["3"]["error_code"] == 0


def test_metadata(answers: dict[str, Any]) -> None:
    metadata = answers["metadata"]
    if "metadata" in metadata:
        # Over REST it hands on what came.
        signatures = metadata["metadata"]["signature_def"]["signature_def"]
        assert metadata["model_spec"]["version"] == "3"
        assert signatures["serving_default"]["inputs"]["x"]["dtype"] == "DT_FLOAT"
    else:
        assert metadata["model_version"] == 3
        assert metadata["inputs"]["x"] == {"shape": [-1], "dtype": "DT_FLOAT"}
        assert metadata["outputs"]["y"]["dtype"] == "DT_FLOAT"


def test_version_0_is_no_default(answers: dict[str, Any]) -> None:
    """This client asks for version 0 when none is given, which its own server takes for the latest, TF Serving not."""
    assert "Could not find version 0 of model m" in answers["error"]
