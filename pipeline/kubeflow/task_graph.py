"""The tasks of a compiled pipeline: the nodes of all pipelines that it has to be able to run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from tfx import types
from tfx.components import Pusher, SchemaGen
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration.pipeline import Pipeline
from tfx.types.channel import OutputChannel

from components.ctr_trainer.component import CtrTrainer
from components.encoder_trainer.component import EncoderTrainer
from components.make_trainer.component import MakeTrainer
from components.recall_trainer.component import RecallTrainer

_LIGHT = (Resolver, Pusher, SchemaGen, ImportSchemaGen)
_TRAINERS = (CtrTrainer, EncoderTrainer, MakeTrainer, RecallTrainer)


@dataclass(frozen=True)
class Task:
    """One task of the compiled pipeline.

    Attributes:
        node: the stage's name.
        kind: "light", "plain", "beam" or "trainer"; decides what it asks of the cluster.
        inputs: the outputs of other tasks that it takes, as their task and name.
        after: tasks that end before it starts, those of its inputs included.
        outputs: its own, with their types.
    """

    node: str
    kind: str
    inputs: frozenset[tuple[str, str]]
    after: frozenset[str]
    outputs: Mapping[str, type[types.Artifact]]


def read_tasks(pipelines: Sequence[Pipeline]) -> list[Task]:
    """The tasks of one pipeline, or of several as one, each after all that it waits for.

    A node that several pipelines have is one task with the inputs of all. In a run that has no such node, or wires
    it otherwise, its container finds out by itself what there is to do.

    Raises:
        ValueError: the pipelines together have a cycle, so that they cannot be one.
    """
    tasks: dict[str, Task] = {}
    for node in (node for pipeline in pipelines for node in pipeline.components):
        known = tasks.get(node.id)
        task = Task(
            node.id,
            _kind(node),
            frozenset(_inputs(node)) | (known.inputs if known else frozenset()),
            frozenset(each.id for each in node.upstream_nodes) | (known.after if known else frozenset()),
            {name: channel.type for name, channel in node.outputs.items()}
            | (dict(known.outputs) if known else {}),
        )
        tasks[node.id] = task
    sorter = TopologicalSorter({task.node: sorted(task.after) for task in tasks.values()})
    try:
        return [tasks[node] for node in sorter.static_order()]
    except CycleError as error:
        raise ValueError(f"the pipelines have no order in common: {' - '.join(error.args[1])}") from error


def _inputs(node: BaseNode) -> Iterator[tuple[str, str]]:
    channels = node.raw_inputs if isinstance(node, Resolver) else node.inputs
    for channel in channels.values():
        if isinstance(channel, OutputChannel):
            yield channel.producer_component_id, channel.output_key
        elif not isinstance(node, Resolver):
            raise TypeError(f"{node.id}: expected the output of another stage, got {channel}")


def _kind(node: BaseNode) -> str:
    if isinstance(node, _TRAINERS):
        return "trainer"
    if isinstance(node, BaseBeamComponent):
        return "beam"
    return "light" if isinstance(node, _LIGHT) else "plain"
