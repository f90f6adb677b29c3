"""A test double of the API server of Kubeflow Pipelines, v2beta1, built on its published schema.

Routes and messages are those of `kfp_server_api`, which is generated from the server's published OpenAPI
description: a request with a field that its message lacks is refused, and an answer is made of the messages
themselves. Runs do nothing; each look at a run takes its tasks one step on.

What the description leaves open is as in kubeflow/pipelines, backend/src: tasks bear the names that they have in the
pipeline's specification, beside the drivers and containers that the server adds (v2/compiler/argocompiler/dag.go);
children go by node id, tasks by pod name, and no message of an error is told (apiserver/server/api_converter.go,
common/util/workflow.go); logs are streamed (apiserver/server/run_log_server.go).
"""

import email
import email.policy
import itertools
import json
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Self

import kfp_server_api as api
import uvicorn
import yaml
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

PREFIX = "/apis/v2beta1"
_NUMBERS = itertools.count(1_000_000)
_START = datetime(2024, 1, 1, tzinfo=UTC)
_CLIENT = api.ApiClient(api.Configuration(host="http://double"))


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


@dataclass
class KfpApi:
    """The server's state and how it behaves.

    Attributes:
        token: the bearer token that it wants; None: it asks for none.
        namespaces: those that the token may use; empty: a server of a single user.
        failing: a task that fails, with what its container writes; None in place of that: the pod is gone.
        stuck: whether runs never end.
        faults: statuses of answers that the next requests get, whatever they ask.
        requests: method and path of each request.
        uploads: the pipelines' texts, by version.
    """

    token: str | None = None
    namespaces: tuple[str, ...] = ()
    failing: tuple[str, str | None] | None = None
    stuck: bool = False
    faults: list[int] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    uploads: dict[str, str] = field(default_factory=dict)
    pipelines: dict[str, api.V2beta1Pipeline] = field(default_factory=dict)
    versions: dict[str, api.V2beta1PipelineVersion] = field(default_factory=dict)
    experiments: dict[str, api.V2beta1Experiment] = field(default_factory=dict)
    runs: dict[str, api.V2beta1Run] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    last_tries: dict[str, str] = field(default_factory=dict)

    def app(self) -> FastAPI:
        app = FastAPI()
        for method, path, answer in (
            ("GET", "/healthz", self._health),
            ("GET", "/pipelines", self._list_pipelines),
            ("POST", "/pipelines/upload", self._upload),
            ("POST", "/pipelines/upload_version", self._upload_version),
            ("GET", "/pipelines/{pipeline_id}/versions", self._list_versions),
            ("GET", "/pipelines/{pipeline_id}/versions/{version_id}", self._version),
            ("GET", "/experiments", self._list_experiments),
            ("POST", "/experiments", self._create_experiment),
            ("POST", "/runs", self._create_run),
            ("GET", "/runs/{run_id}", self._run),
        ):
            app.add_api_route(PREFIX + path, self._guarded(answer), methods=[method])
        app.add_api_route("/apis/v1alpha1/runs/{run_id}/nodes/{pod}/log", self._guarded(self._log))
        return app

    def _guarded(self, answer: Callable[..., Any]) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            self.requests.append(f"{request.method} {request.url.path.removeprefix(PREFIX)}")
            try:
                self._let_in(request)
                found = answer(request, await request.body(), **request.path_params)
            except Refusal as refusal:
                return _status(refusal.status, str(refusal))
            if isinstance(found, str):
                return PlainTextResponse(found)
            return JSONResponse(_CLIENT.sanitize_for_serialization(found))

        return handle

    def _let_in(self, request: Request) -> None:
        if self.faults:
            raise Refusal(self.faults.pop(0), "the server is having a bad time")
        if self.token is not None and request.headers.get("authorization") != f"Bearer {self.token}":
            raise Refusal(401, "Request header error: there is no user identity")

    def _use(self, namespace: str | None) -> None:
        if self.namespaces and namespace not in self.namespaces:
            raise Refusal(403, f"User is not authorized in namespace {namespace!r}")

    def _health(self, request: Request, body: bytes) -> api.V2beta1GetHealthzResponse:
        return api.V2beta1GetHealthzResponse(multi_user=bool(self.namespaces), pipeline_store="database")

    def _list_pipelines(self, request: Request, body: bytes) -> api.V2beta1ListPipelinesResponse:
        self._use(request.query_params.get("namespace"))
        found = [each for each in self.pipelines.values() if each.display_name == _asked_name(request)]
        return api.V2beta1ListPipelinesResponse(pipelines=found or None, total_size=len(found))

    def _upload(self, request: Request, body: bytes) -> api.V2beta1Pipeline:
        name = request.query_params["name"]
        self._use(request.query_params.get("namespace"))
        if any(each.display_name == name for each in self.pipelines.values()):
            raise Refusal(409, f"Already exist error: the name {name} exists")
        pipeline = api.V2beta1Pipeline(
            pipeline_id=str(uuid.uuid4()),
            display_name=name,
            name=name,
            created_at=_START,
            namespace=request.query_params.get("namespace"),
        )
        self._add_version(pipeline.pipeline_id, name, _uploaded(request, body))
        self.pipelines[pipeline.pipeline_id] = pipeline
        return pipeline

    def _upload_version(self, request: Request, body: bytes) -> api.V2beta1PipelineVersion:
        pipeline_id = request.query_params["pipelineid"]
        if pipeline_id not in self.pipelines:
            raise Refusal(404, f"pipeline {pipeline_id} not found")
        return self._add_version(pipeline_id, request.query_params["name"], _uploaded(request, body))

    def _add_version(self, pipeline_id: str, name: str, text: str) -> api.V2beta1PipelineVersion:
        documents = list(yaml.safe_load_all(text))
        if "root" not in documents[0]:
            raise Refusal(400, "InvalidInputError: unknown template format")
        spec = documents[0]
        if len(documents) > 1:
            spec = {"pipeline_spec": documents[0], "platform_spec": documents[1]}
        version = api.V2beta1PipelineVersion(
            pipeline_id=pipeline_id,
            pipeline_version_id=str(uuid.uuid4()),
            display_name=name,
            name=name,
            created_at=_START,
            pipeline_spec=spec,
        )
        self.versions[version.pipeline_version_id] = version
        self.uploads[version.pipeline_version_id] = text
        return version

    def _list_versions(
        self, request: Request, body: bytes, pipeline_id: str
    ) -> api.V2beta1ListPipelineVersionsResponse:
        found = [each for each in self.versions.values() if each.pipeline_id == pipeline_id]
        return api.V2beta1ListPipelineVersionsResponse(pipeline_versions=found[::-1], total_size=len(found))

    def _version(
        self, request: Request, body: bytes, pipeline_id: str, version_id: str
    ) -> api.V2beta1PipelineVersion:
        return _existing(self.versions, version_id, "pipeline version")

    def _list_experiments(self, request: Request, body: bytes) -> api.V2beta1ListExperimentsResponse:
        self._use(request.query_params.get("namespace"))
        found = [each for each in self.experiments.values() if each.display_name == _asked_name(request)]
        return api.V2beta1ListExperimentsResponse(experiments=found or None, total_size=len(found))

    def _create_experiment(self, request: Request, body: bytes) -> api.V2beta1Experiment:
        experiment = _read(body, "V2beta1Experiment")
        self._use(experiment.namespace)
        experiment.experiment_id = str(uuid.uuid4())
        self.experiments[experiment.experiment_id] = experiment
        return experiment

    def _create_run(self, request: Request, body: bytes) -> api.V2beta1Run:
        run = _read(body, "V2beta1Run")
        _existing(self.experiments, run.experiment_id, "experiment")
        version = _existing(
            self.versions, run.pipeline_version_reference.pipeline_version_id, "pipeline version"
        )
        _check_parameters(_spec(version), run.runtime_config.parameters or {})
        run.run_id = str(uuid.uuid4())
        run.state = "PENDING"
        run.created_at = _START
        self.runs[run.run_id] = run
        self.looks[run.run_id] = 0
        return run

    def _run(self, request: Request, body: bytes, run_id: str) -> api.V2beta1Run:
        run = _existing(self.runs, run_id, "run")
        tasks = _spec(self.versions[run.pipeline_version_reference.pipeline_version_id])["root"]["dag"][
            "tasks"
        ]
        order = list(
            TopologicalSorter({n: t.get("dependentTasks", ()) for n, t in tasks.items()}).static_order()
        )
        # A task starts in one look and ends in the next, as the one after it starts.
        step = self.looks[run_id]
        self.looks[run_id] += 0 if self.stuck and step else 1
        details, run.state = [_detail(run_id, "root-driver", "SUCCEEDED", 0)], "RUNNING"
        for place, name in enumerate(order[: step + 1]):
            ended = place < step
            failed = ended and self.failing is not None and self.failing[0] == name
            state = "FAILED" if failed else "SUCCEEDED" if ended else "RUNNING"
            details += self._details_of_task(run_id, name, state, place)
            if failed:
                run.state = "FAILED"
                break
        if step >= len(order) and run.state == "RUNNING":
            run.state = "SUCCEEDED"
        details.append(_detail(run_id, "root", run.state, 0))
        run.run_details = api.V2beta1RunDetails(task_details=details)
        return run

    def _details_of_task(
        self, run_id: str, name: str, state: str, place: int
    ) -> list[api.V2beta1PipelineTaskDetail]:
        """As the server reports a task: its driver, the task, below it its container, below that its tries.

        What is below it names by the node's id, which is not the pod's name.
        """
        driver = _detail(run_id, f"{name}-driver", "SUCCEEDED", place)
        task, executor, first, second = (
            _detail(run_id, each, state, place) for each in (name, "executor", "executor(0)", "executor(1)")
        )
        task.child_tasks = [_child(executor)]
        executor.child_tasks = [_child(first), _child(second)]
        second.start_time += timedelta(seconds=1)
        self.last_tries[run_id] = second.pod_name
        return [driver, second, first, task, executor]

    def _log(self, request: Request, body: bytes, run_id: str, pod: str) -> str:
        if self.failing is None or self.failing[1] is None or pod != self.last_tries[run_id]:
            raise Refusal(500, "error in opening log stream")
        return self.failing[1]


class RunningKfpApi:
    """The double on a free port, over TLS where it gets a certificate and its key."""

    def __init__(self, state: KfpApi, certificate: tuple[Path, Path] | None = None):
        self.state = state
        self._scheme = "https" if certificate else "http"
        files = dict(zip(("ssl_certfile", "ssl_keyfile"), map(str, certificate or ()), strict=False))
        self._server = uvicorn.Server(
            uvicorn.Config(state.app(), port=0, log_level="critical", timeout_graceful_shutdown=1, **files)
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"


def _status(status: int, message: str) -> JSONResponse:
    """An error as the server's gateway writes it."""
    return JSONResponse({"error": message, "code": 13, "message": message, "details": []}, status)


def _read(body: bytes, name: str) -> Any:
    """A message of a request. Fields that the schema does not know are an error, at any depth."""
    values = json.loads(body)
    message = _CLIENT._ApiClient__deserialize(values, name)  # type: ignore[attr-defined]
    known = _CLIENT.sanitize_for_serialization(message)
    if known != values:
        raise Refusal(400, f"proto: unknown fields in {name}: {values} is not {known}")
    return message


def _existing(known: dict[str, Any], key: str, what: str) -> Any:
    if key not in known:
        raise Refusal(404, f"{what} {key} not found")
    return known[key]


def _asked_name(request: Request) -> str:
    """What a filter's one predicate asks for; its fields are those of the published Filter."""
    filters = json.loads(request.query_params["filter"])
    (predicate,) = filters["predicates"]
    # Both spellings of a field are those of protobuf's JSON; an operation is a name or a number.
    wanted = predicate.get("string_value", predicate.get("stringValue"))
    assert set(predicate) <= {"operation", "key", "string_value", "stringValue"}
    assert (predicate["operation"] in ("EQUALS", 1), predicate["key"]) == (True, "display_name")
    return str(wanted)


def _uploaded(request: Request, body: bytes) -> str:
    """The one file of a form."""
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    form = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    (part,) = list(form.iter_parts())  # type: ignore[attr-defined]
    assert part.get_param("name", header="content-disposition") == "uploadfile"
    return str(part.get_payload(decode=True).decode())


def _spec(version: api.V2beta1PipelineVersion) -> dict[str, Any]:
    spec: dict[str, Any] = version.pipeline_spec
    return spec.get("pipeline_spec", spec)


def _check_parameters(spec: dict[str, Any], values: dict[str, Any]) -> None:
    known = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    if unknown := set(values) - set(known):
        raise Refusal(400, f"unknown parameters {sorted(unknown)}")
    needed = {name for name, each in known.items() if not each.get("isOptional")}
    if missing := needed - set(values):
        raise Refusal(400, f"missing parameters {sorted(missing)}")


def _detail(run_id: str, name: str, state: str, place: int) -> api.V2beta1PipelineTaskDetail:
    started = _START + timedelta(seconds=10 * place)
    # Of what goes on the server says that it ended in the year 1.
    ended = datetime(1, 1, 1, tzinfo=UTC) if state == "RUNNING" else started + timedelta(seconds=7.5)
    return api.V2beta1PipelineTaskDetail(
        run_id=run_id,
        task_id=str(uuid.uuid4()),
        display_name=name,
        create_time=started,
        start_time=started,
        end_time=ended,
        state=state,
        pod_name=f"shop-x7k2p-{name.rstrip('()01')}-{next(_NUMBERS)}",
    )


def _child(detail: api.V2beta1PipelineTaskDetail) -> api.PipelineTaskDetailChildTask:
    number = detail.pod_name.rsplit("-", 1)[1]
    return api.PipelineTaskDetailChildTask(pod_name=f"shop-x7k2p-{number}")
