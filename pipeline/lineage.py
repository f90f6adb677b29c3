"""What ML Metadata knows of a finished run."""

import os
from collections.abc import Sequence

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2

from components.report.summary import Stage
from pipeline.root import Root
from transforms.input_error import InputError

_State = metadata_store_pb2.Execution.State


def open_store(root: Root) -> mlmd.MetadataStore:
    """Opens the lineage of a run. Raises InputError where there is none."""
    if not os.path.exists(root.metadata):
        raise InputError(f"{root.path}: expected a finished run, found no {os.path.basename(root.metadata)}")
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = root.metadata
    return mlmd.MetadataStore(config)


def stages(store: mlmd.MetadataStore, pipeline_name: str, nodes: Sequence[str]) -> list[Stage]:
    """How long each stage took when it last ran, and whether the last run used what an earlier one made.

    Args:
        store: the run's lineage.
        pipeline_name: the pipeline that ran.
        nodes: names of its stages, in their order.
    """
    found = []
    for node in nodes:
        context = store.get_context_by_type_and_name("node", f"{pipeline_name}.{node}")
        executions = store.get_executions_by_context(context.id) if context else []
        finished = [entry for entry in executions if entry.last_known_state == _State.COMPLETE]
        if finished:
            last_run = max(executions, key=lambda entry: entry.id)
            ran = _maker(store, last_run, finished)
            milliseconds = ran.last_update_time_since_epoch - ran.create_time_since_epoch
            found.append(
                Stage(
                    name=node, seconds=milliseconds / 1000, cached=last_run.last_known_state == _State.CACHED
                )
            )
    return found


def last_outputs(store: mlmd.MetadataStore, pipeline_name: str, node: str) -> dict[str, str]:
    """Where the artifacts lie that a stage gave when it last ended, those of an earlier run among them.

    Args:
        store: the run's lineage.
        pipeline_name: the pipeline that ran.
        node: the stage's name.
    Returns:
        URIs by the outputs' names; of an output with several artifacts the last.
    Raises:
        InputError: the stage has not ended yet.
    """
    context = store.get_context_by_type_and_name("node", f"{pipeline_name}.{node}")
    executions = store.get_executions_by_context(context.id) if context else []
    ended = [entry.id for entry in executions if entry.last_known_state in (_State.COMPLETE, _State.CACHED)]
    if not ended:
        raise InputError(f"expected a finished {node}, found none; `adlens run` goes on with it")
    events = [event for event in store.get_events_by_execution_ids([max(ended)]) if _is_output(event)]
    uris = {
        artifact.id: artifact.uri for artifact in store.get_artifacts_by_id([e.artifact_id for e in events])
    }
    return {event.path.steps[0].key: uris[event.artifact_id] for event in events}


def _maker(
    store: mlmd.MetadataStore, execution: metadata_store_pb2.Execution, finished: Sequence
) -> metadata_store_pb2.Execution:
    """The one of finished executions that made what an execution gave, or found in the cache; else the last."""
    given = [
        event.artifact_id for event in store.get_events_by_execution_ids([execution.id]) if _is_output(event)
    ]
    events = store.get_events_by_artifact_ids(given) if given else []
    makers = {event.execution_id for event in events if _is_output(event)}
    return max(finished, key=lambda entry: (entry.id in makers, entry.id))


def _is_output(event: metadata_store_pb2.Event) -> bool:
    return event.type == metadata_store_pb2.Event.OUTPUT
