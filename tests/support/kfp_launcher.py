"""Runs a compiled pipeline's containers as the open-source backend's launcher does, as processes of this machine."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path

from google.protobuf import json_format
from kfp.components import load_component_from_text
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

PARALLEL = 2


@dataclass
class KfpLauncher:
    """A double of driver and launcher of Kubeflow Pipelines v2.

    What it does as they do (kubeflow/pipelines, backend/src/v2): it gives each output a URI of its own below the
    run's prefix; inputs arrive by name, URI and metadata and, as of some versions, without their type; metadata goes
    through google.protobuf.Struct, where all numbers are floats; placeholders are replaced in the command; what the
    container writes to the output file is merged into the outputs: a URI where it has one, metadata key by key. A
    URI outside of the run's prefix is an error, for the launcher would have nowhere to upload to.

    Attributes:
        pipeline_yaml: the compiled pipeline.
        parameters: of the run; those that it leaves out take the pipeline's defaults.
        folder: for output files and logs.
        seconds: how long each task took.
    """

    pipeline_yaml: str
    parameters: Mapping[str, str]
    folder: Path
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.spec = load_component_from_text(self.pipeline_yaml).pipeline_spec
        self.executors = json_format.MessageToDict(self.spec.deployment_spec)["executors"]
        self.artifacts: dict[tuple[str, str], pb.RuntimeArtifact] = {}
        self.prefix = f"minio://mlpipeline/v2/artifacts/{self.spec.pipeline_info.name}/run-1"

    @property
    def tasks(self) -> Mapping[str, pb.PipelineTaskSpec]:
        """By name, the tasks of the pipeline."""
        return self.spec.root.dag.tasks

    def run(self) -> None:
        """Runs all tasks, each when those are done that it depends on.

        Raises:
            RuntimeError: a task failed; the message ends with what it said last.
        """
        order = TopologicalSorter({name: list(task.dependent_tasks) for name, task in self.tasks.items()})
        order.prepare()
        running: dict[Future, str] = {}
        with ThreadPoolExecutor(PARALLEL) as pool:
            while order.is_active():
                running |= {pool.submit(self.run_task, name): name for name in order.get_ready()}
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    name = running.pop(future)
                    if error := future.exception():
                        for other in running:
                            other.cancel()
                        raise RuntimeError(f"task {name}: {error}") from error
                    order.done(name)

    def run_task(self, name: str) -> None:
        """Runs one task's command. Raises RuntimeError where it fails."""
        executor_input = self.executor_input(name)
        start = time.monotonic()
        done = subprocess.run(
            self.command(name, executor_input),
            cwd=self.folder,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.seconds[name] = time.monotonic() - start
        (self.folder / f"{name}.log").write_text(done.stdout)
        if done.returncode:
            raise RuntimeError(f"exit status {done.returncode}: {done.stdout[-2000:]}")
        self._publish(name, executor_input)

    def executor_input(self, name: str) -> pb.ExecutorInput:
        """What the driver hands to a task's launcher."""
        task = self.tasks[name]
        message = pb.ExecutorInput()
        for key, source in task.inputs.parameters.items():
            value = message.inputs.parameter_values[key]
            parameter = source.component_input_parameter
            default = self.spec.root.input_definitions.parameters[parameter].default_value
            value.string_value = self.parameters.get(parameter, default.string_value)
        for key, source in task.inputs.artifacts.items():
            made = self.artifacts[
                source.task_output_artifact.producer_task, source.task_output_artifact.output_artifact_key
            ]
            message.inputs.artifacts[key].artifacts.add().CopyFrom(made)
        outputs = self.spec.components[task.component_ref.name].output_definitions
        for key, definition in outputs.artifacts.items():
            artifact = message.outputs.artifacts[key].artifacts.add()
            artifact.name, artifact.uri = key, f"{self.prefix}/{name}/{key}"
            artifact.type.CopyFrom(definition.artifact_type)
        message.outputs.output_file = str(self.folder / name / "output_metadata.json")
        return message

    def command(self, name: str, executor_input: pb.ExecutorInput) -> list[str]:
        """The container's command with its placeholders replaced, and this Python in place of the image's."""
        component = self.spec.components[self.tasks[name].component_ref.name]
        container = self.executors[component.executor_label]["container"]
        replaced = {"{{$}}": json_format.MessageToJson(executor_input, indent=None)} | {
            f"{{{{$.inputs.parameters['{key}']}}}}": value.string_value
            for key, value in executor_input.inputs.parameter_values.items()
        }
        command = [*container["command"], *container.get("args", [])]
        assert command[0] == "python"
        for placeholder, value in replaced.items():
            command = [part.replace(placeholder, value) for part in command]
        return [sys.executable, *command[1:]]

    def _publish(self, name: str, executor_input: pb.ExecutorInput) -> None:
        output = pb.ExecutorOutput()
        path = Path(executor_input.outputs.output_file)
        if path.exists():
            json_format.Parse(path.read_text(), output)
        for key, given in executor_input.outputs.artifacts.items():
            artifact = given.artifacts[0]
            if output.artifacts[key].artifacts:
                answered = output.artifacts[key].artifacts[0]
                artifact.uri = answered.uri or artifact.uri
                for field_name, value in answered.metadata.fields.items():
                    artifact.metadata.fields[field_name].CopyFrom(value)
            if not artifact.uri.startswith(self.prefix):
                raise RuntimeError(f"output {key}: {artifact.uri} does not lie below {self.prefix}")
            artifact.ClearField("type")
            self.artifacts[name, key] = artifact


def main() -> None:
    """Walks a compiled pipeline: YAML, logs, a folder to work in, and of a run by days the day."""
    yaml, logs, folder, *date = sys.argv[1:]
    parameters = {"logs": logs} | ({"date": date[0]} if date else {})
    launcher = KfpLauncher(Path(yaml).read_text(), parameters, Path(folder).resolve())
    launcher.run()
    json.dump(launcher.seconds, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
