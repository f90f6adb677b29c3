"""Which versions serve, while folders and configurations change under them."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.config.file_system_storage_path_source_pb2 import FileSystemStoragePathSourceConfig
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.model_server.model_manager import ModelManager
from serving.model_server.model_version import State
from serving.model_server.serving_error import ServingError, invalid

Policy = FileSystemStoragePathSourceConfig.ServableVersionPolicy


class FakeServable:
    """Knows its folder and whether it was closed."""

    signatures: Mapping[str, Any] = {}

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_closed = False

    def run(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> list[np.ndarray]:
        raise NotImplementedError

    def close(self) -> None:
        self.is_closed = True


class Loader:
    """Loads folders, but those that hold a file named `broken`; notes what happens."""

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.servables: dict[str, FakeServable] = {}
        self.serving_at_load: list[list[int]] = []
        self.manager: ModelManager | None = None

    def __call__(self, name: str, path: Path) -> FakeServable:
        key = f"{name}/{path.name}"
        self.loads.append(key)
        if self.manager is not None:
            self.serving_at_load.append(serving(self.manager, name))
        if (path / "unforeseen").exists():
            raise RuntimeError("what nobody thought of")
        if (path / "broken").exists():
            raise invalid("broken")
        self.servables[key] = FakeServable(path)
        return self.servables[key]


def serving(manager: ModelManager, name: str = "m") -> list[int]:
    return [version for version, state, _ in manager.states(name) if state == State.AVAILABLE]


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def push_bad(base: Path, mark: str) -> None:
    """Version 2, which the loader refuses; at once, for the manager may look between a folder's and a file's making."""
    folder = base / "in the making"
    folder.mkdir()
    (folder / mark).touch()
    folder.rename(base / "2")


def config_of(*models: tuple[str, Path], policy: Policy | None = None, **labels: int) -> ModelServerConfig:
    config = ModelServerConfig()
    for name, path in models:
        model = config.model_config_list.config.add(
            name=name, base_path=str(path), model_platform="tensorflow", version_labels=labels
        )
        if policy is not None:
            model.model_version_policy.CopyFrom(policy)
    return config


@pytest.fixture
def loader() -> Loader:
    return Loader()


@pytest.fixture
def manager(loader: Loader) -> Iterator[ModelManager]:
    manager = ModelManager(loader, poll_seconds=0.02, max_load_retries=2, retry_seconds=0.05)
    loader.manager = manager
    yield manager
    manager.stop()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "base" / "1").mkdir(parents=True)
    return tmp_path / "base"


def asked(manager: ModelManager, **spec: Any) -> int:
    with manager.borrow(ModelSpec(name="m", **spec)) as (version, _):
        return version


def at(version: int) -> dict[str, Any]:
    return {"version": {"value": version}}


def test_a_new_version_is_loaded_before_the_old_one_is_unloaded(
    manager: ModelManager, loader: Loader, base: Path
) -> None:
    manager.start(config_of(("m", base)))
    assert asked(manager) == 1
    (base / "00000123").mkdir()
    eventually(lambda: serving(manager) == [123])
    assert loader.serving_at_load == [[], [1]]
    assert loader.servables["m/1"].is_closed
    assert not loader.servables["m/00000123"].is_closed
    # An unloaded version stays in the status, newest first.
    assert manager.states("m") == [(123, State.AVAILABLE, None), (1, State.END, None)]


def test_what_is_no_64_bit_number_is_no_version(manager: ModelManager, base: Path) -> None:
    for name in ("2x", "v3", "", "9223372036854775808", "4.0", "１"):
        (base / name).mkdir(exist_ok=True)
    (base / "5").write_text("a file")
    manager.start(config_of(("m", base), policy=Policy(all={})))
    assert [version for version, _, _ in manager.states("m")] == [1]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy(), [4]),
        (Policy(latest={}), [4]),
        (Policy(latest={"num_versions": 2}), [4, 3]),
        (Policy(latest={"num_versions": 9}), [4, 3, 2, 1]),
        (Policy(all={}), [4, 3, 2, 1]),
        (Policy(specific={"versions": [1, 3, 77]}), [3, 1]),
    ],
)
def test_the_policy_chooses_versions(
    manager: ModelManager, base: Path, policy: Policy, expected: list[int]
) -> None:
    for version in (2, 3, 4):
        (base / str(version)).mkdir()
    manager.start(config_of(("m", base), policy=policy))
    eventually(lambda: serving(manager) == expected)
    assert asked(manager) == expected[0]


def test_a_request_keeps_its_version(manager: ModelManager, loader: Loader, base: Path) -> None:
    manager.start(config_of(("m", base)))
    with manager.borrow(ModelSpec(name="m")) as (version, servable):
        (base / "2").mkdir()
        eventually(lambda: (1, State.UNLOADING, None) in manager.states("m"))
        assert (version, servable) == (1, loader.servables["m/1"])
        assert not loader.servables["m/1"].is_closed
        assert asked(manager) == 2
        with pytest.raises(ServingError, match=r"Servable not found for request: Specific\(m, 1\)"):
            asked(manager, **at(1))
    assert loader.servables["m/1"].is_closed
    assert (1, State.END, None) in manager.states("m")


def test_a_version_that_fails_changes_nothing_and_is_tried_some_times(
    manager: ModelManager, loader: Loader, base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manager.start(config_of(("m", base)))
    push_bad(base, "broken")
    with caplog.at_level(logging.ERROR):
        eventually(lambda: manager.states("m")[0][1] == State.END)
    time.sleep(0.2)
    # At first, and two retries; then never again.
    assert loader.loads == ["m/1", "m/2", "m/2", "m/2"]
    assert serving(manager) == [1] and asked(manager) == 1
    version, _, error = manager.states("m")[0]
    assert version == 2 and error is not None and error.message == "broken"
    assert "cannot load model m version 2: broken; 2 more tries" in caplog.text
    assert "no more tries; version 1 serves on" in caplog.text


def test_a_version_that_waits_to_be_tried_again_holds_nothing_up(
    loader: Loader, base: Path, tmp_path: Path
) -> None:
    (tmp_path / "other" / "1").mkdir(parents=True)
    manager = ModelManager(loader, poll_seconds=0.02, retry_seconds=3600)
    manager.start(config_of(("m", base), ("n", tmp_path / "other")))
    push_bad(base, "broken")
    eventually(lambda: "m/2" in loader.loads)
    (tmp_path / "other" / "2").mkdir()
    eventually(lambda: serving(manager, "n") == [2])
    # A newer version of the same model, too.
    (base / "3").mkdir()
    eventually(lambda: serving(manager) == [3])
    assert loader.loads.count("m/2") == 1
    assert [(version, state) for version, state, _ in manager.states("m")] == [
        (3, State.AVAILABLE),
        (2, State.END),
        (1, State.END),
    ]
    manager.stop()


def test_a_version_that_gets_whole_between_two_tries_serves(
    manager: ModelManager, loader: Loader, base: Path
) -> None:
    manager.start(config_of(("m", base)))
    push_bad(base, "broken")
    eventually(lambda: "m/2" in loader.loads)
    assert manager.states("m")[0][1] == State.LOADING
    (base / "2" / "broken").unlink()
    eventually(lambda: serving(manager) == [2])
    assert manager.states("m")[0] == (2, State.AVAILABLE, None)


def test_a_version_that_failed_for_good_is_left_alone_until_another_number_comes(
    manager: ModelManager, loader: Loader, base: Path
) -> None:
    manager.start(config_of(("m", base)))
    push_bad(base, "broken")
    eventually(lambda: manager.states("m")[0][1] == State.END)
    # Neither mending it in its place nor the same configuration once more has it loaded.
    (base / "2" / "broken").unlink()
    manager.reload(config_of(("m", base)))
    time.sleep(0.2)
    assert loader.loads == ["m/1", "m/2", "m/2", "m/2"] and serving(manager) == [1]
    (base / "3").mkdir()
    eventually(lambda: serving(manager) == [3])
    assert loader.loads == ["m/1", "m/2", "m/2", "m/2", "m/3"]


def test_a_failed_version_is_tried_anew_after_it_was_away(
    manager: ModelManager, loader: Loader, base: Path, tmp_path: Path
) -> None:
    # TF Serving forgets a failed version that nobody wants, so what comes back under its number is new to it.
    other = tmp_path / "other"
    (other / "1").mkdir(parents=True)
    manager.start(config_of(("n", other), ("m", base)))
    push_bad(base, "broken")
    eventually(lambda: manager.states("m")[0][1] == State.END)
    (base / "2").rename(base / "away")
    # Folders are looked at in the order of the models: when n's new version serves, it was seen that m's is gone.
    (other / "2").mkdir()
    eventually(lambda: serving(manager, "n") == [2])
    (base / "away" / "broken").unlink()
    (base / "away").rename(base / "2")
    eventually(lambda: serving(manager) == [2])


def test_an_unforeseen_error_of_one_model_leaves_the_others_alone(
    manager: ModelManager, base: Path, tmp_path: Path
) -> None:
    manager.start(config_of(("m", base)))
    push_bad(base, "unforeseen")
    eventually(lambda: manager.states("m")[0][1] == State.END)
    error = manager.states("m")[0][2]
    assert (
        error is not None and error.code == grpc.StatusCode.INTERNAL and "nobody thought of" in error.message
    )
    (base / "3").mkdir()
    eventually(lambda: serving(manager) == [3])


def test_deleting_the_newest_version_rolls_back(manager: ModelManager, base: Path) -> None:
    (base / "2").mkdir()
    manager.start(config_of(("m", base)))
    eventually(lambda: serving(manager) == [2])
    (base / "2").rmdir()
    eventually(lambda: serving(manager) == [1])
    assert asked(manager) == 1


def test_deleting_all_versions_unloads_the_model(manager: ModelManager, loader: Loader, base: Path) -> None:
    manager.start(config_of(("m", base)))
    (base / "1").rmdir()
    eventually(lambda: serving(manager) == [])
    assert loader.servables["m/1"].is_closed
    with pytest.raises(ServingError, match=r"Servable not found for request: Latest\(m\)") as raised:
        asked(manager)
    assert raised.value.code == grpc.StatusCode.NOT_FOUND
    (base / "1").mkdir()
    eventually(lambda: serving(manager) == [1])


def test_a_base_path_that_goes_away_changes_nothing(
    manager: ModelManager, base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manager.start(config_of(("m", base)))
    base.rename(base.parent / "away")
    with caplog.at_level(logging.WARNING):
        eventually(lambda: "cannot read the base path of model m" in caplog.text)
    time.sleep(0.1)
    assert serving(manager) == [1]
    assert caplog.text.count("cannot read the base path") == 1


def test_version_0_is_a_version(manager: ModelManager, base: Path) -> None:
    manager.start(config_of(("m", base)))
    with pytest.raises(ServingError, match=r"Specific\(m, 0\)"):
        asked(manager, **at(0))
    (base / "0").mkdir()
    manager.reload(config_of(("m", base), policy=Policy(all={})))
    eventually(lambda: serving(manager) == [1, 0])
    assert asked(manager, **at(0)) == 0


def test_a_failing_model_aborts_the_start(manager: ModelManager, base: Path) -> None:
    (base / "1" / "broken").touch()
    with pytest.raises(ServingError, match="Some models did not become available") as raised:
        manager.start(config_of(("m", base)))
    assert raised.value.code == grpc.StatusCode.UNKNOWN


def test_the_start_waits_for_a_first_version(manager: ModelManager, tmp_path: Path) -> None:
    starting = threading.Thread(target=manager.start, args=(config_of(("m", tmp_path / "later")),))
    starting.start()
    time.sleep(0.1)
    assert starting.is_alive()
    (tmp_path / "later" / "7").mkdir(parents=True)
    starting.join(10)
    assert not starting.is_alive() and asked(manager) == 7


def test_a_stop_ends_what_waits_for_a_model(manager: ModelManager, base: Path, tmp_path: Path) -> None:
    manager.start(config_of(("m", base)))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(manager.reload, config_of(("n", tmp_path / "never")))
        time.sleep(0.05)
        assert not waiting.done()
        manager.stop()
        with pytest.raises(ServingError, match="Some models did not become available: {n}"):
            waiting.result(10)


def test_a_new_configuration_replaces_the_whole_old_one(
    manager: ModelManager, loader: Loader, base: Path, tmp_path: Path
) -> None:
    (tmp_path / "other" / "5").mkdir(parents=True)
    manager.start(config_of(("m", base)))
    manager.reload(config_of(("n", tmp_path / "other")))
    assert serving(manager, "n") == [5]
    eventually(lambda: serving(manager, "m") == [])
    assert loader.servables["m/1"].is_closed
    assert manager.states("m") == [(1, State.END, None)]
    manager.reload(config_of())
    eventually(lambda: serving(manager, "n") == [])


def test_a_reload_with_a_model_that_fails_says_so_and_the_others_serve(
    manager: ModelManager, base: Path, tmp_path: Path
) -> None:
    (tmp_path / "other" / "5").mkdir(parents=True)
    (tmp_path / "other" / "5" / "broken").touch()
    manager.start(config_of(("m", base)))
    with pytest.raises(ServingError, match="Some models did not become available"):
        manager.reload(config_of(("m", base), ("n", tmp_path / "other")))
    assert serving(manager) == [1]


def test_labels(manager: ModelManager, base: Path) -> None:
    (base / "2").mkdir()
    both = Policy(all={})
    manager.start(config_of(("m", base), policy=both))
    eventually(lambda: serving(manager) == [2, 1])
    manager.reload(config_of(("m", base), policy=both, stable=1, canary=2))
    assert asked(manager, version_label="stable") == 1
    assert asked(manager, version_label="canary") == 2
    manager.reload(config_of(("m", base), policy=both, stable=2))
    assert asked(manager, version_label="stable") == 2
    with pytest.raises(ServingError, match="Unrecognized servable version label: canary") as raised:
        asked(manager, version_label="canary")
    assert raised.value.code == grpc.StatusCode.INVALID_ARGUMENT
    # An empty label is none.
    assert asked(manager, version_label="") == 2


def test_a_label_needs_a_loaded_version(manager: ModelManager, base: Path) -> None:
    manager.start(config_of(("m", base)))
    message = (
        "Request to assign label to version 7 of model m, which is not currently available for inference"
    )
    with pytest.raises(ServingError, match=message) as raised:
        manager.reload(config_of(("m", base), stable=7))
    assert raised.value.code == grpc.StatusCode.FAILED_PRECONDITION
    assert asked(manager) == 1
    with pytest.raises(ServingError, match="Unrecognized"):
        asked(manager, version_label="stable")


def test_labels_at_the_start_fail_unless_they_may_wait(loader: Loader, base: Path) -> None:
    strict = ModelManager(loader, poll_seconds=0.02)
    with pytest.raises(ServingError, match="not currently available for inference"):
        strict.start(config_of(("m", base), stable=1))
    strict.stop()
    lenient = ModelManager(loader, poll_seconds=0.02, allow_labels_for_unavailable=True)
    lenient.start(config_of(("m", base), stable=1))
    assert asked(lenient, version_label="stable") == 1
    # A label that exists moves to loaded versions alone.
    with pytest.raises(ServingError, match="not currently available for inference"):
        lenient.reload(config_of(("m", base), stable=7))
    lenient.stop()


def test_without_polling_only_a_new_configuration_is_looked_after(loader: Loader, base: Path) -> None:
    manager = ModelManager(loader, poll_seconds=0)
    manager.start(config_of(("m", base)))
    (base / "2").mkdir()
    time.sleep(0.1)
    assert serving(manager) == [1]
    manager.reload(config_of(("m", base)))
    eventually(lambda: serving(manager) == [2])
    manager.stop()


def test_a_request_has_to_name_a_model(manager: ModelManager, base: Path) -> None:
    manager.start(config_of(("m", base)))
    with (
        pytest.raises(ServingError, match="ModelSpec has no name specified") as raised,
        manager.borrow(ModelSpec()),
    ):
        pass
    assert raised.value.code == grpc.StatusCode.INVALID_ARGUMENT


def test_stopping_unloads_everything(loader: Loader, base: Path) -> None:
    manager = ModelManager(loader)
    manager.start(config_of(("m", base)))
    manager.stop()
    assert loader.servables["m/1"].is_closed


def test_no_request_fails_while_versions_come_and_go(manager: ModelManager, base: Path) -> None:
    manager.start(config_of(("m", base)))
    seen: set[int] = set()
    errors: list[ServingError] = []
    closed: list[bool] = []
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            try:
                with manager.borrow(ModelSpec(name="m")) as (version, servable):
                    closed.append(servable.is_closed)  # type: ignore[attr-defined]
                    seen.add(version)
            except ServingError as error:
                errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for version in range(2, 12):
        (base / str(version)).mkdir()
        eventually(lambda version=version: serving(manager) == [version])  # type: ignore[misc]
    is_over.set()
    for thread in threads:
        thread.join()
    assert not errors and not any(closed) and {1, 11} <= seen
