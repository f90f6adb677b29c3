"""Each endpoint over a stand-in engine: what it passes on, what it answers, and how it refuses."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from odd_images import bad_images, good_images
from stand_in_engine import StandInEngine

from serving.gateway.errors import TimedOut, Unavailable
from serving.gateway.http.app import create_app
from serving.gateway.requests import Behavior, RecommendRequest, SimilarRequest
from serving.item_queue.errors import QueueFull
from transforms.input_error import InputError

PICTURES = {name: data for name, (data, _) in good_images().items()}
PNG = PICTURES["plain PNG"]
ITEM = {
    "title": "a lamp",
    "category_id": "lamps",
    "shop_id": "shop",
    "features": {"price": 2.5, "color": "red"},
}


@pytest.fixture(scope="module")
def of_all() -> Iterator[tuple[StandInEngine, TestClient]]:
    engine = StandInEngine()
    with TestClient(create_app(engine), raise_server_exceptions=False) as client:
        yield engine, client


@pytest.fixture
def engine(of_all: tuple[StandInEngine, TestClient]) -> StandInEngine:
    of_all[0].reset()
    return of_all[0]


@pytest.fixture
def client(of_all: tuple[StandInEngine, TestClient], engine: StandInEngine) -> TestClient:
    return of_all[1]


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def error_of(response: Response) -> tuple[int, str]:
    answer = response.json()
    assert answer.keys() == {"error"} and response.headers["content-type"] == "application/json"
    assert "\n" not in answer["error"]
    return response.status_code, answer["error"]


def test_an_item_is_put_and_got(client: TestClient, engine: StandInEngine) -> None:
    before = time.time()
    response = client.put("/v1/items/lamp_1", json={**ITEM, "image": in_base64(PNG)})
    assert response.status_code == 202
    answer = response.json()
    assert before <= answer.pop("introduced_at") <= time.time()
    assert answer == {"item_id": "lamp_1", "status": "queued"}
    (item,) = engine.put
    assert (item.item_id, item.title, item.image) == ("lamp_1", "a lamp", PNG)
    assert (item.category_id, item.shop_id) == ("lamps", "shop")

    assert client.get("/v1/items/lamp_1").json() == {
        **ITEM,
        "item_id": "lamp_1",
        "has_image": True,
        "modalities": {"image": "ready", "text": "waiting"},
        "searchable": True,
        "recallable": False,
    }
    assert client.get("/v1/items").json() == {"items": [{"item_id": "lamp_1", **ITEM}]}


@pytest.mark.parametrize(
    ("quoted", "item_id"),
    [
        ("a%2Fb", "a/b"),
        ("%2F..%2F..%2Fetc%2Fpasswd", "/../../etc/passwd"),
        ("a%2Fimage", "a/image"),
        ("%252F", "%2F"),
        ("%E7%BA%A2", "红"),
        ("a+b%20c", "a+b c"),
        ("%3F%23%26", "?#&"),
        ("v1%5Citems", "v1\\items"),
        ("x" * 256, "x" * 256),
    ],
)
def test_ids_are_those_of_the_path(
    client: TestClient, engine: StandInEngine, quoted: str, item_id: str
) -> None:
    assert client.put(f"/v1/items/{quoted}", json=ITEM).json()["item_id"] == item_id
    assert engine.put[0].item_id == item_id
    assert client.get(f"/v1/items/{quoted}").json()["item_id"] == item_id
    assert client.get(f"/v1/items/{quoted}/image").status_code == 404


@pytest.mark.parametrize(
    ("quoted", "status"),
    [("%00", 400), ("a%00b", 400), ("%FF", 400), ("%ED%A0%80", 400), ("x" * 257, 400), ("%E7" * 100, 400)],
)
def test_ids_that_are_none(client: TestClient, engine: StandInEngine, quoted: str, status: int) -> None:
    for response in (client.put(f"/v1/items/{quoted}", json=ITEM), client.get(f"/v1/items/{quoted}")):
        assert error_of(response)[0] == status
    assert not engine.put
    # A bare slash ends the id.
    assert error_of(client.get("/v1/items/a/b")) == (404, "there is nothing at /v1/items/a/b")
    assert error_of(client.get("/v1/items/")) == (404, "there is nothing at /v1/items/")


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_comes_back_as_it_was(client: TestClient, name: str) -> None:
    data = PICTURES[name]
    signatures = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png", b"RIFF": "image/webp"}
    (kind,) = [kind for start, kind in signatures.items() if data.startswith(start)]
    assert client.put("/v1/items/a", json={**ITEM, "image": in_base64(data)}).status_code == 202
    response = client.get("/v1/items/a/image")
    assert (response.status_code, response.content, response.headers["content-type"]) == (200, data, kind)
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("no base64!", "body.image: expected base64, got"),
        ("YQ", "body.image: expected base64, got"),
        ("YWJj\n", "body.image: expected base64, got"),
        ("\u7ea2", "body.image: expected base64, got"),
        (7, "body.image: expected a text in base64, got 7"),
        ("", "image: expected a JPEG, PNG or WebP file, got none"),
        (in_base64(b"<svg onload='alert(1)'/>"), "image: expected a JPEG, PNG or WebP file, got none"),
        (in_base64(b"GIF89a" + bytes(100)), "image: expected a JPEG, PNG or WebP file, got none"),
    ],
)
def test_pictures_that_are_none(client: TestClient, engine: StandInEngine, image: Any, message: str) -> None:
    for method, path, body in (("PUT", "/v1/items/a", ITEM), ("POST", "/v1/similar", {})):
        status, error = error_of(client.request(method, path, json={**body, "image": image}))
        assert status == 400 and error.startswith(message)
    assert not engine.put and not engine.asked


def test_no_bad_picture_is_the_gateways_fault(client: TestClient) -> None:
    for data, _ in bad_images().values():
        status = client.put("/v1/items/a", json={**ITEM, "image": in_base64(data)}).status_code
        # A header can be sound where the picture is not; the encoder service finds that out.
        assert status in (202, 400)


def test_items_are_listed_in_pages(client: TestClient) -> None:
    for name in ("a", "b", "c/d"):
        client.put(f"/v1/items/{name.replace('/', '%2F')}", json=ITEM)
    pages = [client.get("/v1/items", params=each).json()["items"] for each in ({"limit": 2}, {"after": "b"})]
    assert [[item["item_id"] for item in page] for page in pages] == [["a", "b"], ["c/d"]]
    for query in (
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=1.5",
        "limit=",
        "after=%00",
        f"after={'x' * 257}",
    ):
        assert error_of(client.get(f"/v1/items?{query}"))[0] == 400


def test_recommend(client: TestClient, engine: StandInEngine) -> None:
    body = {
        "user": {"city": "Bern", "age": 31, "income": 1.5},
        "behaviors": [{"item_id": "a"}, {"item_id": "b", "category_id": "lamps", "shop_id": ""}],
        "k": 3,
        "explain": True,
        "blocked_item_ids": ["c"],
        "also_rank": ["second"],
    }
    response = client.post("/v1/recommend", json=body)
    assert response.status_code == 200
    assert engine.asked == [
        RecommendRequest(
            user={"city": "Bern", "age": 31, "income": 1.5},
            behaviors=[Behavior("a"), Behavior("b", "lamps", "")],
            k=3,
            explain=True,
            blocked_item_ids=["c"],
            also_rank=["second"],
        )
    ]
    known = {"title": "a lamp", "category_id": "lamps", "shop_id": "shop", "also_ranked": False}
    why = {
        "content": {"image": "index", "text": "none"},
        "similarities": {"image": [0.5, None], "text": [None, None]},
        "tiers": {"image": [0, 0, 1, 0], "text": [0, 0, 0, 0]},
    }
    unknown = {"title": None, "category_id": None, "shop_id": None, "also_ranked": True}
    ranks = [
        {"score": 0.75, "recall_score": 2.5, "rank_by": "ctr", "rank": 1, "recall_rank": 4},
        {"score": None, "recall_score": None, "rank_by": "recall", "rank": 30, "recall_rank": None},
    ]
    assert response.json() == {
        "ads": [
            {"item_id": "first", **ranks[0], **known, "why": why},
            {"item_id": "second", **ranks[1], **unknown, "why": None},
        ],
        "degraded": ["items"],
        "ranked_by": "ctr",
        "versions": {"ctr": "3"},
        "timings_ms": {"recall": 1.5, "rank": 20.0},
    }


def test_a_whole_number_may_have_a_point(client: TestClient, engine: StandInEngine) -> None:
    assert client.post("/v1/recommend", json={"k": 3.0}).status_code == 200
    assert [each.k for each in engine.asked] == [3]
    for k in (3.5, 1e300, 1e17):
        assert error_of(client.post("/v1/recommend", json={"k": k}))[0] == 400


def test_recommend_by_default(client: TestClient, engine: StandInEngine) -> None:
    assert client.post("/v1/recommend", json={}).status_code == 200
    assert engine.asked == [RecommendRequest(user={}, behaviors=[], blocked_item_ids=[], also_rank=[])]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"k": 0}, "body.k: Input should be greater than or equal to 1, got 0"),
        ({"k": 201}, "body.k: Input should be less than or equal to 200, got 201"),
        ({"k": 10**30}, "body.k: Input should be less than or equal to 200"),
        ({"k": "3"}, "body.k: Input should be a valid integer, got '3'"),
        ({"k": True}, "body.k: Input should be a valid integer, got True"),
        ({"K": 3}, "body.K: Extra inputs are not permitted"),
        ({"explain": 1}, "body.explain: Input should be a valid boolean"),
        ({"user": {"age": None}}, "body.user.age: expected a text or a number"),
        ({"user": {"age": True}}, "body.user.age: expected a text or a number"),
        ({"user": {"age": 10**400}}, "body.user.age: expected a finite number"),
        ({"user": {"city": "a\0b"}}, "body.user.city: expected no zero byte"),
        ({"user": {"city": "x" * 16_385}}, "body.user.city: expected 0 to 16384 bytes of UTF-8, got 16385"),
        ({"user": {"": 1}}, "body.user..[key]: expected 1 to 256 bytes of UTF-8, got 0"),
        ({"user": {str(n): n for n in range(257)}}, "body.user: Dictionary should have at most 256 items"),
        ({"user": []}, "body.user: Input should be a valid dictionary"),
        ({"behaviors": [{}]}, "body.behaviors.0.item_id: Field required"),
        ({"behaviors": [{"item_id": ""}]}, "body.behaviors.0.item_id: expected 1 to 256 bytes"),
        ({"behaviors": [{"item_id": "红" * 86}]}, "expected 1 to 256 bytes of UTF-8, got 258"),
        ({"behaviors": [{"item_id": "a"}] * 501}, "body.behaviors: List should have at most 500 items"),
        ({"blocked_item_ids": ["a"] * 10_001}, "body.blocked_item_ids: List should have at most 10000 items"),
        ({"also_rank": ["a"] * 51}, "body.also_rank: List should have at most 50 items"),
        ([], "body: Input should be a valid dictionary"),
    ],
)
def test_recommend_with_a_wrong_body(
    client: TestClient, engine: StandInEngine, body: Any, message: str
) -> None:
    status, error = error_of(client.post("/v1/recommend", json=body))
    assert status == 400 and message in error and len(error) < 400
    assert not engine.asked


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"k": NaN}',
        b'{"user": {"age": Infinity}}',
        b'{"user": {"age": -Infinity}}',
        b'{"user": {"age": 1e400}}',
        b'{"user": {"age": ' + b"9" * 100_000 + b"}}",
        b'{"user": {"city": "\xff"}}',
        b'{"user": {"city": "\\ud800"}}',
        b'{"user": {"city": "\xed\xa0\x80"}}',
        b"[" * 100_000,
        b'{"user":' * 100_000,
        b'{"k": 3} and more',
        b"\xef\xbb\xbf{}",
        b"k=3",
        b"\x1f\x8b\x08\x00",
    ],
)
def test_bodies_that_are_no_json(client: TestClient, engine: StandInEngine, body: bytes) -> None:
    response = client.post("/v1/recommend", content=body, headers={"Content-Type": "application/json"})
    assert error_of(response)[0] == 400
    assert not engine.asked


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/jsonp", 415),
        ("", 415),
    ],
)
def test_only_json_is_read(client: TestClient, kind: str, status: int) -> None:
    response = client.post("/v1/recommend", content=b"{}", headers={"Content-Type": kind})
    assert response.status_code == status
    if status == 415:
        wanted = f"expected Content-Type: application/json, got {kind.partition(';')[0] or 'none'}"
        assert error_of(response)[1] == wanted


def test_similar(client: TestClient, engine: StandInEngine) -> None:
    bodies: list[dict[str, Any]] = [
        {"item_id": "a/b", "modality": "image", "k": 5},
        {"text": "a red lamp"},
        {"image": in_base64(PNG), "modality": "image"},
    ]
    for body in bodies:
        assert client.post("/v1/similar", json=body).json() == {
            "modality": "text",
            "items": [
                {
                    "item_id": "near",
                    "similarity": 0.5,
                    "title": "a lamp",
                    "category_id": None,
                    "shop_id": None,
                }
            ],
            "version": "7",
        }
    assert engine.asked == [
        SimilarRequest(item_id="a/b", modality="image", k=5),
        SimilarRequest(text="a red lamp"),
        SimilarRequest(image=PNG, modality="image"),
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "expected exactly one of item_id, text and image, got none"),
        ({"item_id": "a", "text": "b"}, "got item_id and text"),
        ({"text": "a", "modality": "image"}, "request.modality must be text, got 'image'"),
        (
            {"item_id": "a", "modality": "sound"},
            "body.modality: Input should be 'image' or 'text', got 'sound'",
        ),
        ({"item_id": ""}, "body.item_id: expected 1 to 256 bytes"),
    ],
)
def test_similar_with_a_wrong_body(client: TestClient, body: dict, message: str) -> None:
    status, error = error_of(client.post("/v1/similar", json=body))
    assert status == 400 and message in error


def test_what_is_told_of_the_gateway(client: TestClient, engine: StandInEngine) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ready"}
    assert client.get("/v1/status").json() == engine.status()
    assert client.get("/v1/sample-users").json() == {"sample_users": engine.sample_users()}
    letter = {"item_id": "broken", "reason": "unreadable_image", "attempts": 1}
    assert client.get("/v1/dead-letters?limit=1").json() == {
        "dead_letters": [{**letter, "introduced_at": 10.5, "buried_at": 11.5}]
    }


def test_it_is_not_ready_until_it_is(client: TestClient, engine: StandInEngine) -> None:
    engine.reasons = ["no release", "the model server does not answer"]
    response = client.get("/ready")
    assert error_of(response) == (503, "no release; the model server does not answer")
    assert response.headers["retry-after"] == "1"
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (InputError("user.cty: expected\none of city"), 400, "user.cty: expected one of city"),
        (QueueFull("no room"), 503, "no room"),
        (Unavailable("recall does not answer"), 503, "recall does not answer"),
        (TimedOut("took longer than 2 s"), 504, "took longer than 2 s"),
        (RuntimeError("secret"), 500, "the gateway failed; its log says why"),
    ],
)
def test_errors_of_the_engine(
    client: TestClient,
    engine: StandInEngine,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
    message: str,
) -> None:
    def fail(_name: str) -> None:
        raise error

    engine.before = fail
    for response in (
        client.post("/v1/recommend", json={}),
        client.post("/v1/similar", json={"text": "a"}),
        client.put("/v1/items/a", json=ITEM),
        client.get("/v1/items/a"),
        client.get("/v1/items/a/image"),
        client.get("/v1/items"),
        client.get("/v1/dead-letters"),
        client.get("/v1/sample-users"),
        client.get("/v1/status"),
    ):
        assert error_of(response) == (status, message)
        assert response.headers.get("retry-after") == ("1" if status == 503 else None)
    # A defect is logged once a request, with where it happened; what clients do wrong is not.
    assert len(caplog.records) == (9 if status == 500 else 0)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/items/a", "GET, PUT"),
        ("POST", "/v1/items/a", "GET, PUT"),
        ("POST", "/v1/items", "GET"),
        ("GET", "/v1/recommend", "POST"),
        ("OPTIONS", "/v1/recommend", "POST"),
        ("HEAD", "/health", "GET"),
        ("POST", "/", "GET"),
    ],
)
def test_other_methods(client: TestClient, method: str, path: str, allowed: str) -> None:
    response = client.request(method, path)
    assert response.status_code == 405 and response.headers["allow"] == allowed
    if method != "HEAD":
        assert response.json() == {"error": f"expected {allowed}, got {method}"}


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/docs",
        "/redoc",
        "/v1",
        "/v1/",
        "/V1/status",
        "/v1/status/",
        "//v1/status",
        "/%76%31/status",
        "/static/",
        "/static/../app.py",
        "/static/..%2Fapp.py",
        "/static/%2e%2e/app.py",
        "/static/__init__.py",
        "/index.html",
    ],
)
def test_nothing_is_there(client: TestClient, path: str) -> None:
    assert error_of(client.get(path))[0] == 404


def test_the_page(client: TestClient, engine: StandInEngine) -> None:
    page = client.get("/")
    assert page.status_code == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "img-src 'self' data: blob:" in policy
    assert "unsafe" not in policy
    script = client.get("/static/inspector.js")
    assert script.status_code == 200 and script.headers["content-type"] == "text/javascript; charset=utf-8"
    style = client.get("/static/inspector.css")
    assert style.status_code == 200 and style.headers["content-type"] == "text/css; charset=utf-8"


def test_openapi_is_that_of_the_answers(client: TestClient) -> None:
    description = client.get("/openapi.json").json()
    paths = description["paths"]
    assert set(paths) == {
        "/v1/items/{item_id}",
        "/v1/items/{item_id}/image",
        "/v1/items",
        "/v1/dead-letters",
        "/v1/recommend",
        "/v1/similar",
        "/v1/sample-users",
        "/v1/status",
        "/metrics",
        "/health",
        "/ready",
    }
    assert "422" not in json.dumps(description) and "HTTPValidationError" not in json.dumps(description)
    put = paths["/v1/items/{item_id}"]["put"]
    assert set(put["responses"]) == {"202", "400", "401", "408", "413", "415", "429", "503", "504"}
    assert put["requestBody"]["required"] is True
    assert set(paths["/health"]["get"]["responses"]) == {"200"}
    assert set(paths["/v1/items/{item_id}/image"]["get"]["responses"]["200"]["content"]) == {
        "image/jpeg",
        "image/png",
        "image/webp",
    }
    for name in ("PutItem", "AskRecommend", "AskedBehavior", "AskSimilar"):
        assert description["components"]["schemas"][name]["additionalProperties"] is False
