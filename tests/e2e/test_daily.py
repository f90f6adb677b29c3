"""Days of the real pipeline, one after another: as a range and as single runs, and a day whose clicks are none."""

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.cli import main
from pipeline.lineage import open_store
from pipeline.pipeline import PIPELINE_NAME
from pipeline.root import Root
from sources.marketplace.params import MarketplaceParams
from sources.marketplace.simulate import simulate

pytestmark = pytest.mark.timeout(1200)

FIRST, SECOND, POISONED, LAST = (date(2024, 1, day) for day in (2, 3, 4, 5))
SIZES = MarketplaceParams(
    num_days=6,
    num_items=150,
    num_users=60,
    num_categories=6,
    num_shops=12,
    num_impressions=9_000,
    num_searches=300,
)


# IDs alone, at rates at which a day of 1,500 impressions can be seen.
SETTINGS = (
    "modalities=[]",
    "train_recall=false",
    "ctr.integration=id",
    "ctr.learning_rate=0.01",
    "ctr.table_learning_rate=0.2",
    "ctr.batch_size=64",
    "evaluator.gate=auc",
    "evaluator.min_value=0.5",
    "daily.max_drop=0.02",
)


def run_days(logs: Path, root: Path, dates: str) -> None:
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    places = ["--logs", str(logs), "--root", str(root)]
    assert main(["run", *places, "--preset", "tiny", *settings, "--date", dates]) == 0


def record(root: Path, day: date) -> dict[str, Any]:
    return json.loads((root / "days" / f"{day}.json").read_text())


def outputs(root: Path, node: str, output: str) -> dict[int, Path]:
    """The folders of what a stage gave by day, the newest of each."""
    store = open_store(Root(str(root)))
    context = store.get_context_by_type_and_name("node", f"{PIPELINE_NAME}.{node}")
    artifacts = [
        artifact
        for artifact in store.get_artifacts_by_context(context.id)
        if f"/{node}/{output}/" in artifact.uri
    ]
    found = {}
    for artifact in sorted(artifacts, key=lambda artifact: artifact.id):
        properties = artifact.properties if "span" in artifact.properties else artifact.custom_properties
        found[properties["span"].int_value] = Path(artifact.uri)
    return found


def span(day: date) -> int:
    return (day - date(1970, 1, 1)).days


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("daily") / "logs"
    simulate(SIZES, folder)
    return folder


@pytest.fixture(scope="module")
def roots(logs: Path) -> tuple[Path, Path]:
    """Two days: as single runs, and the second as the second of a range whose first was done before."""
    single, both = logs.parent / "single", logs.parent / "both"
    run_days(logs, single, f"{FIRST}")
    shutil.copytree(single, both)
    run_days(logs, single, f"{SECOND}")
    run_days(logs, both, f"{FIRST}..{SECOND}")
    return single, both


def test_a_range_of_days_gives_what_single_runs_give(roots: tuple[Path, Path]) -> None:
    for day in (FIRST, SECOND):
        expected, got = (record(root, day) for root in roots)
        assert (got["status"], got["first"]) == (expected["status"], expected["first"])
        # Sums over threads differ in a last digit.
        for name in ("candidate", "last_blessed"):
            assert got[name] == (expected[name] and pytest.approx(expected[name], rel=1e-4))
    for node, output in (("CtrTrainer", "model"), ("LogIngest", "item_stats"), ("LogIngest", "history")):
        folders = [outputs(root, node, output)[span(SECOND)] for root in roots]
        assert folders[0] != folders[1]
        for path in sorted(folders[0].rglob("*")):
            other = folders[1] / path.relative_to(folders[0])
            if path.suffix == ".parquet":
                assert pq.read_table(path).equals(pq.read_table(other)), path
            if path.suffix == ".f32":
                ours, theirs = (np.fromfile(each, "<f4") for each in (path, other))
                np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4, err_msg=str(path))


def test_the_second_day_goes_on_from_the_first(roots: tuple[Path, Path]) -> None:
    root = roots[0]
    first, second = record(root, FIRST), record(root, SECOND)
    assert (first["first"], second["first"]) == (True, False)
    # Measured on the whole of the day after.
    assert first["candidate"]["impressions"] == second["candidate"]["impressions"] == 1_500
    assert first["last_blessed"] is None and second["last_blessed"]["auc"] is not None
    models = outputs(root, "CtrTrainer", "model")
    states = [
        json.loads((models[span(day)] / "Training-State/state.json").read_text()) for day in (FIRST, SECOND)
    ]
    # Two days of 1,500 impressions in batches of 64, then one of them: each day ends with a smaller batch.
    assert [state["steps"] for state in states] == [47, 47 + 24]
    items = [state["ids"]["item_id"]["size"] for state in states]
    assert items[0] < items[1] <= SIZES.num_items


def test_a_poisoned_day_is_refused_and_the_next_goes_on_from_the_last_blessed(
    roots: tuple[Path, Path], logs: Path
) -> None:
    root = roots[0]
    before = json.loads((root / "serving/release.json").read_text())
    assert record(root, SECOND)["status"] == "pushed"
    shuffle_clicks(logs / "impressions", POISONED)
    run_days(logs, root, f"{POISONED}")
    summary = json.loads((root / "summary.json").read_text())
    poisoned = record(root, POISONED)
    assert (poisoned["status"], summary["ctr"]["blessed"], "ctr" in summary["pushed"]) == (
        "refused",
        False,
        False,
    )
    assert poisoned["candidate"]["auc"] < poisoned["last_blessed"]["auc"] - 0.02
    # The old model keeps serving.
    after = json.loads((root / "serving/release.json").read_text())
    assert after["ctr"] == before["ctr"]

    run_days(logs, root, f"{LAST}")
    last = record(root, LAST)
    assert last["status"] == "pushed"
    assert last["candidate"]["auc"] > poisoned["candidate"]["auc"]
    # The poisoned day's steps are not among those of the model: it went on from the day before.
    models = outputs(root, "CtrTrainer", "model")
    state = json.loads((models[span(LAST)] / "Training-State/state.json").read_text())
    assert state["steps"] == 47 + 2 * 24
    # But its new ids have rows: the vocabulary goes on.
    files = outputs(root, "VocabularyGrower", "transform_graph")
    sizes = [
        len((files[span(day)] / "transform_fn/assets/item_id").read_bytes().split())
        for day in (POISONED, LAST)
    ]
    assert sizes[0] <= sizes[1] == state["ids"]["item_id"]["size"]


def test_a_day_again_finds_all_that_it_did(roots: tuple[Path, Path], logs: Path) -> None:
    root = roots[0]
    before = record(root, FIRST)
    pushed = sorted((root / "serving/ctr").iterdir())
    run_days(logs, root, f"{FIRST}")
    again = record(root, FIRST)
    assert again | {"stages": before["stages"]} == before
    seconds = {stage["name"]: stage["seconds"] for stage in before["stages"]}
    # Its own, not those of the days since.
    for stage in again["stages"]:
        if not stage["name"].startswith("LastBlessed"):
            assert stage["cached"] and stage["seconds"] == seconds[stage["name"]], stage
    # The report is that day's again, and nothing was pushed once more.
    summary = json.loads((root / "summary.json").read_text())
    assert summary["ctr"]["auc"] == before["candidate"]["auc"]
    assert sorted((root / "serving/ctr").iterdir()) == pushed
    assert main(["report", "--root", str(root)]) == 0
    assert json.loads((root / "summary.json").read_text())["stages"] == summary["stages"]


def shuffle_clicks(folder: Path, day: date) -> None:
    """Deals the clicks of a day out anew among its impressions."""
    rng = np.random.default_rng(0)
    for path in folder.glob("*.parquet"):
        table = pq.read_table(path)
        days = np.array([time.date() for time in table["timestamp"].to_pylist()])
        if not (days == day).any():
            continue
        clicked = table["clicked"].to_numpy().copy()
        clicked[days == day] = rng.permutation(clicked[days == day])
        place = table.schema.get_field_index("clicked")
        pq.write_table(table.set_column(place, table.schema.field(place), pa.array(clicked)), path)
