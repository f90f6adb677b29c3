"""Loads and unloads the versions of models as their folders come and go."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import grpc
from tensorflow_serving.apis import model_pb2
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from serving.model_server.model_config import check_models
from serving.model_server.model_version import ModelVersion, Servable, State
from serving.model_server.serving_error import ServingError, invalid
from serving.model_server.version_policy import list_versions, wanted_versions

logger = logging.getLogger(__name__)

Load = Callable[[str, Path], Servable]


class ModelManager:
    """Serves the versions that the policies ask for, and never fewer than it can while they change.

    One thread looks at the folders, loads what is new, and then unloads what is no longer wanted: of a model that has
    wanted versions the old ones stay until one of the wanted ones is there, so a version that cannot be loaded
    changes nothing. A request keeps its version until it is answered. A version that failed is tried again
    `max_load_retries` times and then never, until it leaves the folder and comes back.

    Args:
        load: loads the folder of a version of a model; raises ServingError.
        poll_seconds: between two looks at the folders; 0 or less: only when the configuration changes.
        max_load_retries: int >= 0.
        retry_seconds: between two loads of a version.
        allow_labels_for_unavailable: a label that is new may name a version that is not loaded.
    """

    def __init__(
        self,
        load: Load,
        poll_seconds: float = 1.0,
        max_load_retries: int = 5,
        retry_seconds: float = 60.0,
        allow_labels_for_unavailable: bool = False,
    ) -> None:
        self.load = load
        self.poll_seconds = poll_seconds
        self.max_load_retries = max_load_retries
        self.retry_seconds = retry_seconds
        self.allow_labels_for_unavailable = allow_labels_for_unavailable
        self._models: dict[str, ModelConfig] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._versions: dict[str, dict[int, ModelVersion]] = {}
        self._complaints: dict[str, str] = {}
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._work, name="model_manager", daemon=True)

    def start(self, config: ModelServerConfig) -> None:
        """Loads the models, and returns when each has an available version.

        Raises:
            ServingError: if the configuration is wrong, or a model cannot be loaded.
        """
        self._configure(config)
        self._thread.start()
        self._wait_until_available(set(self._models))

    def reload(self, config: ModelServerConfig) -> None:
        """Replaces the whole configuration, and returns when each new model has an available version."""
        before = set(self._models)
        self._configure(config)
        self._wake.set()
        self._wait_until_available(set(self._models) - before)

    def stop(self) -> None:
        """Unloads everything. Requests that are running keep their versions to their end."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        for record in self._records():
            self._unload(record)

    @contextlib.contextmanager
    def borrow(self, spec: model_pb2.ModelSpec) -> Iterator[tuple[int, Servable]]:
        """The version that a request asks for, kept loaded while it is borrowed.

        Args:
            spec: a model's name, and the version or its label; neither: the latest one that is available.
        Raises:
            ServingError: if there is none.
        """
        record = self._take(spec)
        assert record.servable is not None
        try:
            yield record.version, record.servable
        finally:
            self._give_back(record)

    def states(self, name: str) -> list[tuple[int, State, ServingError | None]]:
        """The versions of a model that were ever seen, newest first, and why the last load failed."""
        with self._changed:
            records = self._versions.get(name, {})
            return [
                (number, records[number].state, records[number].error) for number in sorted(records)[::-1]
            ]

    def _configure(self, config: ModelServerConfig) -> None:
        models = check_models(config, self._models)
        with self._changed:
            self._labels = {name: self._check_labels(model) for name, model in models.items()}
            self._models = models

    def _check_labels(self, model: ModelConfig) -> dict[str, int]:
        known, records = self._labels.get(model.name, {}), self._versions.get(model.name, {})
        for label, version in model.version_labels.items():
            is_available = version in records and records[version].state == State.AVAILABLE
            may_wait = self.allow_labels_for_unavailable and known.get(label, version) == version
            if not is_available and not may_wait:
                raise ServingError(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    f"Request to assign label to version {version} of model {model.name}, "
                    "which is not currently available for inference",
                )
        return dict(model.version_labels)

    def _take(self, spec: model_pb2.ModelSpec) -> ModelVersion:
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        with self._changed:
            number = self._asked_version(spec)
            record = self._available(spec.name, number)
            if record is None:
                asked = f"Latest({spec.name})" if number is None else f"Specific({spec.name}, {number})"
                raise ServingError(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {asked}")
            record.users += 1
            return record

    def _asked_version(self, spec: model_pb2.ModelSpec) -> int | None:
        choice = spec.WhichOneof("version_choice")
        if choice == "version":
            return spec.version.value
        if choice == "version_label" and spec.version_label:
            labels = self._labels.get(spec.name, {})
            if spec.version_label not in labels:
                raise invalid(f"Unrecognized servable version label: {spec.version_label}")
            return labels[spec.version_label]
        return None

    def _available(self, name: str, number: int | None) -> ModelVersion | None:
        records = self._versions.get(name, {})
        found = [
            record
            for version, record in records.items()
            if record.state == State.AVAILABLE and number in (None, version)
        ]
        return max(found, key=lambda record: record.version, default=None)

    def _give_back(self, record: ModelVersion) -> None:
        with self._changed:
            record.users -= 1
            is_last = record.users == 0 and record.state == State.UNLOADING
        if is_last:
            self._close(record)

    def _wait_until_available(self, names: set[str]) -> None:
        """Waits for an available version of each model, as long as one may still come."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopping or all(self._is_settled(name) for name in names))
            missing = [name for name in sorted(names) if self._available(name, None) is None]
            reasons = [
                f"{{name: {name} version: {record.version}}}: {record.error}"
                for name in missing
                for record in self._versions.get(name, {}).values()
            ]
        if missing:
            message = f"Some models did not become available: {{{', '.join(reasons or missing)}}}"
            raise ServingError(grpc.StatusCode.UNKNOWN, message)

    def _is_settled(self, name: str) -> bool:
        if self._available(name, None) is not None:
            return True
        wanted = [record for record in self._versions.get(name, {}).values() if record.is_wanted]
        return bool(wanted) and all(record.state == State.END for record in wanted)

    def _work(self) -> None:
        while not self._is_stopping:
            self._wake.clear()
            self._look()
            self._load_wanted()
            self._unload_unwanted()
            self._wake.wait(self._seconds_to_wait())

    def _seconds_to_wait(self) -> float | None:
        waits = [
            record.retry_at - time.monotonic() for record in self._records() if self._is_due_later(record)
        ]
        if self.poll_seconds > 0:
            waits.append(self.poll_seconds)
        return max(0.0, min(waits)) if waits else None

    def _look(self) -> None:
        """Notes which versions the folders hold and the policies want."""
        models = self._models
        for name, model in models.items():
            try:
                found = list_versions(Path(model.base_path))
            except OSError as error:
                self._complain(name, f"cannot read the base path of model {name}: {error}")
                continue
            wanted = wanted_versions(found, model.model_version_policy)
            if not wanted:
                self._complain(name, f"no versions of model {name} found under base path {model.base_path}")
            self._note(name, {number: found[number] for number in wanted})
        for name in self._versions.keys() - models.keys():
            self._note(name, {})

    def _complain(self, name: str, complaint: str) -> None:
        """Logs what is wrong with a base path once, not every second."""
        if self._complaints.get(name) != complaint:
            logger.warning(complaint)
        self._complaints[name] = complaint

    def _note(self, name: str, wanted: Mapping[int, Path]) -> None:
        if wanted:
            self._complaints.pop(name, None)
        with self._changed:
            records = self._versions.setdefault(name, {})
            for number, record in records.items():
                if record.is_wanted and number not in wanted:
                    record.is_wanted = False
                    if record.state in (State.START, State.LOADING):
                        record.state = State.END
            for number, path in wanted.items():
                record_now = records.get(number)
                # An ended version is wanted again only after it was unwanted; then all starts anew.
                if record_now is None or (record_now.state == State.END and not record_now.is_wanted):
                    records[number] = ModelVersion(name, number, path)
                elif record_now.state != State.UNLOADING:
                    record_now.is_wanted = True

    def _records(self) -> list[ModelVersion]:
        with self._changed:
            return [record for records in self._versions.values() for record in records.values()]

    @staticmethod
    def _is_due_later(record: ModelVersion) -> bool:
        return record.state == State.LOADING and record.is_wanted

    def _load_wanted(self) -> None:
        now = time.monotonic()
        waiting = (State.START, State.LOADING)
        for record in sorted(self._records(), key=lambda record: record.version, reverse=True):
            if record.is_wanted and record.state in waiting and record.retry_at <= now:
                self._try_to_load(record)

    def _try_to_load(self, record: ModelVersion) -> None:
        self._set(record, State.LOADING)
        started = time.monotonic()
        try:
            record.servable = self.load(record.name, record.path)
        except ServingError as error:
            self._note_failure(record, error)
            return
        except Exception as error:
            # Whatever a folder does to TensorFlow, this thread has other models to look after.
            logger.exception("loading %s failed in an unforeseen way", record.path)
            self._note_failure(record, ServingError(grpc.StatusCode.INTERNAL, repr(error)))
            return
        record.error = None
        self._set(record, State.AVAILABLE)
        seconds = time.monotonic() - started
        logger.info("model %s version %d is available after %.1f s", record.name, record.version, seconds)

    def _note_failure(self, record: ModelVersion, error: ServingError) -> None:
        record.failed_loads += 1
        record.error = error
        retries = self.max_load_retries - record.failed_loads + 1
        then = (
            f"{retries} more tries, the next in {self.retry_seconds:g} s" if retries > 0 else "no more tries"
        )
        serving = self._available(record.name, None)
        meanwhile = "no version serves" if serving is None else f"version {serving.version} serves on"
        logger.error(
            "cannot load model %s version %d: %s; %s; %s",
            record.name,
            record.version,
            error.message,
            then,
            meanwhile,
        )
        record.retry_at = time.monotonic() + self.retry_seconds
        if retries <= 0:
            self._set(record, State.END)

    def _unload_unwanted(self) -> None:
        for records in list(self._versions.values()):
            wanted = [record for record in records.values() if record.is_wanted]
            if wanted and all(record.state != State.AVAILABLE for record in wanted):
                continue
            for record in list(records.values()):
                if not record.is_wanted:
                    self._unload(record)

    def _unload(self, record: ModelVersion) -> None:
        with self._changed:
            if record.state != State.AVAILABLE:
                return
            record.state = State.UNLOADING
            is_free = record.users == 0
        if is_free:
            self._close(record)

    def _close(self, record: ModelVersion) -> None:
        servable, record.servable = record.servable, None
        if servable is not None:
            servable.close()
        self._set(record, State.END)
        logger.info("model %s version %d is unloaded", record.name, record.version)

    def _set(self, record: ModelVersion, state: State) -> None:
        with self._changed:
            record.state = state
            self._changed.notify_all()
