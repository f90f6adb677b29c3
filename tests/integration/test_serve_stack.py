"""`adlens serve` as a user starts it, over small models: what it answers, parts that die, and models that are pushed."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))
sys.path.append(str(Path(__file__).resolve().parents[2]))
import online_models as shop

from benchmarks.closed_loop import closed_loop
from benchmarks.new_items import NewItem, Stream
from benchmarks.running_stack import ADLENS, GatewayClient, RunningStack
from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex

RATE, COUNT = 10.0, 60
# The machine that runs the tests may be slow.
SECONDS = 60.0
PATIENT = (
    "--deadline-seconds=25",
    "--request-timeout-seconds=20",
    *(f"--{name}-timeout-seconds=10" for name in ("recall", "reorder", "rank", "encode", "store")),
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    root = tmp_path_factory.mktemp("stack") / "root"
    shop.push_all(root / "serving")
    stack = RunningStack(root, *(f"--gateway-flag={flag}" for flag in PATIENT))
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def recommend_whole(stack: RunningStack, client: GatewayClient, body: Mapping[str, Any]) -> dict[str, Any]:
    """The first answer in which nothing is left out."""
    answers: list[dict[str, Any]] = []

    def is_whole() -> bool:
        answer = client.post("/v1/recommend", body)
        answers.append(answer.body)
        return answer.status == 200 and answer.body["degraded"] == []

    stack.wait_for(is_whole, SECONDS)
    return answers[-1]


def new_items(prefix: str) -> list[NewItem]:
    """Each of a color and a title that no other has, and every tenth a picture that ends amid its pixels."""
    items = [
        NewItem(f"{prefix}{n}", shop.picture((4 * n, 255 - n, n)), f"{' red' * n} green")
        for n in range(COUNT)
    ]
    for item in items[::10]:
        item.image = item.image[:50]
    return items


def test_it_answers_and_takes_new_items(stack: RunningStack) -> None:
    client = stack.client()
    (user,) = stack.sample_users()
    answer = recommend_whole(stack, client, {**user, "k": 6})
    behaviors = shop.SHOP[:2]
    expected = {each.item_id: shop.click_probability(each, behaviors, "f") for each in shop.SHOP}
    assert {ad["item_id"]: ad["score"] for ad in answer["ads"]} == pytest.approx(expected, abs=1e-5)

    new = shop.ShopItem("n0", "c0", "s0", "green blue", shop.MAGENTA)
    assert new.image is not None
    assert client.put_item(new.item_id, new.image, new.title).status == 202

    def is_usable() -> bool:
        item = client.get("/v1/items/n0").body
        return bool(item.get("recallable") and item.get("searchable"))

    stack.wait_for(is_usable, SECONDS)
    found = client.post("/v1/similar", {"text": "green blue", "k": 1}).body["items"]
    assert [each["item_id"] for each in found] == ["n0"]
    assert found[0]["similarity"] == pytest.approx(1.0, abs=1e-6)
    # The client puts it into a category that nothing else is of.
    new = shop.ShopItem("n0", "c00", "s00001", new.title, new.color)
    answer = recommend_whole(stack, client, {**user, "k": 1, "also_rank": ["n0"]})
    (ad,) = [ad for ad in answer["ads"] if ad["item_id"] == "n0"]
    assert ad["score"] == pytest.approx(shop.click_probability(new, behaviors, "f"), abs=1e-5)


def test_a_second_one_on_the_same_root_says_so(stack: RunningStack) -> None:
    done = subprocess.run(
        [ADLENS, "serve", "--root", stack.root], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"adlens: {stack.root}/online: process ")
    assert done.stderr.endswith(" serves it; one can at a time\n") and done.stderr.count("\n") == 1


@pytest.mark.timeout(400)
def test_killed_parts_lose_nothing_and_double_nothing(stack: RunningStack) -> None:
    (user,) = stack.sample_users()
    before = entries(stack)
    items = new_items("k")
    broken = {item.item_id for item in items[::10]}
    stream = Stream(stack, items, RATE, user)
    killed = {part: stack.pids(part)[0] for part in ("encoder-service", "model-server", "gateway")}
    kills = [threading.Timer(2.0 + 0.5 * number, stack.kill, [part]) for number, part in enumerate(killed)]
    for kill in kills:
        kill.start()
    stream.run(patience_seconds=120, ignored=broken)
    for kill in kills:
        kill.join()
    stack.wait_for(lambda: all(is_another(stack, part, pid) for part, pid in killed.items()), SECONDS)
    assert {item.status for item in items} == {202}
    sound = [item for item in items if item.item_id not in broken]
    assert [item.item_id for item in sound if item.usable_at is None] == []
    client = stack.client()

    def dead() -> list[str]:
        letters = client.get("/v1/dead-letters").body.get("dead_letters", [])
        return sorted(letter["item_id"] for letter in letters)

    stack.wait_for(lambda: dead() == sorted(broken), SECONDS)
    assert stream.doubled == 0
    assert entries(stack) == {modality: count + len(sound) for modality, count in before.items()}


@pytest.mark.timeout(400)
def test_models_are_pushed_under_load(stack: RunningStack) -> None:
    (user,) = stack.sample_users()
    serving = stack.root / "serving"
    is_over = threading.Event()
    client = stack.client()
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(closed_loop, stack, [{**user, "k": 3}], 2, lambda _: not is_over.is_set())
        try:
            shop.push_ctr(stack.root / "pushed", 2, bias=1.0)
            shop.push_recall(stack.root / "pushed", 2)
            for model in ("ctr", "recall"):
                # As a pusher does: moved to its name when it is whole.
                (stack.root / "pushed" / model / "2").rename(serving / model / "2")
            stack.wait_for(lambda: is_served_by(client, user, "2"), SECONDS)
            for model in ("ctr", "recall"):
                (serving / model / "3").mkdir()
                (serving / model / "3" / "saved_model.pb").write_bytes(b"\xff" * 100)
                reason = f"cannot load model {model} version 3"
                stack.wait_for(lambda reason=reason: reason in stack.log("model-server"), SECONDS)  # type: ignore[misc]
        finally:
            is_over.set()
        result = load.result()
    assert result.errors == {}
    for model in ("ctr", "recall"):
        # An answer may do without a model, and then has no version of it.
        assert {"1", "2"} <= result.served(model) and "3" not in result.served(model)
    # A start in this state takes the version before, and does not wait for what cannot be loaded.
    (killed, *_) = stack.pids("model-server")
    stack.kill("model-server")
    stack.wait_for(lambda: is_another(stack, "model-server", killed), SECONDS)
    stack.wait_for(lambda: is_served_by(client, user, "2"), SECONDS)


def is_another(stack: RunningStack, part: str, pid: int) -> bool:
    """Whether a part runs as another process than it did."""
    pids = stack.pids(part)
    return bool(pids) and pids[0] != pid


def is_served_by(client: GatewayClient, user: Mapping[str, Any], version: str) -> bool:
    """Whether recall and ranking answer, by these versions."""
    versions = client.post("/v1/recommend", {**user, "k": 1}).body.get("versions", {})
    return all(versions.get(model) == version for model in ("ctr", "recall"))


def entries(stack: RunningStack) -> dict[str, int]:
    """How many vectors the index has, by modality."""
    index = LmdbEmbeddingIndex(stack.root / "online" / "index", readonly=True)
    counts = {modality: index.count(modality, "1") for modality in shop.MODALITIES}
    index.close()
    return counts
