"""Whatever is asked, the gateway answers as its OpenAPI says, and no mistake of a client is a fault of its own.

The engine, the stores and the models are real; the models are small. With ADLENS_FUZZ_EXAMPLES more is tried.
"""

import base64
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from online_models import picture
from running_gateway import RunningGateway, running_gateway
from schemathesis_hooks import IDS, pictures

from serving.gateway.http.http_options import HttpOptions

IS_LONG = "ADLENS_FUZZ_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("ADLENS_FUZZ_EXAMPLES", "25"))
SUPPORT = Path(__file__).resolve().parents[1] / "support"
QUICK = settings(
    max_examples=4 * EXAMPLES,
    deadline=None,
    derandomize=not IS_LONG,
    suppress_health_check=list(HealthCheck),
)
# What is no fault: a wrong request, or a thing that is not there.
REFUSED = {400, 404, 405, 408, 413, 415}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    options = HttpOptions(deadline_seconds=60, rate_limit=0)
    with running_gateway(tmp_path_factory.mktemp("fuzz"), options) as gateway:
        yield gateway
        assert httpx.get(f"{gateway.url}/ready", trust_env=False).status_code == 200


@pytest.fixture(scope="module")
def client(gateway: RunningGateway) -> Iterator[httpx.Client]:
    with gateway.client() as client:
        yield client


def test_answers_are_as_openapi_says(gateway: RunningGateway, tmp_path: Path) -> None:
    """Schemathesis with all its checks: status, type, schema, refusal of what is wrong, acceptance of what is not."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{gateway.url}/openapi.json",
        "--checks=all",
        "--phases=examples,coverage,fuzzing",
        f"--max-examples={EXAMPLES}",
        "--suppress-health-check=all",
        *([] if IS_LONG else ["--generation-deterministic"]),
    ]
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
        "PYTHONPATH": str(SUPPORT),
        "NO_PROXY": "127.0.0.1",
    }
    found = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    print(found.stdout)
    assert found.returncode == 0, found.stdout[-6_000:] + found.stderr[-2_000:]
    # All operations were tried.
    assert "12 selected / 12 total" in found.stdout


def check(response: httpx.Response) -> None:
    """A request is answered or refused, and a refusal has its shape."""
    assert response.status_code in REFUSED | {200, 202}, (response.status_code, response.text)
    if response.status_code in REFUSED:
        assert response.json().keys() == {"error"}


MALFORMED = st.one_of(
    st.binary(max_size=200),
    st.tuples(
        st.sampled_from([b'{"user": {"gender": ', b'{"k": ', b'{"behaviors": [', b'{"text": ', b""]),
        st.sampled_from(
            [
                b"NaN",
                b"1e999",
                b"-Infinity",
                b"9" * 5_000,
                b"0." + b"0" * 5_000 + b"1",
                b"[" * 3_000,
                b'{"a":' * 3_000,
                b'"\xff\xfe"',
                b'"\\ud800"',
                b'"\\u0000"',
                b'"' + b"a" * 100_000 + b'"',
                b"null",
                b"true",
                b"1" * 19,
                b"-" * 10,
            ]
        ),
        st.sampled_from([b"}", b"}}", b"]}", b"", b"} {}"]),
    ).map(b"".join),
)


@given(st.sampled_from(["/v1/recommend", "/v1/similar"]), MALFORMED)
@QUICK
def test_malformed_bodies(client: httpx.Client, path: str, body: bytes) -> None:
    check(client.post(path, content=body, headers={"Content-Type": "application/json"}))
    check(client.put("/v1/items/fuzz", content=body, headers={"Content-Type": "application/json"}))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(["user_id", "gender", "price", "", "\0"]) | st.text(max_size=9), VALUES),
    st.lists(
        st.dictionaries(st.sampled_from(["item_id", "category_id", "shop_id"]), VALUES | IDS), max_size=5
    ),
    VALUES | st.integers(1, 200),
)
@QUICK
def test_values_of_any_kind(client: httpx.Client, user: dict, behaviors: list, k: Any) -> None:
    body = json.dumps({"user": user, "behaviors": behaviors, "k": k}).encode("utf-8")
    check(client.post("/v1/recommend", content=body, headers={"Content-Type": "application/json"}))
    item = {"title": "red", "category_id": "c0", "shop_id": "s0", "features": user}
    body = json.dumps(item).encode("utf-8")
    check(client.put("/v1/items/fuzz", content=body, headers={"Content-Type": "application/json"}))


@given(st.sampled_from(["GET", "PUT", "DELETE", "HEAD", "TRACE"]), st.binary(max_size=40), st.booleans())
@QUICK
def test_paths_of_any_bytes(client: httpx.Client, method: str, path: bytes, is_item: bool) -> None:
    quoted = "".join(f"%{byte:02X}" for byte in path)
    prefix = "/v1/items/" if is_item else "/"
    for url in (prefix + quoted, f"{prefix}{quoted}/image", f"/v1/items?after={quoted}&limit={quoted}"):
        response = client.request(method, url)
        assert response.status_code in REFUSED | {200}


@st.composite
def damaged_pictures(draw: st.DrawFn) -> bytes:
    """A picture with bytes cut off, flipped or put in."""
    data = bytearray(draw(pictures() | st.just(picture((9, 9, 9)))))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data) - 1))
        kind = draw(st.sampled_from(["cut", "flip", "insert"]))
        if kind == "cut":
            data = data[: place + 1]
        elif kind == "flip":
            data[place] = draw(st.integers(0, 255))
        else:
            data[place:place] = draw(st.binary(max_size=9))
    return bytes(data)


@given(damaged_pictures() | st.binary(max_size=60))
@QUICK
def test_malformed_pictures(client: httpx.Client, data: bytes) -> None:
    image = base64.b64encode(data).decode()
    check(client.post("/v1/similar", json={"image": image, "k": 1}))
    check(client.put("/v1/items/fuzz", json={"image": image, "category_id": "c0", "shop_id": "s0"}))
    check(client.get("/v1/items/fuzz/image"))


@given(
    st.binary(max_size=300)
    | st.tuples(
        st.sampled_from([b"GET", b"PUT", b"POST", b"G\xffT", b""]),
        st.binary(max_size=20),
        st.sampled_from([b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b" HTTP/9.9\r\n", b"\r\n"]),
        st.lists(st.binary(max_size=20).map(lambda line: line + b"\r\n"), max_size=3).map(b"".join),
        st.sampled_from([b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""]),
        st.just(b"\r\n"),
        st.binary(max_size=20),
    ).map(b" ".join)
)
@QUICK
def test_random_bytes_on_the_port(gateway: RunningGateway, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", gateway.server.port), timeout=5) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while part := connection.recv(65536):
                received += part
        except ConnectionResetError:
            pass
    for line in received.split(b"\r\n"):
        if line.startswith(b"HTTP/1.1 "):
            assert int(line.split()[1]) in REFUSED | {200}, received
