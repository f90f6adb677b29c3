"""Results that are kept, and the trials that are done because nothing fitting was."""

import io
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from pipeline.config import RunConfig
from pipeline.experiment.bench import Bench
from pipeline.experiment.ingested import Ingested
from pipeline.experiment.store import ResultStore
from transforms.input_error import InputError

SETTINGS = {"method": "scl", "configs": [{"seed": 0, "learning_rate": 0.001}]}
OTHER = {"method": "scl", "configs": [{"seed": 0, "learning_rate": 0.002}]}


def test_a_kept_result_comes_back(tmp_path: Path) -> None:
    store = ResultStore(str(tmp_path / "new" / "folder"), "data")
    name = store.name("scl-image-seed0", SETTINGS)
    assert store.find(name) is None
    store.save(name, {"acc@1": 0.5, "slices": {"easy": None}})
    assert ResultStore(store.folder, "data").find(name) == {"acc@1": 0.5, "slices": {"easy": None}}
    assert [path.name for path in Path(store.folder).iterdir()] == [f"{name}.json"]


def test_another_configuration_or_other_data_has_another_name(tmp_path: Path) -> None:
    store = ResultStore(str(tmp_path), "data")
    name = store.name("scl", SETTINGS)
    assert name.startswith("scl-")
    assert store.name("scl", OTHER) != name
    assert ResultStore(str(tmp_path), "other data").name("scl", SETTINGS) != name
    # The order in which settings are written is none of them.
    assert store.name("scl", dict(reversed(SETTINGS.items()))) == name


def make_bench(folder: Path, data: str = "data") -> Bench:
    ingested = Ingested("pairs", "catalog", "item_stats", "rejects", data)
    store = ResultStore(str(folder / "results"), data)
    checkpoints = str(folder / "checkpoints")
    return Bench(RunConfig(), (), 1, ingested, store, checkpoints, "logs", no_clicks, io.StringIO())


def no_clicks() -> NoReturn:
    raise AssertionError("a trial of another part has no use for them")


class Trials:
    """Counts what is done; each trial's result says how many were done before it."""

    def __init__(self) -> None:
        self.folders: list[str] = []

    def __call__(self, folder: str) -> dict:
        self.folders.append(folder)
        return {"done": len(self.folders)}

    def ask(self, bench: Bench, settings: dict) -> int:
        return bench.once("1/1", "scl", settings, self, lambda found: f"result {found['done']}")["done"]


def test_only_what_is_missing_is_done(tmp_path: Path) -> None:
    trials, bench = Trials(), make_bench(tmp_path)
    assert trials.ask(bench, SETTINGS) == 1
    assert trials.ask(bench, SETTINGS) == 1
    # A changed configuration never sees the old result, and neither do changed logs.
    assert trials.ask(bench, OTHER) == 2
    assert trials.ask(make_bench(tmp_path, "changed data"), SETTINGS) == 3
    # Going back finds the first one.
    assert trials.ask(make_bench(tmp_path), SETTINGS) == 1
    assert len(set(trials.folders)) == 3, "each trial has a folder of its own for checkpoints"
    shown = bench.out.getvalue().splitlines()
    assert [line.split(maxsplit=2)[2] for line in shown] == [
        "…",
        "result 1",
        "result 1, done before",
        "…",
        "result 2",
    ]


def test_a_trial_that_fails_leaves_no_result(tmp_path: Path) -> None:
    def fail(folder: str) -> dict:
        raise RuntimeError("killed")

    bench = make_bench(tmp_path)
    with pytest.raises(RuntimeError):
        bench.once("1/1", "scl", SETTINGS, fail, str)
    assert Trials().ask(bench, SETTINGS) == 1


def test_arrays_are_kept_beside_results(tmp_path: Path) -> None:
    store = ResultStore(str(tmp_path / "results"), "data")
    first, second = np.array([0.25, np.nan], np.float32), np.array([0.25, 0.5], np.float32)
    names = [store.save_array(array) for array in (first, second, first)]
    assert names[0] == names[2] != names[1]
    for name, array in zip(names, (first, second), strict=False):
        found = store.read_array(name)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, array)
    assert sorted(path.name for path in Path(store.folder).iterdir()) == sorted(set(names))


def test_an_array_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone.npy"):
        ResultStore(str(tmp_path), "data").read_array("gone.npy")
