"""The model server over REST, against the words and the bytes of TF Serving."""

import gzip
import http.client
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from served_models import Client, models_config, running, save_model, values
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc
from tensorflow_serving.config.file_system_storage_path_source_pb2 import FileSystemStoragePathSourceConfig

from serving.model_server.saved_model import SavedModel

PREDICT = "/v1/models/m:predict"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    base = tmp_path_factory.mktemp("rest") / "m"
    save_model(base, 1, addend=2.0)
    save_model(base, 2, addend=10.0)
    policy = FileSystemStoragePathSourceConfig.ServableVersionPolicy(all={})
    models = (("team/ä", base), ("m", base))
    with running(models_config(*models, model_version_policy=policy), metrics_path="/metrics") as client:
        while client.states() != [(2, 30), (1, 30)]:
            pass
        labeled = models_config(*models, model_version_policy=policy, version_labels={"stable": 1, "a/b": 2})
        model_service_pb2_grpc.ModelServiceStub(client.channel).HandleReloadConfigRequest(
            model_management_pb2.ReloadConfigRequest(config=labeled)
        )
        yield client


def error_of(answer: tuple[int, bytes]) -> tuple[int, str]:
    return answer[0], json.loads(answer[1])["error"]


@pytest.mark.parametrize(
    ("signature", "body", "expected"),
    [
        ("", {"instances": [0, 1]}, {"predictions": [10.0, 10.5]}),
        ("", {"instances": [{"x": 0}]}, {"predictions": [10.0]}),
        ("", {"inputs": [0, 1]}, {"outputs": [10.0, 10.5]}),
        ("", {"inputs": {"x": [0]}}, {"outputs": [10.0]}),
        (
            "several",
            {"instances": [{"a": 3, "b": 1}, {"a": 0.5, "b": 0}]},
            {"predictions": [{"difference": 2.0, "sum": 4.0}, {"difference": 0.5, "sum": 0.5}]},
        ),
        (
            "several",
            {"inputs": {"a": [3], "b": [1], "extra": 5}},
            {"outputs": {"difference": [2.0], "sum": [4.0]}},
        ),
        (
            "strings",
            {"instances": ["a", {"b64": "/w=="}]},
            None,
        ),
        ("scalar", {"inputs": 4}, {"outputs": 5}),
        ("words", {"instances": ["red", "blue", "x"]}, {"predictions": [0, 1, -1]}),
        ("total", {"inputs": [1, 2.5]}, {"outputs": 3.5}),
        ("unsigned", {"instances": [0, 255]}, {"predictions": [0, 255]}),
        ("flags", {"instances": [True, False]}, {"predictions": [False, True]}),
        ("matrix", {"instances": [[1, 2], [3, 4]]}, {"predictions": [[2.0, 4.0], [6.0, 8.0]]}),
        ("matrix", {"inputs": [[[1]]]}, {"outputs": [[[2.0]]]}),
    ],
)
def test_predictions(client: Client, signature: str, body: dict, expected: dict | None) -> None:
    if expected is None:
        status, answer = client.rest(PREDICT, {"signature_name": signature, **body})
        # The second text is no UTF-8, so it goes out as it came; the other output is in base64.
        assert status == 200 and b'"text": "\xff"' in answer and b'{"b64": "/yE="}' in answer
    else:
        assert client.rest_predict(body, signature) == (200, expected)


def test_the_bytes_of_an_answer(client: Client) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", client.server.rest_port)
    connection.request("POST", PREDICT, b'{"instances": [0, 0.4]}', {"Content-Type": "text/nonsense"})
    response = connection.getresponse()
    assert response.read() == b'{\n    "predictions": [10.0, 10.2\n    ]\n}'
    assert response.getheader("Content-Type") == "application/json"
    assert response.getheader("Access-Control-Allow-Origin") is None
    connection.close()


def test_json_that_is_none_elsewhere(client: Client) -> None:
    status, answer = client.rest_predict(b'{"instances": [NaN, Infinity, -Infinity, 1e39]} and more')
    infinite = math.inf
    assert status == 200 and math.isnan(answer["predictions"][0])
    assert answer["predictions"][1:] == [infinite, -infinite, infinite]
    assert client.rest_predict(b'{"instances": [0], "instances": ["x"], "other": {}}') == (
        200,
        {"predictions": [10.0]},
    )


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/v1/models/m/versions/1:predict", 1),
        ("/V1/Models/m/VERSIONS/001:predict", 1),
        ("/v1/models/m/labels/stable:predict", 1),
        ("/v1/models/m/labels/a%2Fb:predict", 2),
        ("/v1/models/team%2F%C3%A4:predict", 2),
        ("/v1/models/%6d:predict", 2),
    ],
)
def test_paths(client: Client, path: str, version: int) -> None:
    assert json.loads(client.rest(path, '{"instances": [0]}')[1]) == {
        "predictions": [{1: 2.0, 2: 10.0}[version]]
    }


BODY = '{"instances": [0]}'


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("POST", f"{PREDICT}?x=1", BODY, 400, f"Malformed request: POST {PREDICT}?x=1"),
        ("POST", "/v1/models/m:PREDICT", BODY, 400, "Malformed request: POST /v1/models/m:PREDICT"),
        ("POST", "/v1/models/m", BODY, 400, "Malformed request: POST /v1/models/m"),
        ("POST", "/v1/models/m/versions/-1:predict", BODY, 400, "Malformed request"),
        ("POST", "/v1/models/m/versions/1/labels/stable:predict", BODY, 400, "Malformed request"),
        ("PUT", PREDICT, BODY, 400, f"Malformed request: PUT {PREDICT}"),
        ("DELETE", "/v1/models/m", None, 400, "Malformed request: DELETE /v1/models/m"),
        ("OPTIONS", PREDICT, None, 400, f"Malformed request: OPTIONS {PREDICT}"),
        ("GET", PREDICT, None, 400, f"Malformed request: GET {PREDICT}"),
        ("GET", "/v1/", None, 400, "Malformed request: GET /v1/"),
        ("GET", "/v1/models", None, 400, "Missing model name in request."),
        ("GET", "/v1/models/absent", None, 404, "Could not find any versions of model absent"),
        ("GET", "/v1/models/m?x=1", None, 404, "Could not find any versions of model m?x=1"),
        ("GET", "/v1/models/m/versions/7", None, 404, "Could not find version 7 of model m"),
        ("GET", "/v1/models/m/versions/0", None, 404, "Could not find version 0 of model m"),
        ("GET", "/v1/models/absent/metadata", None, 404, "Servable not found for request: Latest(absent)"),
        (
            "GET",
            "/v1/models/m/versions/7/metadata",
            None,
            404,
            "Servable not found for request: Specific(m, 7)",
        ),
        ("POST", "/v1/models/absent:predict", BODY, 404, "Servable not found for request: Latest(absent)"),
        ("POST", "/v1/models/absent:predict", "{}", 404, "Servable not found for request: Latest(absent)"),
        ("POST", "/v1/models/absent:predict", "{", 400, "JSON Parse error: Missing a name"),
        ("POST", "/v1/models/absent:predict", '{"signature_name": 1}', 400, "must be a string value."),
        ("POST", "/v1/models/absent:predict", "", 400, "JSON Parse error: The document is empty"),
        (
            "POST",
            "/v1/models/m/labels/x:predict",
            BODY,
            400,
            "Unrecognized servable version label: x",
        ),
        (
            "POST",
            PREDICT,
            '{"signature_name": "absent"}',
            400,
            'Serving signature name: "absent" not found in signature def',
        ),
        ("POST", PREDICT, "{}", 400, "Missing 'inputs' or 'instances' key"),
        ("POST", PREDICT, '{"instances": ["x"]}', 400, "Failed to process element: 0 of 'instances' list."),
        (
            "POST",
            PREDICT,
            '{"signature_name": "checked", "inputs": [1, 2, 3]}',
            400,
            "Input to reshape is a tensor with 3 values",
        ),
        (
            "POST",
            PREDICT,
            '{"signature_name": "half", "inputs": [1]}',
            501,
            "Conversion of JSON Value: 1 to type: half",
        ),
        (
            "POST",
            PREDICT,
            '{"signature_name": "half", "instances": [1]}',
            400,
            "Failed to process element: 0",
        ),
        (
            "POST",
            PREDICT,
            '{"signature_name": "total", "instances": [1]}',
            400,
            "Tensor name: y has no shape information",
        ),
        (
            "GET",
            "/v1/models/m/labels/absent/metadata",
            None,
            400,
            "Unrecognized servable version label: absent",
        ),
        ("POST", "/v1/models/m:classify", "{}", 501, "classify is not supported"),
        ("POST", "/v1/models/m:regress", "{}", 501, "regress is not supported"),
    ],
)
def test_errors(client: Client, method: str, path: str, body: str | None, status: int, message: str) -> None:
    data = body.encode() if body is not None else None
    came, error = error_of(client.rest(path, data, method))
    assert came == status and message in error


def test_a_version_beyond_64_bits_has_an_empty_answer(client: Client) -> None:
    for version in (str(2**63), "9" * 5_000):
        assert client.rest(f"/v1/models/m/versions/{version}:predict", BODY) == (400, b"")
        assert client.rest(f"/v1/models/m/versions/{version}") == (400, b"")
        assert client.rest(f"/v1/models/m/versions/{version}/metadata") == (400, b"")
        # A label is no number: as one that is not there, it says nothing of the status, and is refused elsewhere.
        assert client.rest(f"/v1/models/m/labels/{version}")[0] == 200
        assert "Unrecognized" in error_of(client.rest(f"/v1/models/m/labels/{version}/metadata"))[1]
    largest = 2**63 - 1
    assert error_of(client.rest(f"/v1/models/m/versions/{largest}")) == (
        404,
        f"Could not find version {largest} of model m",
    )


def test_outside_of_the_api(client: Client) -> None:
    for path in ("/", "/v2/models/m", "/v1", "/metricsx"):
        status, body = client.rest(path)
        assert status == 404 and b"<H1>Not Found</H1>" in body


def test_status(client: Client) -> None:
    status, answer = client.rest("/v1/models/m")
    ok = {"error_code": "OK", "error_message": ""}
    assert status == 200 and json.loads(answer) == {
        "model_version_status": [
            {"version": "2", "state": "AVAILABLE", "status": ok},
            {"version": "1", "state": "AVAILABLE", "status": ok},
        ]
    }
    for path in ("/v1/models/m/versions/1", "/v1/models/m/versions/01"):
        (one,) = json.loads(client.rest(path)[1])["model_version_status"]
        assert one["version"] == "1"
    # Labels say nothing here, not even ones that are not there.
    for label in ("stable", "absent"):
        assert len(json.loads(client.rest(f"/v1/models/m/labels/{label}")[1])["model_version_status"]) == 2
    # The verb alone has its case.
    assert "model_version_status" in json.loads(client.rest("/v1/models/m/METADATA")[1])


def test_metadata(client: Client) -> None:
    for path, version in (("", "2"), ("/versions/1", "1"), ("/labels/stable", "1")):
        metadata = json.loads(client.rest(f"/v1/models/m{path}/metadata")[1])
        assert metadata["model_spec"] == {"name": "m", "signature_name": "", "version": version}
        signatures = metadata["metadata"]["signature_def"]["signature_def"]
        assert signatures["serving_default"]["inputs"]["x"] == {
            "dtype": "DT_FLOAT",
            "name": "serving_default_x:0",
            "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
        }
        assert signatures["serving_default"]["method_name"] == "tensorflow/serving/predict"
        assert {"several", "strings", "__saved_model_init_op"} <= signatures.keys()


def test_gzip(client: Client) -> None:
    packed = gzip.compress(BODY.encode())
    assert client.rest(PREDICT, packed, Content_Encoding="gzip")[0] == 200
    assert client.rest(PREDICT, packed)[0] == 400
    for broken in (b"no gzip", packed[:-3], gzip.compress(b" " * (100 * 1024 * 1024 + 1))):
        status, error = error_of(client.rest(PREDICT, broken, Content_Encoding="gzip"))
        assert status == 400 and "uncompress" in error


def test_a_body_of_any_size(client: Client) -> None:
    megabytes = 40
    body = b'{"ignored": "' + b"a" * (megabytes << 20) + b'", "instances": [0]}'
    assert client.rest_predict(body) == (200, {"predictions": [10.0]})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/models/m", 200),
        ("GET", "/v1/models/m/metadata", 200),
        ("GET", "/v1/models/absent", 404),
        ("POST", PREDICT, 400),
        ("PUT", PREDICT, 400),
        ("POST", "/v1/models/m:classify", 501),
        ("GET", f"/v1/models/m/versions/{2**63}", 400),
    ],
)
def test_all_answers_are_json(client: Client, method: str, path: str, status: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", client.server.rest_port)
    connection.request(method, path, headers={"Accept": "text/html"})
    response = connection.getresponse()
    response.read()
    assert (response.status, response.getheader("Content-Type")) == (status, "application/json")
    connection.close()


def test_endless_nesting(client: Client) -> None:
    nested = "[" * 100_000 + "]" * 100_000
    for body in (f'{{"instances": {nested}}}', f'{{"inputs": {nested}}}', nested, "[" * 100_000):
        assert client.rest(PREDICT, body)[0] == 400


def test_metrics(client: Client) -> None:
    def count(status: str) -> float:
        families = text_string_to_metric_families(client.rest("/metrics")[1].decode())
        samples = [sample for family in families for sample in family.samples]
        return sum(
            sample.value
            for sample in samples
            if sample.name.removesuffix("_total") == ":tensorflow:serving:request_count"
            and sample.labels == {"model_name": "m", "status": status}
        )

    ok, invalid = count("OK"), count("INVALID_ARGUMENT")
    client.rest(PREDICT, BODY)
    client.predict(x=[1.0])
    client.rest(PREDICT, "{")
    assert (count("OK"), count("INVALID_ARGUMENT")) == (ok + 2, invalid + 1)
    page = client.rest("/metrics")[1].decode()
    for labels in ('API="predict",entrypoint="REST"', 'API="Predict",entrypoint="GRPC"'):
        assert f':tensorflow:serving:request_latency_count{{model_name="m",{labels}}}' in page


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.sampled_from(["x", "a", "b64", "text", ""]), children, max_size=3)
    ),
    max_leaves=10,
)
SIGNATURES = [
    "serving_default",
    "matrix",
    "several",
    "strings",
    "scalar",
    "half",
    "words",
    "checked",
    "",
    "zz",
]


@given(
    st.sampled_from(SIGNATURES),
    st.sampled_from(["instances", "inputs"]),
    JSON,
    st.sampled_from(["", "/versions/1"]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_json_is_the_servers_fault(
    client: Client, signature: str, key: str, value: Any, version: str
) -> None:
    body = json.dumps({"signature_name": signature, key: value})
    status, answer = client.rest(f"/v1/models/m{version}:predict", body)
    assert status in (200, 400, 501)
    # Strings may go out as bytes that are no UTF-8.
    assert status == 200 or json.loads(answer.decode("utf-8", "replace"))["error"]


@given(st.binary(max_size=60), st.binary(max_size=30))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_are_the_servers_fault(client: Client, path: bytes, body: bytes) -> None:
    quoted = "".join(f"%{byte:02x}" if byte < 0x21 or byte > 0x7E else chr(byte) for byte in path)
    status, _ = client.rest(f"/v1/models/{quoted.replace('#', '')}", body)
    assert status in (400, 404)
    assert client.rest(PREDICT, body, Content_Encoding="gzip")[0] == 400
    assert client.rest(PREDICT, body)[0] == 400


class FailingModel(SavedModel):
    """Fails with TensorFlow's error of the code that its input says."""

    def _make_call(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> Any:
        def call(x: np.ndarray) -> list[np.ndarray]:
            raise ERRORS[int(x[0])](None, None, "as it was asked to")

        return call


CLASSES = (
    tf.errors.CancelledError,
    tf.errors.UnknownError,
    tf.errors.InvalidArgumentError,
    tf.errors.DeadlineExceededError,
    tf.errors.NotFoundError,
    tf.errors.AlreadyExistsError,
    tf.errors.PermissionDeniedError,
    tf.errors.ResourceExhaustedError,
    tf.errors.FailedPreconditionError,
    tf.errors.AbortedError,
    tf.errors.OutOfRangeError,
    tf.errors.UnimplementedError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
    tf.errors.DataLossError,
    tf.errors.UnauthenticatedError,
)
ERRORS = dict(enumerate(CLASSES, start=1))
# As TF Serving maps them, by the number that a code has in TensorFlow and in gRPC alike.
STATUSES = {
    1: ("CANCELLED", 499),
    2: ("UNKNOWN", 500),
    3: ("INVALID_ARGUMENT", 400),
    4: ("DEADLINE_EXCEEDED", 504),
    5: ("NOT_FOUND", 404),
    6: ("ALREADY_EXISTS", 409),
    7: ("PERMISSION_DENIED", 403),
    8: ("RESOURCE_EXHAUSTED", 429),
    9: ("FAILED_PRECONDITION", 400),
    10: ("ABORTED", 409),
    11: ("OUT_OF_RANGE", 400),
    12: ("UNIMPLEMENTED", 501),
    13: ("INTERNAL", 500),
    14: ("UNAVAILABLE", 503),
    15: ("DATA_LOSS", 500),
    16: ("UNAUTHENTICATED", 401),
}


def test_each_code_has_its_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(tmp_path / "m", 1)
    monkeypatch.setattr("serving.model_server.model_server.SavedModel", FailingModel)
    with running(models_config(("m", tmp_path / "m"))) as client:
        for number, (name, status) in STATUSES.items():
            answer = client.rest(PREDICT, {"instances": [number]})
            assert error_of(answer) == (status, "as it was asked to"), name
            with pytest.raises(grpc.RpcError) as raised:
                client.predict(x=np.float32([number]))
            assert (raised.value.code().name, raised.value.details()) == (name, "as it was asked to")


@pytest.mark.parametrize("method_name", ["", "tensorflow/serving/classify"])
def test_the_method_that_a_signature_names_is_not_looked_at(tmp_path: Path, method_name: str) -> None:
    file = save_model(tmp_path / "m", 1, addend=2.0) / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    saved.meta_graphs[0].signature_def["serving_default"].method_name = method_name
    file.write_bytes(saved.SerializeToString())
    with running(models_config(("m", tmp_path / "m"))) as client:
        assert client.rest_predict({"instances": [4]}) == (200, {"predictions": [4.0]})
        assert values(client.predict(x=np.float32([4])), "y") == [4.0]


def test_cross_origin_requests_when_they_are_allowed(tmp_path: Path) -> None:
    save_model(tmp_path / "m", 1)
    with running(models_config(("m", tmp_path / "m")), allows_cors=True) as client:
        connection = http.client.HTTPConnection("127.0.0.1", client.server.rest_port)
        for method, path in (("OPTIONS", PREDICT), ("GET", "/v1/models/m")):
            connection.request(method, path)
            response = connection.getresponse()
            response.read()
            assert response.status == 200
            assert response.getheader("Access-Control-Allow-Origin") == "*"
            assert response.getheader("Access-Control-Allow-Methods") == "POST, GET"
        connection.close()
        # Metrics are off unless they are configured.
        assert client.rest("/monitoring/prometheus/metrics")[0] == 404
