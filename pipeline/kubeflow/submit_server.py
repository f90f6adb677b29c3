"""A server of Kubeflow Pipelines, spoken to through the SDK's client."""

import contextlib
import datetime
import io
import json
import logging
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kfp_server_api
import urllib3
from kfp.client import Client

from pipeline.kubeflow.submit_package import PipelinePackage
from pipeline.kubeflow.submit_token import SubmitToken
from transforms.input_error import InputError

# To connect, and from one part of the answer to the next; the client itself would wait for ever.
REQUEST_SECONDS = (10, 60)
_MAX_MESSAGE = 500
_LOG_BYTES = 2**16


class ServerError(InputError):
    """The server did not do what it was asked.

    Attributes:
        may_pass: whether the same request may succeed a little later.
    """

    def __init__(self, message: str, may_pass: bool = False):
        super().__init__(message)
        self.may_pass = may_pass


class SubmitServer:
    """A server of Kubeflow Pipelines.

    Args:
        endpoint: its URL, http or https.
        token: what lets the caller in.
        ca_cert: the certificates that sign the server's; None: those that are publicly known.
        namespace: whose pipelines and runs; needed where the server has several.
    Raises:
        ServerError: nothing answers, or something that is no such server, or it lets the caller not in.
        InputError: the endpoint or the certificates cannot be.
    """

    def __init__(self, endpoint: str, token: SubmitToken, ca_cert: Path | None = None, namespace: str = ""):
        self.endpoint = _checked_endpoint(endpoint)
        self.namespace = namespace
        if ca_cert is not None and not ca_cert.is_file():
            raise InputError(f"--ca-cert {ca_cert}: no such file")
        # It repeats failed connections, and logs each time.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        self._check_health(token, ca_cert)
        with self._translated():
            self._client = Client(
                host=self.endpoint,
                namespace=namespace or "kubeflow",
                credentials=token if token.given else None,
                ssl_ca_cert=str(ca_cert) if ca_cert else None,
            )
        _limit_time(self._client.runs.api_client)

    def upload(self, package: PipelinePackage, name: str) -> tuple[str, str]:
        """Uploads a pipeline, as a new version where its name is known. Returns its id and the version's."""
        with self._translated():
            known = self._client.list_pipelines(
                namespace=self.namespace or None, filter=_named(name), page_size=2
            )
            if known.pipelines:
                pipeline_id = known.pipelines[0].pipeline_id
                version = self._client.upload_pipeline_version(
                    str(package.path), f"{name} {_now()}", pipeline_id=pipeline_id
                )
                return pipeline_id, self._id(version.pipeline_version_id)
            pipeline = self._client.upload_pipeline(str(package.path), name, namespace=self.namespace or None)
            versions = self._client.list_pipeline_versions(
                self._id(pipeline.pipeline_id), sort_by="created_at desc", page_size=1
            ).pipeline_versions
            return pipeline.pipeline_id, self._id(versions[0].pipeline_version_id if versions else None)

    def start(
        self, pipeline_id: str, version_id: str, experiment: str, run_name: str, values: dict[str, Any]
    ) -> str:
        """Starts a run of an uploaded pipeline. Returns the run's id."""
        with self._translated():
            found = self._client.create_experiment(experiment, namespace=self.namespace or None)
            run = self._client.run_pipeline(
                self._id(found.experiment_id),
                run_name,
                params=values,
                pipeline_id=pipeline_id,
                version_id=version_id,
            )
            return self._id(run.run_id)

    def run(self, run_id: str) -> kfp_server_api.V2beta1Run:
        """A run as it is now."""
        with self._translated():
            run = self._client.get_run(run_id)
            self._id(run.run_id)
            return run

    def task_labels(self, run: kfp_server_api.V2beta1Run) -> dict[str, str]:
        """The tasks of a run's pipeline: what people call each, by its name there."""
        spec = run.pipeline_spec
        reference = run.pipeline_version_reference
        if not spec and reference:
            with self._translated():
                spec = self._client.get_pipeline_version(
                    reference.pipeline_id, reference.pipeline_version_id
                ).pipeline_spec
        # With a specification of the platform beside it, that of the pipeline lies one level deeper.
        spec = (spec or {}).get("pipeline_spec", spec) or {}
        tasks = spec.get("root", {}).get("dag", {}).get("tasks", {})
        if not tasks:
            raise ServerError(f"{self.endpoint} names no tasks of run {run.run_id}")
        return {name: task.get("taskInfo", {}).get("name", name) for name, task in tasks.items()}

    def log_end(self, run_id: str, pod: str) -> str:
        """The end of what a pod wrote; empty where the server cannot tell, as of a pod that is gone.

        The client has no method for it: the server streams logs beside its described interface.
        """
        try:
            with self._translated():
                response = self._client.runs.api_client.call_api(
                    "/apis/v1alpha1/runs/{run_id}/nodes/{pod}/log",
                    "GET",
                    {"run_id": run_id, "pod": pod},
                    header_params={},
                    auth_settings=["Bearer"],
                    _preload_content=False,
                    _return_http_data_only=True,
                )
                end = b""
                for chunk in response.stream(_LOG_BYTES):
                    end = (end + chunk)[-_LOG_BYTES:]
        except ServerError:
            return ""
        return end.decode(errors="replace")

    def page(self, run_id: str) -> str:
        """The URL where people look at a run."""
        return f"{self.endpoint}/#/runs/details/{run_id}"

    def _check_health(self, token: SubmitToken, ca_cert: Path | None) -> None:
        """Asks the server how it is; the client would ask five times in half a minute, logging tracebacks."""
        config = kfp_server_api.Configuration(host=self.endpoint)
        config.ssl_ca_cert = str(ca_cert) if ca_cert else None
        config.retries = False
        if token.given:
            token.refresh_api_key_hook(config)
        api = kfp_server_api.HealthzServiceApi(kfp_server_api.ApiClient(config))
        with self._translated():
            health, _, headers = api.healthz_service_get_healthz_with_http_info(
                _request_timeout=REQUEST_SECONDS
            )
        if "json" not in headers.get("content-type", ""):
            raise ServerError(f"{self.endpoint} is no server of Kubeflow Pipelines, or wants a login first")
        if health.multi_user and not self.namespace:
            raise InputError(
                f"{self.endpoint} has users with namespaces of their own: --namespace says whose"
            )

    def _id(self, value: str | None) -> str:
        if not value:
            raise ServerError(f"{self.endpoint} answered with something else than was asked for")
        return value

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Keeps the client quiet, which prints links and warns of itself, and turns its errors into lines."""
        try:
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
                yield
        except InputError:
            raise
        except kfp_server_api.ApiException as error:
            raise ServerError(self._reason(error), _may_pass(error.status)) from error
        except AttributeError as error:
            # The client trips over its own error where TLS fails: there is no answer with a text to read.
            if not isinstance(error.__context__, kfp_server_api.ApiException):
                raise
            raise ServerError(self._reason(error.__context__)) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ServerError(f"{self.endpoint} cannot be reached: {_cause(error)}", may_pass=True) from error
        except ValueError as error:
            raise ServerError(f"{self.endpoint}: {one_line(str(error))}") from error

    def _reason(self, error: kfp_server_api.ApiException) -> str:
        if not error.status:
            # TLS is all that the client reports so.
            return (
                f"{self.endpoint} cannot be reached: {one_line(error.reason)}; --ca-cert names what signs it"
            )
        said = _message(error)
        if error.status == 401:
            return f"{self.endpoint} does not accept the token (401{said}); --token-file names one"
        if error.status == 403:
            return f"{self.endpoint} does not let this token do that (403{said})"
        return f"{self.endpoint} refused the request ({error.status}{said})"


def one_line(text: str) -> str:
    """What a server said, as one line that a terminal can show."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= _MAX_MESSAGE else f"{line[:_MAX_MESSAGE]}…"


def _checked_endpoint(endpoint: str) -> str:
    try:
        parts = urlsplit(endpoint)
        well_formed = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        well_formed = False
    if not well_formed:
        raise InputError(f"--endpoint must be a URL like https://kubeflow.example/pipeline, got {endpoint}")
    if parts.username is not None or parts.query or parts.fragment:
        raise InputError("--endpoint must be a URL without a user, a query or a fragment")
    return endpoint.rstrip("/")


def _named(name: str) -> str:
    predicate = {"operation": "EQUALS", "key": "display_name", "string_value": name}
    return json.dumps({"predicates": [predicate]})


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _limit_time(api_client: kfp_server_api.ApiClient) -> None:
    """Lets no request of the client wait for ever; its methods have no argument for it."""
    rest = api_client.rest_client

    def request(method: str, url: str, *, send: Any, **options: Any) -> Any:
        return send(method, url, **{**options, "_request_timeout": REQUEST_SECONDS})

    rest.request = partial(request, send=rest.request)


def _may_pass(status: int | None) -> bool:
    return not status or status == 429 or status >= 500


def _message(error: kfp_server_api.ApiException) -> str:
    """What the server said itself, where it said it as its schema has it."""
    try:
        said = json.loads(error.body or "")["message"]
    except (ValueError, KeyError, TypeError):
        return ""
    return f": {one_line(str(said))}"


def _cause(error: BaseException) -> str:
    """The bottom of a chain of connection errors, without the addresses of objects that urllib3 shows."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _cause(reason)
    return one_line(str(error).split(">: ")[-1].split(": ", 1)[-1]) or type(error).__name__
