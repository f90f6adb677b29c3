"""The gateway over a real socket: with its engine and small models, and as a command."""

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from online_models import RED, SHOP, click_probability, picture
from running_gateway import RunningGateway, running_gateway
from stand_in_engine import StandInEngine

from serving.gateway.http import bounded_protocol, http_guard
from serving.gateway.http.app import create_app
from serving.gateway.http.http_options import HttpOptions
from serving.gateway.http.server import GatewayServer
from serving.item_store.stored_item import StoredItem
from transforms.input_error import InputError


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def client(gateway: RunningGateway) -> Iterator[httpx.Client]:
    with gateway.client() as client:
        yield client


def test_recommend(client: httpx.Client) -> None:
    body = {
        "user": {"user_id": "u0", "gender": "f"},
        "behaviors": [{"item_id": "i0"}],
        "k": 2,
        "explain": True,
        "blocked_item_ids": ["i1"],
        "also_rank": ["i4"],
    }
    response = client.post("/v1/recommend", json=body)
    assert response.status_code == 200
    answer = response.json()
    shop = {item.item_id: item for item in SHOP}
    scores = {name: click_probability(item, [shop["i0"]], "f") for name, item in shop.items()}
    best = sorted((name for name in shop if name != "i1"), key=lambda name: -scores[name])[:2]
    assert [ad["item_id"] for ad in answer["ads"]] == [*best, *({"i4"} - set(best))]
    for ad in answer["ads"]:
        assert ad["score"] == pytest.approx(scores[ad["item_id"]], abs=1e-6)
        assert (
            ad["title"] == shop[ad["item_id"]].title and ad["category_id"] == shop[ad["item_id"]].category_id
        )
        assert sum(ad["why"]["tiers"]["image"]) == (shop[ad["item_id"]].color is not None)
    assert (answer["degraded"], answer["ranked_by"]) == ([], "ctr")
    assert answer["versions"]["ctr"] == "1" and answer["versions"]["recall"] == "1"
    assert answer["timings_ms"].keys() == {"recall", "retrieve", "reorder", "items", "embeddings", "rank"}

    wrong = client.post("/v1/recommend", json={"user": {"gendr": "f"}})
    assert wrong.status_code == 400 and "gender" in wrong.json()["error"]


def test_similar(client: httpx.Client) -> None:
    by_text = client.post("/v1/similar", json={"text": "red", "k": 1}).json()
    assert [item["item_id"] for item in by_text["items"]] == ["i0"]
    red = base64.b64encode(picture(RED)).decode()
    by_picture = client.post("/v1/similar", json={"image": red, "k": 2}).json()
    # Red is magenta's half: a cosine of 1 / sqrt(2); white's third: 1 / sqrt(3).
    assert [item["item_id"] for item in by_picture["items"]] == ["i0", "i3"]
    assert [item["similarity"] for item in by_picture["items"]] == pytest.approx([1, 0.5**0.5], abs=1e-6)
    by_item = client.post("/v1/similar", json={"item_id": "i0", "k": 1}).json()
    assert (by_item["modality"], by_item["items"][0]["item_id"]) == ("image", "i3")
    assert client.post("/v1/similar", json={"item_id": "unknown"}).status_code == 404


def test_an_item_with_a_slash_in_its_id(client: httpx.Client, gateway: RunningGateway) -> None:
    data = picture((1, 2, 3))
    body = {"image": base64.b64encode(data).decode(), "category_id": "c0", "shop_id": "s0"}
    assert client.put("/v1/items/new%2F%E7%BA%A2", json=body).status_code == 202
    assert gateway.queue.waiting() == 1
    answer = client.get("/v1/items/new%2F%E7%BA%A2").json()
    assert (answer["item_id"], answer["has_image"]) == ("new/红", True)
    assert answer["modalities"] == {"image": "waiting", "text": "none"}
    picture_back = client.get("/v1/items/new%2F%E7%BA%A2/image")
    assert (picture_back.content, picture_back.headers["content-type"]) == (data, "image/png")
    after = client.get("/v1/items", params={"after": "i5", "limit": 1}).json()["items"]
    assert [item["item_id"] for item in after] == ["new/红"]


def test_what_is_told_of_the_gateway(client: httpx.Client) -> None:
    status = client.get("/v1/status").json()
    assert status["ready"] is True and status["release"] == 1
    assert status["searchable"] == {"image": 5, "text": 5} and status["recallable"] == 6
    (user,) = client.get("/v1/sample-users").json()["sample_users"]
    assert user["user"] == {"user_id": "u0", "gender": "f"}
    assert client.post("/v1/recommend", json=user).status_code == 200
    response = client.get("/health")
    assert response.json() == {"status": "ok"} and "server" not in response.headers
    assert 'adlens_gateway_searchable_items{modality="image"} 5.0' in client.get("/metrics").text
    assert client.get("/v1/dead-letters").json() == {"dead_letters": []}


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[StandInEngine, GatewayServer]]:
    monkeypatch.setattr(bounded_protocol, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(http_guard, "_DRAIN_SECONDS", 0.2)
    engine = StandInEngine()
    app = create_app(engine, HttpOptions(max_body_bytes=1_000, body_seconds=0.3))  # type: ignore[arg-type]
    server = GatewayServer(app, port=0, max_connections=3)
    server.start()
    yield engine, server
    server.stop()


def send(port: int, *parts: bytes, ends: bool = False) -> bytes:
    """What comes back, to the end of the connection or for half a second."""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(0.02)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            received = b""
            while part := connection.recv(65536):
                received += part
        except (TimeoutError, ConnectionResetError, BrokenPipeError):
            pass
        return received


def request(method: bytes, path: bytes, *lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([method + b" " + path + b" HTTP/1.1", b"Host: x", *lines, b"", body])


JSON = b"Content-Type: application/json"
CHUNKED = b"Transfer-Encoding: chunked"
CLOSE = b"Connection: close"
LARGE = b"%x\r\n%s\r\n" % (600, b" " * 600)


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([b"\x00\xffgarbage\r\n\r\n"], 400),
        ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 300], 400),
        ([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], 400),
        ([request(b"GET", b"/\xff\xfe")], 400),
        ([request(b"GET", b"health")], 400),
        ([request(b"CONNECT", b"x:80")], 400),
        ([request(b"GET", b"http://elsewhere/health", CLOSE)], 200),
        ([request(b"OPTIONS", b"*", CLOSE)], 404),
        ([request(b"GET", b"/health", b"Connection: upgrade", b"Upgrade: websocket")], 200),
        ([request(b"GET", b"/health", b"X: " + b"a" * 100_000)], 400),
        ([b"GET /health HTTP/1.1\r\n", *[b"X: a\r\n" * 10_000] * 2], 400),
        ([b"GET /hea"], 408),
        ([b""], 408),
        ([request(b"PUT", b"/v1/items/a", JSON, b"Content-Length: 99999999", body=b"{")], 413),
        ([request(b"PUT", b"/v1/items/a", JSON, b"Content-Length: 1001", b"Expect: 100-continue")], 413),
        ([request(b"PUT", b"/v1/items/a", JSON, b"Content-Length: 100", body=b"{")], 408),
        ([request(b"PUT", b"/v1/items/a", JSON, b"Content-Length: -1")], 400),
        (
            [request(b"PUT", b"/v1/items/a", JSON, b"Content-Length: 1", b"Content-Length: 2", body=b"{}")],
            400,
        ),
        ([request(b"PUT", b"/v1/items/a", JSON, b"Content-Length: 2", CHUNKED, body=b"0\r\n\r\n")], 400),
        ([request(b"PUT", b"/v1/items/a", JSON, CHUNKED, body=b"zz\r\n")], 400),
        ([request(b"POST", b"/v1/recommend", JSON, CHUNKED, CLOSE, body=b"2\r\n{}\r\n0\r\n\r\n")], 200),
        ([request(b"POST", b"/v1/recommend", JSON, CHUNKED, CLOSE), LARGE, LARGE, b"0\r\n\r\n"], 413),
        # A length that says less than what comes: the rest is another request, and none.
        ([request(b"POST", b"/v1/recommend", JSON, b"Content-Length: 2", CLOSE, body=b"{}GARBAGE")], 200),
    ],
)
def test_whatever_comes_over_the_socket(
    stand_in: tuple[StandInEngine, GatewayServer], parts: list[bytes], status: int
) -> None:
    _, server = stand_in
    head, _, body = send(server.port, *parts).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nserver:" not in head.lower()
    if status != 200:
        assert json.loads(body).keys() == {"error"}
    assert httpx.get(f"http://127.0.0.1:{server.port}/health", trust_env=False).status_code == 200


def test_more_connections_than_there_may_be(stand_in: tuple[StandInEngine, GatewayServer]) -> None:
    _, server = stand_in
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
    time.sleep(0.1)
    answer = send(server.port)
    assert answer.startswith(b"HTTP/1.1 503 ") and b'{"error": "too many connections' in answer
    assert b"\r\nRetry-After: 1\r\n" in answer
    for connection in idle:
        connection.close()
    time.sleep(0.1)
    assert send(server.port, request(b"GET", b"/health", CLOSE)).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_reads_nothing_is_given_up(
    stand_in: tuple[StandInEngine, GatewayServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, server = stand_in
    monkeypatch.setattr(bounded_protocol, "WRITE_SECONDS", 0.3)
    many = [StoredItem(f"i{number}", "c", "s", "x" * 16_000, {}) for number in range(600)]
    monkeypatch.setattr(engine, "list_items", lambda *_: many)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(request(b"GET", b"/v1/items"))
        time.sleep(1.5)
        received = 0
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(1 << 20):
                received += len(part)
    assert received < 600 * 16_000


def test_a_client_that_leaves_does_no_harm(stand_in: tuple[StandInEngine, GatewayServer]) -> None:
    engine, server = stand_in
    go = threading.Event()
    engine.before = lambda _name: go.wait(5)
    whole = request(b"POST", b"/v1/recommend", JSON, b"Content-Length: 2", body=b"{}")
    for sent in (whole, whole[:-1]):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(sent)
            time.sleep(0.05)
    go.set()
    engine.before = lambda _name: None
    assert send(server.port, request(b"GET", b"/health", CLOSE)).startswith(b"HTTP/1.1 200 ")


def test_stopping_finishes_what_runs() -> None:
    engine, running, go = StandInEngine(), threading.Event(), threading.Event()

    def wait(_name: str) -> None:
        running.set()
        assert go.wait(10)

    engine.before = wait
    server = GatewayServer(create_app(engine), port=0)  # type: ignore[arg-type]
    server.start()
    url = f"http://127.0.0.1:{server.port}"
    statuses: list[int] = []
    asking = threading.Thread(
        target=lambda: statuses.append(
            httpx.post(f"{url}/v1/recommend", json={}, trust_env=False).status_code
        )
    )
    asking.start()
    assert running.wait(5)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    time.sleep(0.3)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health", trust_env=False)
    assert stopping.is_alive()
    go.set()
    stopping.join(10)
    asking.join(10)
    assert statuses == [200] and not stopping.is_alive()


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen on 127.0.0.1:{port}"):
            GatewayServer(create_app(StandInEngine()), port=port).start()  # type: ignore[arg-type]


def test_the_command(gateway: RunningGateway, tmp_path: Path) -> None:
    """Another process over the stores of the module's gateway; SIGTERM ends it."""
    token = "token-of-the-command"
    (tmp_path / "tokens").write_text(token)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    folder = gateway.queue.path.parent
    flags = {
        "release": folder / "serving" / "release.json",
        "models": folder / "serving",
        "model-server": f"127.0.0.1:{gateway.model_server.grpc_port}",
        "index": folder / "index",
        "items": folder / "items",
        "queue": folder / "queue.db",
        "port": port,
        "token-file": tmp_path / "tokens",
    }
    command = [str(Path(sys.executable).with_name("adlens")), "gateway"]
    command += [f"--{name}={value}" for name, value in flags.items()]
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=dict(os.environ))
        try:
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}",
                headers={"Authorization": f"Bearer {token}"},
                trust_env=False,
            ) as client:
                wait_until_ready(client, process)
                assert client.post("/v1/recommend", json={"k": 1}).status_code == 200
                assert httpx.get(client.base_url.join("/v1/items"), trust_env=False).status_code == 401
                assert (
                    'adlens_gateway_requests_total{route="POST /v1/recommend"' in client.get("/metrics").text
                )
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
    assert token not in log.read_text() and "Traceback" not in log.read_text()


def wait_until_ready(client: httpx.Client, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the gateway ended"
        try:
            if client.get("/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError("not ready within two minutes")
