"""Runs one node of the pipeline: the work of an orchestrator for a single stage."""

import hashlib
import json
import logging
import time
from typing import Any

from tfx import types
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.dsl.components.common import resolver
from tfx.dsl.io import fileio

from pipeline.kubeflow.lineage import Lineage, StageRecord, output_values
from pipeline.root import Root

_LOG = logging.getLogger(__name__)

Inputs = dict[str, list[types.Artifact]]


def run_stage(node: BaseNode, inputs: Inputs, places: Root, anew: bool = False) -> Inputs:
    """Runs a node and keeps a record of what it gave.

    Args:
        node: of a pipeline, whose flags for Beam it has.
        inputs: by the node's names; for a Resolver those alone that come from another stage.
        places: ROOT.
        anew: whether to run it also where a record has the same work done.
    Returns:
        The artifacts by the names of the outputs.
    Raises:
        InputError: what the stage raises.
    """
    lineage = Lineage(places.lineage)
    if isinstance(node, resolver.Resolver):
        return _resolve(node, inputs, lineage)
    key = work_key(node, inputs)
    record = None if anew else lineage.reuse(node.id, key)
    if record is not None:
        _LOG.info("%s: what was made before from the same inputs is used again", node.id)
        return record.artifacts({name: channel.type for name, channel in node.outputs.items()})
    number, start = time.time_ns(), time.monotonic()
    outputs = _new_outputs(node, places, number)
    try:
        _execute(node, inputs, outputs, f"{places.artifacts}/.temp", f"{node.id}-{number}")
    except BaseException:
        # Half of a result must not stay where a whole one is looked for.
        for artifact in (artifact for given in outputs.values() for artifact in given):
            if fileio.exists(artifact.uri):
                fileio.rmtree(artifact.uri)
        raise
    seconds = time.monotonic() - start
    lineage.write(StageRecord(node.id, number, key, seconds, output_values(outputs)))
    return outputs


def work_key(node: BaseNode, inputs: Inputs) -> str:
    """Names a node's work as ML Metadata's cache does: the executor, its parameters and its very inputs."""
    work = {
        "executor": f"{_executor_class(node).__module__}.{_executor_class(node).__qualname__}",
        "parameters": _parameters(node),
        "inputs": {name: [artifact.id for artifact in given] for name, given in inputs.items()},
        "outputs": {
            name: [channel.additional_properties, channel.additional_custom_properties]
            for name, channel in node.outputs.items()
        },
    }
    text = json.dumps(work, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _resolve(node: resolver.Resolver, inputs: Inputs, lineage: Lineage) -> Inputs:
    """Asks the node's own strategy, with the lineage's artifacts where ML Metadata's would be."""
    asked = dict(inputs)
    for name, channel in node.raw_inputs.items():
        if name not in asked:
            asked[name] = lineage.find(channel.type, channel.producer_component_id, channel.output_key)
    properties = node.exec_properties
    strategy = properties[resolver.RESOLVER_STRATEGY_CLASS](**properties[resolver.RESOLVER_CONFIG])
    resolved = strategy.resolve_artifacts(None, asked) or {}
    return {name: list(resolved.get(name, ())) for name in node.outputs}


def _new_outputs(node: BaseNode, places: Root, number: int) -> Inputs:
    outputs: Inputs = {}
    for place, (name, channel) in enumerate(node.outputs.items()):
        artifact = channel.type()
        _tag(artifact, channel)
        artifact.id = number + place
        artifact.uri = f"{places.artifacts}/{node.id}/{name}/{number}"
        artifact.producer_component = node.id
        outputs[name] = [artifact]
        fileio.makedirs(artifact.uri)
    return outputs


def _tag(artifact: types.Artifact, channel: types.OutputChannel) -> None:
    """Writes what the pipeline says of all artifacts of an output: the day, where the run has one."""
    for name, value in channel.additional_properties.items():
        setattr(artifact, name, value)
    for name, value in channel.additional_custom_properties.items():
        set_custom = (
            artifact.set_int_custom_property
            if isinstance(value, int)
            else artifact.set_string_custom_property
        )
        set_custom(name, value)


def _execute(node: BaseNode, inputs: Inputs, outputs: Inputs, folder: str, name: str) -> None:
    executor_class = _executor_class(node)
    if issubclass(executor_class, BaseBeamExecutor):
        flags = list(node.executor_spec.beam_pipeline_args)
        context: BaseExecutor.Context = BaseBeamExecutor.Context(flags, unique_id=name, tmp_dir=folder)
    else:
        context = BaseExecutor.Context(unique_id=name, tmp_dir=folder)
    try:
        executor_class(context).Do(inputs, outputs, _parameters(node))
    finally:
        if fileio.exists(f"{folder}/{name}"):
            fileio.rmtree(f"{folder}/{name}")


def _parameters(node: BaseNode) -> dict[str, Any]:
    """The node's parameters that are set."""
    return {name: value for name, value in node.exec_properties.items() if value is not None}


def _executor_class(node: BaseNode) -> type[BaseExecutor]:
    if not (isinstance(node, BaseComponent) and isinstance(node.executor_spec, ExecutorClassSpec)):
        raise NotImplementedError(f"{node.id}: expected a component with an executor class, got {node}")
    return node.executor_spec.executor_class
