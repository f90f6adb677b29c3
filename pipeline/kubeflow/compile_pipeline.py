"""Compiles the pipeline to the YAML of Kubeflow Pipelines v2."""

import inspect
import json
import tempfile
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from kfp import compiler, dsl
from kfp.dsl import structures
from kfp.dsl.container_component_class import ContainerComponent
from kfp.dsl.placeholders import InputValuePlaceholder
from tfx.orchestration.pipeline import Pipeline
from tfx.types import system_artifacts

from pipeline.kubeflow.compile_config import KINDS, CompileConfig
from pipeline.kubeflow.names import input_name, task_name
from pipeline.kubeflow.task_graph import Task, read_tasks
from pipeline.pipeline import PIPELINE_NAME
from transforms.input_error import InputError

_PLACEHOLDER = "{{$"
EXECUTOR_INPUT = "{{$}}"
# What is chosen when a run starts.
PARAMETERS = ("logs", "date", "preset")

_ANY = "system.Artifact@0.0.1"
_SCHEMAS = {system_artifacts.Model: "system.Model@0.0.1", system_artifacts.Dataset: "system.Dataset@0.0.1"}
_FIRST_WAIT, _LONGEST_WAIT = "60s", "900s"


def compile_pipeline(
    pipelines: Sequence[Pipeline], settings: dict[str, Any], config: CompileConfig
) -> tuple[str, int]:
    """Compiles the pipeline.

    Args:
        pipelines: as `create_pipeline` wires them, one for each kind of run that the YAML has to serve.
        settings: configuration values over those of the preset, nested.
        config: image, places and resources.
    Returns:
        The YAML: the pipeline's specification, and with a volume claim the platform's as a second document; and
        how many tasks it has.
    Raises:
        InputError: resources are asked for a stage that there is not, or a setting holds a placeholder of Kubeflow's.
    """
    tasks = read_tasks(pipelines)
    _check_names(config, tasks)

    def build(*values: Any) -> None:
        parameters = dict(zip(PARAMETERS, values, strict=True))
        made: dict[str, dsl.PipelineTask] = {}
        for task in tasks:
            component = _component(task, [each.node for each in tasks], settings, config)
            inputs = {input_name(node, output): made[node].outputs[output] for node, output in task.inputs}
            made[task.node] = _configure(component(**parameters, **inputs), task, config)
            made[task.node].after(*(made[node] for node in sorted(task.after)))

    build.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=str, default=default)
            for name, default in (
                ("logs", config.logs or inspect.Parameter.empty),
                ("date", inspect.Parameter.empty if config.daily else ""),
                ("preset", config.preset),
            )
        ]
    )
    description = "Multimodal advertising models, from logs to pushed models."
    graph = dsl.pipeline(name=PIPELINE_NAME, description=description)(build)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(graph, str(path))
        return path.read_text(encoding="utf-8"), len(tasks)


def _check_names(config: CompileConfig, tasks: Sequence[Task]) -> None:
    known = [*KINDS, *(task.node for task in tasks)]
    for name in config.resources:
        if name not in known:
            nearest = get_close_matches(name, known, 1, 0)
            raise InputError(
                f"--resources {name}: no such stage or kind of stages; the nearest is {nearest[0]}"
            )


def _component(
    task: Task, nodes: Sequence[str], settings: dict[str, Any], config: CompileConfig
) -> ContainerComponent:
    inputs = {name: structures.InputSpec("String") for name in PARAMETERS}
    inputs |= {input_name(*source): structures.InputSpec(_ANY) for source in task.inputs}
    outputs = {
        name: structures.OutputSpec(_SCHEMAS.get(kind.TYPE_ANNOTATION, _ANY))
        for name, kind in task.outputs.items()
    }
    spec = structures.ComponentSpec(
        name=task_name(task.node),
        inputs=inputs,
        outputs=outputs,
        implementation=structures.Implementation(
            container=structures.ContainerSpecImplementation(
                image=config.image,
                command=["python", "-m", "pipeline.kubeflow.stage"],
                args=_arguments(task, nodes, settings, config),
            )
        ),
    )
    return ContainerComponent(spec, lambda: None)


def _arguments(
    task: Task, nodes: Sequence[str], settings: dict[str, Any], config: CompileConfig
) -> list[str | InputValuePlaceholder]:
    arguments: list[str | InputValuePlaceholder] = ["--node", task.node, "--root", config.container_root]
    for name in PARAMETERS:
        arguments += [f"--{name}", InputValuePlaceholder(name)]
    if settings:
        arguments += ["--settings", json.dumps(settings)]
    if not task.inputs:
        # The first ones look whether the run's preset has a stage that was not compiled.
        arguments += ["--nodes", ",".join(sorted(nodes))]
    arguments += [f"--beam-arg={flag}" for flag in config.beam_args]
    arguments += ["--daily"] * config.daily + ["--anew"] * (not config.reuse)
    for argument in arguments:
        if isinstance(argument, str) and _PLACEHOLDER in argument:
            raise InputError(
                f"expected no {_PLACEHOLDER}, which Kubeflow puts values in place of, got {argument}"
            )
    return [*arguments, "--executor_input", EXECUTOR_INPUT]


def _configure(task: dsl.PipelineTask, described: Task, config: CompileConfig) -> dsl.PipelineTask:
    resources = config.resources_of(described.node, described.kind)
    task.set_display_name(described.node)
    task.set_cpu_limit(f"{resources.cpu:g}")
    task.set_memory_limit(resources.memory)
    if resources.accelerator:
        task.set_accelerator_type(resources.accelerator)
        task.set_accelerator_limit(resources.accelerator_count)
    if config.retries:
        task.set_retry(config.retries, _FIRST_WAIT, 2, _LONGEST_WAIT)
    # Kubeflow's cache knows a stage's parameters and not the state of the logs, of ROOT or of what was blessed
    # since; stages ask the lineage below ROOT instead.
    task.set_caching_options(False)
    if config.volume_claim:
        # The field that backends of every version know; newer ones call it deprecated and read it.
        mount = {"mountPath": config.mounted_at, "constant": config.volume_claim}
        task.platform_config["kubernetes"] = {"pvcMount": [mount]}
    return task
