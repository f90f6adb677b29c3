"""What every request has to pass: tokens, rate, size, time and number; and what every answer has."""

import asyncio
import base64
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from odd_images import encode, scene
from prometheus_client.parser import text_string_to_metric_families
from stand_in_engine import StandInEngine

from serving.gateway.http.access_tokens import AccessTokens
from serving.gateway.http.app import create_app
from serving.gateway.http.gateway_metrics import GatewayMetrics
from serving.gateway.http.http_guard import HttpGuard
from serving.gateway.http.http_options import HttpOptions

TOKEN = "a-token-of-some-length"
JSON = {"Content-Type": "application/json"}
PROTECTED = [
    ("GET", "/v1/items"),
    ("GET", "/v1/items/a"),
    ("GET", "/v1/items/a/image"),
    ("PUT", "/v1/items/a"),
    ("POST", "/v1/recommend"),
    ("POST", "/v1/similar"),
    ("GET", "/v1/status"),
    ("GET", "/v1/sample-users"),
    ("GET", "/v1/dead-letters"),
    ("GET", "/v1/nothing"),
    ("DELETE", "/v1/items/a"),
    ("GET", "/metrics"),
]
OPEN = [("GET", path) for path in ("/health", "/ready", "/", "/static/inspector.js", "/openapi.json")]


@contextmanager
def client_of(
    engine: StandInEngine | None = None, tokens: AccessTokens | None = None, **options: Any
) -> Iterator[TestClient]:
    app = create_app(engine or StandInEngine(), HttpOptions(**options), tokens)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
    app.state.routes.close()


def test_tokens() -> None:
    tokens = AccessTokens([TOKEN, "another-token-of-some-length"])
    with client_of(tokens=tokens) as client:
        for method, path in PROTECTED:
            for authorization in (None, "Bearer x", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer "):
                headers = {} if authorization is None else {"Authorization": authorization}
                response = client.request(method, path, headers=headers)
                assert response.status_code == 401, (path, authorization)
                assert response.headers["www-authenticate"] == "Bearer"
                assert response.json() == {"error": "expected a known token: Authorization: Bearer TOKEN"}
            for authorization in (
                f"Bearer {TOKEN}",
                f"bearer  {TOKEN} ",
                "Bearer another-token-of-some-length",
            ):
                response = client.request(method, path, headers={"Authorization": authorization})
                assert response.status_code != 401
        for method, path in OPEN:
            assert client.request(method, path).status_code == 200
        description = client.get("/openapi.json").json()
        assert description["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}
        operations = {path: next(iter(each.values())) for path, each in description["paths"].items()}
        assert {path for path, each in operations.items() if "security" in each} == {
            path for path in operations if path not in ("/health", "/ready")
        }


def test_without_tokens_all_may_ask() -> None:
    with client_of() as client:
        assert client.get("/v1/items", headers={"Authorization": "Bearer x"}).status_code == 200
        assert "security" not in str(client.get("/openapi.json").json()["paths"])


def test_headers_of_every_answer() -> None:
    with client_of(tokens=AccessTokens([TOKEN]), rate_limit=1) as client:
        responses = [client.request(*each) for each in (*OPEN, *PROTECTED, ("GET", "/nothing"))]
        assert {response.status_code for response in responses} == {200, 401, 404, 429}
        for response in responses:
            headers = response.headers
            assert headers["x-content-type-options"] == "nosniff"
            assert "default-src" in headers["content-security-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "no-" in headers["cache-control"]
            assert "server" not in headers and "access-control-allow-origin" not in headers


def test_other_origins_may_not_ask() -> None:
    with client_of() as client:
        headers = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
        for method in ("OPTIONS", "POST"):
            response = client.request(method, "/v1/recommend", headers={**JSON, **headers})
            assert not [name for name in response.headers if name.startswith("access-control")]
        assert client.options("/v1/recommend", headers=headers).status_code == 405


def test_the_rate_of_a_client() -> None:
    with client_of(rate_limit=0.5) as client:
        # Two a second at once is less than one; one is let through, the next may come two seconds later.
        assert client.get("/v1/items").status_code == 200
        response = client.get("/v1/items")
        assert response.status_code == 429 and response.headers["retry-after"] == "2"
        assert response.json() == {"error": "expected at most 0.5 requests a second"}
        assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        # As a socket of IPv6 shows clients of IPv4.
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("testclient", "testclient", True),
    ],
)
def test_who_is_one_client(first: str, second: str, is_one: bool) -> None:
    app = create_app(StandInEngine(), HttpOptions(rate_limit=0.001))  # type: ignore[arg-type]
    statuses = [
        TestClient(app, client=(address, 1)).get("/v1/items").status_code for address in (first, second)
    ]
    assert statuses == [200, 429 if is_one else 200]


def test_a_token_is_one_client_from_wherever() -> None:
    tokens = AccessTokens([TOKEN, "another-token-of-some-length"])
    app = create_app(StandInEngine(), HttpOptions(rate_limit=0.001), tokens)  # type: ignore[arg-type]

    def ask(address: str, token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return TestClient(app, client=(address, 1)).get("/v1/items", headers=headers).status_code

    assert ask("192.0.2.1", TOKEN) == 200
    assert ask("192.0.2.2", TOKEN) == 429
    assert ask("192.0.2.1", "another-token-of-some-length") == 200
    # Guesses count for the address.
    assert ask("192.0.2.1", "x") == 401
    assert ask("192.0.2.1", "y") == 429


def test_what_everybody_may_ask_for_has_no_body() -> None:
    with client_of(tokens=AccessTokens([TOKEN])) as client:
        for path in ("/health", "/", "/nothing"):
            for body in (b"x", [b"x"]):
                response = client.post(path, content=body, headers=JSON)
                assert (response.status_code, response.json()) == (
                    413,
                    {"error": "expected a body of at most 0 bytes"},
                )
            assert client.post(path).status_code in (404, 405)


def test_the_size_of_a_body() -> None:
    engine = StandInEngine()
    with client_of(engine, max_body_bytes=100) as client:
        fits = b'{"k": 3}' + b" " * 92
        assert client.post("/v1/recommend", content=fits, headers=JSON).status_code == 200
        for body in (fits + b" ", [fits, b" "], [b" " * 60] * 3):
            sent = body if isinstance(body, bytes) else iter(body)
            response = client.post("/v1/recommend", content=sent, headers=JSON)
            assert response.status_code == 413
            assert response.json() == {"error": "expected a body of at most 100 bytes"}
        # Also where nobody reads a body.
        assert client.request("GET", "/health", content=b" " * 101).status_code == 413
        assert len(engine.asked) == 1


def test_pictures_larger_than_they_may_be() -> None:
    data = encode(scene(), "PNG")
    body = {"image": base64.b64encode(data).decode()}
    for options, error in (
        ({"max_image_bytes": len(data) - 1}, f"at most {len(data) - 1} bytes, got {len(data)}"),
        # Two rows of three squares of 16 pixels.
        ({"max_image_pixels": 48 * 32 - 1}, "at most 1535 pixels, got 1536"),
    ):
        with client_of(**options) as client:
            response = client.post("/v1/similar", json=body)
            assert (response.status_code, response.json()) == (400, {"error": f"image: expected {error}"})
    with client_of(max_image_bytes=len(data), max_image_pixels=48 * 32) as client:
        assert client.post("/v1/similar", json=body).status_code == 200


class Asgi:
    """A guard over a made application, asked message by message."""

    def __init__(self, app: Callable, **options: Any) -> None:
        self.metrics = GatewayMetrics()
        self.guard = HttpGuard(app, HttpOptions(**options), None, self.metrics)
        self.sent: list[dict[str, Any]] = []

    async def ask(self, parts: AsyncIterator[dict[str, Any]], **headers: str) -> tuple[int | None, dict]:
        sent: list[dict[str, Any]] = []
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/recommend",
            "raw_path": b"/v1/recommend",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
            "client": ("192.0.2.1", 1),
        }

        async def send(message: Any) -> None:
            sent.append(message)

        await self.guard(scope, lambda: anext(parts), send)
        if not sent:
            return None, {}
        return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}


async def answer(_scope: Any, receive: Callable, send: Callable) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def part(body: bytes, more_body: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more_body}


def test_a_declared_size_is_refused_at_once_and_one_that_waits_for_leave_gets_none() -> None:
    read = 0

    async def parts() -> AsyncIterator[dict[str, Any]]:
        nonlocal read
        while True:
            read += 1
            yield part(b" " * 10)
            await asyncio.sleep(3600)

    async def ask() -> None:
        asgi = Asgi(answer, max_body_bytes=100)
        status, headers = await asgi.ask(parts(), content_length="101", expect="100-continue")
        assert (status, headers["connection"], read) == (413, "close", 0)

    asyncio.run(ask())


def test_a_body_that_does_not_end_is_forgotten_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.gateway.http.http_guard._DRAIN_SECONDS", 0.05)

    async def endless() -> AsyncIterator[dict[str, Any]]:
        while True:
            await asyncio.sleep(0.001)
            yield part(b" " * 60)

    async def two() -> AsyncIterator[dict[str, Any]]:
        yield part(b" " * 101)
        yield part(b"", more_body=False)

    async def ask() -> None:
        asgi = Asgi(answer, max_body_bytes=100)
        assert (await asgi.ask(endless()))[1]["connection"] == "close"
        # What ends soon is read to its end, so that the client sees the answer and may ask again.
        status, headers = await asgi.ask(two())
        assert status == 413 and "connection" not in headers
        assert asgi.guard._buffered == 0

    asyncio.run(ask())


def test_a_body_that_comes_too_slowly() -> None:
    async def slow() -> AsyncIterator[dict[str, Any]]:
        while True:
            yield part(b" ")
            await asyncio.sleep(0.03)

    async def ask() -> None:
        asgi = Asgi(answer, body_seconds=0.1)
        started = time.monotonic()
        status, headers = await asgi.ask(slow())
        assert (status, headers["connection"]) == (408, "close")
        assert time.monotonic() - started < 1

    asyncio.run(ask())


def test_bodies_that_are_too_much_together() -> None:
    release = asyncio.Event()

    async def parts(size: int) -> AsyncIterator[dict[str, Any]]:
        yield part(b" " * size)
        await release.wait()
        yield part(b"", more_body=False)

    async def ask() -> None:
        asgi = Asgi(answer, max_body_bytes=100, max_buffered_bytes=150)
        held = asyncio.create_task(asgi.ask(parts(100)))
        await asyncio.sleep(0)
        refused = asyncio.create_task(asgi.ask(parts(51)))
        fits = asyncio.create_task(asgi.ask(parts(50)))
        await asyncio.sleep(0.01)
        release.set()
        assert [each[0] for each in await asyncio.gather(held, refused, fits)] == [200, 503, 200]
        assert (await refused)[1]["retry-after"] == "1"
        assert asgi.guard._buffered == 0

    asyncio.run(ask())


def test_a_client_that_goes_is_not_answered() -> None:
    async def leaving() -> AsyncIterator[dict[str, Any]]:
        yield part(b" ")
        yield {"type": "http.disconnect"}

    async def ask() -> None:
        asgi = Asgi(answer)
        assert await asgi.ask(leaving()) == (None, {})
        assert asgi.guard._buffered == 0
        assert 'status="disconnected"' in asgi.metrics.page().decode()

    asyncio.run(ask())


def test_a_defect_ends_in_500_and_one_behind_the_start_of_an_answer_ends_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(_scope: Any, _receive: Callable, _send: Callable) -> None:
        raise RuntimeError("defect")

    async def begin(_scope: Any, _receive: Callable, send: Callable) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("defect")

    async def empty() -> AsyncIterator[dict[str, Any]]:
        yield part(b"", more_body=False)

    assert asyncio.run(Asgi(fail).ask(empty()))[0] == 500
    assert len(caplog.records) == 1
    with pytest.raises(RuntimeError, match="defect"):
        asyncio.run(Asgi(begin).ask(empty()))


def test_more_requests_than_can_wait() -> None:
    """Two run, one waits, and the fourth is sent away; so is one whose time is over."""
    engine, go, running = StandInEngine(), threading.Event(), threading.Semaphore(0)

    def wait(_name: str) -> None:
        running.release()
        assert go.wait(10)

    engine.before = wait
    options = {"max_running": 2, "max_waiting": 1, "deadline_seconds": 5.0}
    with client_of(engine, **options) as client, ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(client.post, "/v1/recommend", json={}) for _ in range(2)]
        for _ in calls:
            assert running.acquire(timeout=5)
        calls.append(threads.submit(client.post, "/v1/recommend", json={}))
        pool = client.app.state.routes._answers  # type: ignore[attr-defined]
        while pool.held < 3:
            time.sleep(0.01)
        refused = client.post("/v1/recommend", json={})
        assert refused.status_code == 503 and refused.headers["retry-after"] == "1"
        # What is asked of other threads is still answered.
        engine.before = lambda _name: None
        assert (
            client.put("/v1/items/a", json={"title": "a", "category_id": "", "shop_id": ""}).status_code
            == 202
        )
        assert client.get("/ready").status_code == 200
        assert client.get("/health").status_code == 200
        go.set()
        assert [each.result().status_code for each in calls] == [200, 200, 200]
        assert client.post("/v1/recommend", json={}).status_code == 200


def test_an_answer_that_takes_too_long() -> None:
    engine, go = StandInEngine(), threading.Event()

    def wait(_name: str) -> None:
        assert go.wait(10)

    engine.before = wait
    with client_of(engine, deadline_seconds=0.1) as client:
        response = client.post("/v1/recommend", json={})
        assert response.status_code == 504
        assert response.json() == {"error": "expected an answer within 0.1 s"}
        go.set()


def test_readiness_waits_for_nothing() -> None:
    engine, go = StandInEngine(), threading.Event()
    engine.before = lambda name: name == "status" and go.wait(5)
    with client_of(engine, deadline_seconds=10) as client, ThreadPoolExecutor(4) as threads:
        hung = [threads.submit(client.get, "/v1/status") for _ in range(4)]
        time.sleep(0.1)
        started = time.monotonic()
        assert client.get("/ready").status_code == 200 and time.monotonic() - started < 2
        go.set()
        assert [each.result().status_code for each in hung] == [200] * 4


def metrics_of(client: httpx.Client) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_metrics() -> None:
    engine = StandInEngine()
    with client_of(engine) as client:
        item = {"title": "a", "category_id": "", "shop_id": ""}
        for item_id in ("a", "b"):
            client.put(f"/v1/items/{item_id}", json=item)
        client.put("/v1/items/a", json={})
        client.get("/v1/items/nothing")
        client.post("/v1/recommend", json={})
        for path in ("/nothing", "/v1/x", "/%ff"):
            client.get(path)
        client.delete("/v1/items/a")
        found = metrics_of(client)
    requests = "adlens_gateway_requests_total"
    assert found[requests, "PUT /v1/items/{item_id}", "202"] == 2
    assert found[requests, "PUT /v1/items/{item_id}", "400"] == 1
    assert found[requests, "GET /v1/items/{item_id}", "404"] == 1
    assert found[requests, "POST /v1/recommend", "200"] == 1
    # However many paths there are, there is one label for what is none.
    assert found[requests, "other", "404"] == 3
    assert found[requests, "other", "405"] == 1
    assert found["adlens_gateway_seconds_count", "PUT /v1/items/{item_id}"] == 3
    assert found["adlens_gateway_new_items_total",] == 2
    assert found["adlens_gateway_degraded_total", "items"] == 1
    assert found["adlens_gateway_degraded_total", "ranking"] == 0
    # The stand-in says 20 ms.
    assert found["adlens_gateway_part_seconds_sum", "rank"] == pytest.approx(0.02)
    assert found["adlens_gateway_ready",] == 1
    assert found["adlens_gateway_release",] == 4
    assert found["adlens_gateway_items",] == 2
    assert found["adlens_gateway_searchable_items", "image"] == 5
    assert ("adlens_gateway_searchable_items", "text") not in found
    assert found["adlens_gateway_recallable_items",] == 6
    assert [found[f"adlens_gateway_feed_{name}",] for name in ("added", "not_added", "errors")] == [2, 0, 0]
