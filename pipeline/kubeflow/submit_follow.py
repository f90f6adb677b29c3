"""Follows a run to its end."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

import kfp_server_api

from pipeline.kubeflow.submit_server import ServerError, SubmitServer, one_line
from transforms.input_error import InputError

# For so long a server may be away while a run is followed.
PATIENCE_SECONDS = 300.0

_WORDS = {"FAILED": "failed", "CANCELED": "was canceled", "SKIPPED": "was skipped"}


def follow(
    server: SubmitServer,
    run_id: str,
    out: TextIO,
    every_seconds: float,
    timeout_seconds: float | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> str:
    """Shows a line for each task that starts or ends, until the run has ended.

    Args:
        server: where it runs.
        run_id: the run.
        out: where the lines go.
        every_seconds: time between two questions.
        timeout_seconds: how long to follow it; None: to its end.
        patience_seconds: for how long the server may fail to answer.
    Returns:
        Empty where the run succeeded, else how it ended, in which task, and what is known of why.
    Raises:
        InputError: the run took longer, or the server was away or refused to tell.
    """
    started = answered = time.monotonic()
    progress: _Progress | None = None
    while True:
        try:
            run = server.run(run_id)
            answered = time.monotonic()
        except ServerError as error:
            if not error.may_pass or time.monotonic() - answered > patience_seconds:
                raise
        else:
            progress = progress or _Progress(server.task_labels(run), out)
            progress.show(run)
            if run.state == "SUCCEEDED":
                return ""
            if run.state in _WORDS:
                return f"{_WORDS[run.state]}{_fault(server, run, progress.labels)}"
        if timeout_seconds is not None and time.monotonic() - started > timeout_seconds:
            raise InputError(f"run {run_id} has not ended within {timeout_seconds:g} s; it goes on")
        time.sleep(every_seconds)


class _Progress:
    """Prints a line for each task that starts or ends; its number is its place in the order of their starts.

    Besides the tasks of the pipeline a server names those that it adds: drivers, the launchers within tasks.
    """

    def __init__(self, labels: Mapping[str, str], out: TextIO):
        self.labels = labels
        self.out = out
        self.shown: dict[str, str] = {}

    def show(self, run: kfp_server_api.V2beta1Run) -> None:
        for task in _tasks(run):
            label = self.labels.get(task.display_name)
            if label and (text := _text(task)) and self.shown.get(label) != text:
                self.shown[label] = text
                place = list(self.shown).index(label) + 1
                print(f"[{place:>2}/{len(self.labels)}] {label:<18} {text}", file=self.out, flush=True)


def _tasks(run: kfp_server_api.V2beta1Run) -> Iterable[kfp_server_api.V2beta1PipelineTaskDetail]:
    tasks = (run.run_details.task_details if run.run_details else None) or []
    return sorted(tasks, key=lambda task: (task.start_time is None, task.start_time, task.display_name))


def _text(task: kfp_server_api.V2beta1PipelineTaskDetail) -> str:
    if task.state == "RUNNING":
        return "…"
    if task.state == "SUCCEEDED" and task.start_time and task.end_time:
        return f"{(task.end_time - task.start_time).total_seconds():.1f} s"
    return {"SUCCEEDED": "done", "FAILED": "failed", "SKIPPED": "skipped", "CANCELED": "canceled"}.get(
        task.state, ""
    )


def _fault(server: SubmitServer, run: kfp_server_api.V2beta1Run, labels: Mapping[str, str]) -> str:
    """Which task failed, and what it said last."""
    tasks = list(_tasks(run))
    for task in tasks:
        if task.state == "FAILED" and task.display_name in labels:
            said = _last_words(server.log_end(run.run_id, _failed_pod(task, tasks)))
            return f" in task {labels[task.display_name]}" + (f": {said}" if said else "")
    return f": {one_line(run.error.message)}" if run.error and run.error.message else ""


def _failed_pod(
    task: kfp_server_api.V2beta1PipelineTaskDetail,
    tasks: Sequence[kfp_server_api.V2beta1PipelineTaskDetail],
) -> str:
    """The pod of the innermost failure, of several tries the last: a task stands above its container."""
    children = {_node(child.pod_name) for child in task.child_tasks or [] if child.pod_name}
    failed = [
        child
        for child in tasks
        if child is not task and child.state == "FAILED" and _node(child.pod_name or "") in children
    ]
    return _failed_pod(failed[-1], tasks) if failed else task.pod_name or ""


def _node(name: str) -> str:
    """The number at the end, which is all that a node's id and its pod's name have in common."""
    return name.rsplit("-", 1)[-1]


def _last_words(log: str) -> str:
    """What a stage said of its end, else the last line."""
    lines = [line for line in log.splitlines() if line.strip()]
    own = [line for line in lines if line.startswith("adlens: ")]
    return one_line((own or lines or [""])[-1].removeprefix("adlens: "))
