"""`adlens serve` as a user starts it, over small models: what it answers, parts that die, and models that are pushed."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))
sys.path.append(str(Path(__file__).resolve().parents[2]))
import online_models as shop

from benchmarks.closed_loop import closed_loop
from benchmarks.new_items import NewItem, Stream
from benchmarks.running_stack import ADLENS, RunningStack
from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex

RATE, COUNT = 10.0, 60


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    root = tmp_path_factory.mktemp("stack") / "root"
    shop.push_all(root / "serving")
    stack = RunningStack(root)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


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
    answer = client.post("/v1/recommend", {**user, "k": 6})
    behaviors = shop.SHOP[:2]
    expected = {each.item_id: shop.click_probability(each, behaviors, "f") for each in shop.SHOP}
    assert answer.status == 200 and answer.body["degraded"] == []
    assert {ad["item_id"]: ad["score"] for ad in answer.body["ads"]} == pytest.approx(expected, abs=1e-5)

    new = shop.ShopItem("n0", "c0", "s0", "green blue", shop.MAGENTA)
    assert new.image is not None
    assert client.put_item(new.item_id, new.image, new.title).status == 202
    stack.wait_for(lambda: client.get("/v1/items/n0").body["recallable"], 20)
    found = client.post("/v1/similar", {"text": "green blue", "k": 1}).body["items"]
    assert [each["item_id"] for each in found] == ["n0"]
    assert found[0]["similarity"] == pytest.approx(1.0, abs=1e-6)
    # The client puts it into a category that nothing else is of.
    new = shop.ShopItem("n0", "c00", "s00001", new.title, new.color)
    answer = client.post("/v1/recommend", {**user, "k": 1, "also_rank": ["n0"]})
    (ad,) = [ad for ad in answer.body["ads"] if ad["item_id"] == "n0"]
    assert ad["score"] == pytest.approx(shop.click_probability(new, behaviors, "f"), abs=1e-5)


def test_a_second_one_on_the_same_root_says_so(stack: RunningStack) -> None:
    done = subprocess.run(
        [ADLENS, "serve", "--root", stack.root], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"adlens: {stack.root}/online: process ")
    assert done.stderr.endswith(" serves it; one can at a time\n") and done.stderr.count("\n") == 1


@pytest.mark.timeout(240)
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
    assert all(stack.pids(part)[0] != pid for part, pid in killed.items())
    assert {item.status for item in items} == {202}
    sound = [item for item in items if item.item_id not in broken]
    assert [item.item_id for item in sound if item.usable_at is None] == []
    client = stack.client()
    stack.wait_for(lambda: client.get("/v1/status").body["queue"]["waiting"] == 0, 30)
    letters = client.get("/v1/dead-letters").body["dead_letters"]
    assert sorted(letter["item_id"] for letter in letters) == sorted(broken)
    assert stream.doubled == 0
    assert entries(stack) == {modality: count + len(sound) for modality, count in before.items()}


@pytest.mark.timeout(120)
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
            ask, wanted = {**user, "k": 1}, {"ctr": "2", "recall": "2"}
            stack.wait_for(
                lambda: wanted.items() <= client.post("/v1/recommend", ask).body["versions"].items(), 30
            )
            for model in ("ctr", "recall"):
                (serving / model / "3").mkdir()
                (serving / model / "3" / "saved_model.pb").write_bytes(b"\xff" * 100)
                reason = f"cannot load model {model} version 3"
                stack.wait_for(lambda reason=reason: reason in stack.log("model-server"), 30)  # type: ignore[misc]
        finally:
            is_over.set()
        result = load.result()
    assert result.failed == 0 and len(result.seconds) > 20
    assert result.served("ctr") == {"1", "2"} and result.served("recall") == {"1", "2"}


def entries(stack: RunningStack) -> dict[str, int]:
    """How many vectors the index has, by modality."""
    index = LmdbEmbeddingIndex(stack.root / "online" / "index", readonly=True)
    counts = {modality: index.count(modality, "1") for modality in shop.MODALITIES}
    index.close()
    return counts
