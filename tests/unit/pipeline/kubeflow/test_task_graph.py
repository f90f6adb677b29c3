"""The tasks of one pipeline, or of several as one."""

import datetime

import pytest
from tfx import types
from tfx.components import SchemaGen, StatisticsGen
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from pipeline.daily.day import Day
from pipeline.kubeflow.task_graph import read_tasks
from pipeline.pipeline import create_pipeline
from pipeline.presets import preset


def test_the_tiny_pipeline_becomes_one_task_a_node():
    tasks = read_tasks([create_pipeline("", "/root", preset("tiny"))])
    by_node = {task.node: task for task in tasks}
    assert len(by_node) == len(tasks) == 28
    kinds = {node: by_node[node].kind for node in ("LogIngest", "Transform", "ImageEncoder", "MakeTrainer")}
    assert kinds == {
        "LogIngest": "beam",
        "Transform": "beam",
        "ImageEncoder": "trainer",
        "MakeTrainer": "trainer",
    }
    light = {node for node, task in by_node.items() if task.kind == "light"}
    assert light == {
        "SchemaGen",
        *(f"LastBlessed{name}" for name in ("Model", "ImageEncoder", "TextEncoder", "Recall")),
        *(f"{name}Pusher" for name in ("", "ImageEncoder", "TextEncoder", "Recall")),
    }
    assert by_node["LogIngest"].inputs == frozenset()
    # What it asks the lineage for comes from no task.
    assert by_node["LastBlessedModel"].inputs == {("CtrTrainer", "model")}
    assert by_node["Pusher"].inputs == {("CtrTrainer", "model"), ("Evaluator", "blessing")}
    assert by_node["CtrTrainer"].outputs == {
        "model": standard_artifacts.Model,
        "model_run": standard_artifacts.ModelRun,
    }
    done: set[str] = set()
    for task in tasks:
        assert {node for node, _ in task.inputs} <= task.after <= done
        done.add(task.node)
    # It takes nothing of the release, but says that the run is over.
    assert "Release" in by_node["Report"].after - {node for node, _ in by_node["Report"].inputs}


def found(name):
    """Some statistics that come from nowhere."""
    channel = types.Channel(type=standard_artifacts.ExampleStatistics)
    return Resolver(statistics=channel).with_id(name)


def pipeline_of(*nodes):
    return Pipeline(pipeline_name="p", pipeline_root="/root", components=list(nodes))


def test_a_node_of_two_pipelines_takes_what_it_takes_in_either():
    examples = Resolver(examples=types.Channel(type=standard_artifacts.Examples)).with_id("Examples")
    made = StatisticsGen(examples=examples.outputs["examples"])
    earlier = found("Earlier")
    tasks = read_tasks(
        [
            pipeline_of(examples, made, SchemaGen(statistics=made.outputs["statistics"])),
            pipeline_of(earlier, SchemaGen(statistics=earlier.outputs["statistics"])),
        ]
    )
    assert [task.node for task in tasks][-1] == "SchemaGen"
    assert tasks[-1].inputs == {("StatisticsGen", "statistics"), ("Earlier", "statistics")}
    assert sorted(task.node for task in tasks) == ["Earlier", "Examples", "SchemaGen", "StatisticsGen"]


def test_pipelines_without_a_common_order_are_refused():
    def chain(first, second):
        source = found(first)
        return pipeline_of(source, Resolver(statistics=source.outputs["statistics"]).with_id(second))

    with pytest.raises(ValueError, match=r"no order in common: (A - B - A|B - A - B)$"):
        read_tasks([chain("A", "B"), chain("B", "A")])


def test_all_kinds_of_days_are_one_pipeline():
    kinds = ((True, True), (False, True), (False, False))
    days = [
        create_pipeline("", "/root", preset("tiny"), day=Day(datetime.date(2024, 1, 31), first, trains))
        for first, trains in kinds
    ]
    by_node = {task.node: task for task in read_tasks(days)}
    assert by_node.keys() == {node.id for day in days for node in day.components}
    # A first day has Transform and no day before; from the second on the vocabulary grows.
    assert {"Transform", "VocabularyGrower", "DayBefore"} <= by_node.keys()
    assert {("Transform", "transform_graph"), ("VocabularyGrower", "transform_graph")} <= by_node[
        "CtrTrainer"
    ].inputs
    for day in days:
        for task in read_tasks([day]):
            assert task.inputs <= by_node[task.node].inputs
            assert task.outputs.keys() <= by_node[task.node].outputs.keys()
