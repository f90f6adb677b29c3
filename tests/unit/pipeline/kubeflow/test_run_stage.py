"""One node's work: its executor, what is kept of it, and what resolvers find."""

from pathlib import Path
from typing import ClassVar

import pytest
from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import component_spec, standard_artifacts

from components.blessed_model.strategy import BlessedModelStrategy
from components.evaluator.blessing import write_blessing
from pipeline.kubeflow.lineage import Lineage
from pipeline.kubeflow.run_stage import run_stage
from pipeline.root import Root
from transforms.input_error import InputError


class MakerSpec(component_spec.ComponentSpec):
    PARAMETERS: ClassVar = {
        "text": component_spec.ExecutionParameter(type=str),
        "unset": component_spec.ExecutionParameter(type=str, optional=True),
    }
    INPUTS: ClassVar = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True)
    }
    OUTPUTS: ClassVar = {"examples": component_spec.ChannelParameter(type=standard_artifacts.Examples)}


class MakerExecutor(base_executor.BaseExecutor):
    calls: ClassVar[list] = []

    def Do(self, input_dict, output_dict, exec_properties):
        (examples,) = output_dict["examples"]
        self.calls.append(exec_properties)
        Path(examples.uri, "text").write_text(exec_properties["text"])
        Path(self._get_tmp_dir(), "aside").write_text("")
        examples.split_names = '["train"]'
        if exec_properties["text"] == "wrong":
            raise InputError("wrong text")


class Maker(base_component.BaseComponent):
    SPEC_CLASS = MakerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(MakerExecutor)

    def __init__(self, text):
        super().__init__(MakerSpec(text=text, examples=types.Channel(type=standard_artifacts.Examples)))


@pytest.fixture(autouse=True)
def no_calls():
    MakerExecutor.calls.clear()


@pytest.fixture
def places(tmp_path):
    return Root(str(tmp_path / "root"))


def model(number):
    made = standard_artifacts.Model()
    made.id, made.uri = number, f"/models/{number}"
    return made


def test_outputs_are_what_the_executor_left(places):
    outputs = run_stage(Maker("a"), {}, places)
    (examples,) = outputs["examples"]
    assert MakerExecutor.calls == [{"text": "a"}]
    assert Path(examples.uri).is_relative_to(Path(places.artifacts) / "Maker" / "examples")
    assert Path(examples.uri, "text").read_text() == "a"
    assert examples.split_names == '["train"]' and examples.id > 0
    assert not list((Path(places.artifacts) / ".temp").glob("*"))


def test_the_day_of_the_pipeline_is_on_the_outputs(places):
    node = Maker("a")
    node.outputs["examples"].additional_properties["span"] = 19_732
    node.outputs["examples"].additional_custom_properties["note"] = "x"
    node.outputs["examples"].additional_custom_properties["number"] = 4
    (examples,) = run_stage(node, {}, places)["examples"]
    assert examples.span == 19_732
    assert examples.get_string_custom_property("note") == "x"
    assert examples.get_int_custom_property("number") == 4
    # Another day is other work.
    other = Maker("a")
    other.outputs["examples"].additional_properties["span"] = 19_733
    (again,) = run_stage(other, {}, places)["examples"]
    assert again.span == 19_733 and len(MakerExecutor.calls) == 2


def test_the_same_work_is_done_once(places):
    (first,) = run_stage(Maker("a"), {"model": [model(1)]}, places)["examples"]
    (same,) = run_stage(Maker("a"), {"model": [model(1)]}, places)["examples"]
    assert (same.id, same.uri, same.split_names) == (first.id, first.uri, first.split_names)
    assert len(MakerExecutor.calls) == 1
    others = [
        run_stage(Maker("b"), {"model": [model(1)]}, places),
        run_stage(Maker("a"), {"model": [model(2)]}, places),
        run_stage(Maker("a").with_id("Other"), {"model": [model(1)]}, places),
        run_stage(Maker("a"), {"model": [model(1)]}, places, anew=True),
    ]
    assert len({first.id, *(given["examples"][0].id for given in others)}) == 5
    assert len(MakerExecutor.calls) == 5


def test_nothing_stays_of_a_stage_that_fails(places):
    with pytest.raises(InputError, match="wrong text"):
        run_stage(Maker("wrong"), {}, places)
    assert not list(Path(places.artifacts, "Maker", "examples").glob("*"))
    assert Lineage(places.lineage).find(standard_artifacts.Examples) == []
    with pytest.raises(InputError):
        run_stage(Maker("wrong"), {}, places)
    assert len(MakerExecutor.calls) == 2


class TrainerSpec(component_spec.ComponentSpec):
    PARAMETERS: ClassVar = {"seed": component_spec.ExecutionParameter(type=int)}
    INPUTS: ClassVar = {}
    OUTPUTS: ClassVar = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class TrainerExecutor(base_executor.BaseExecutor):
    """Odd seeds give models that are refused."""

    def Do(self, input_dict, output_dict, exec_properties):
        (made,), (blessing,) = output_dict["model"], output_dict["blessing"]
        write_blessing(blessing, made, [], exec_properties["seed"] % 2 == 0)


class Trainer(base_component.BaseComponent):
    SPEC_CLASS = TrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(TrainerExecutor)

    def __init__(self, seed):
        super().__init__(
            TrainerSpec(
                seed=seed,
                model=types.Channel(type=standard_artifacts.Model),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )


def test_a_resolver_finds_in_the_lineage_what_its_own_strategy_picks(places):
    def last_blessed(trainer, candidate):
        node = Resolver(
            strategy_class=BlessedModelStrategy,
            candidate=trainer.outputs["model"],
            model=types.Channel(type=standard_artifacts.Model, producer_component_id="Trainer"),
            model_blessing=types.Channel(type=standard_artifacts.ModelBlessing),
        ).with_id("LastBlessed")
        return run_stage(node, {"candidate": candidate}, places)

    first, second, refused = (run_stage(Trainer(seed), {}, places) for seed in (0, 2, 3))
    run_stage(Trainer(4).with_id("SomebodyElse"), {}, places)
    # The candidate is no baseline of its own, and a refused one is none at all.
    assert last_blessed(Trainer(2), second["model"])["model"][0].id == first["model"][0].id
    found = last_blessed(Trainer(3), refused["model"])
    assert [each.id for each in found["model"]] == [second["model"][0].id]
    assert [each.id for each in found["model_blessing"]] == [second["blessing"][0].id]
    assert [each.id for each in found["candidate"]] == [refused["model"][0].id]
    assert found["model"][0].uri == second["model"][0].uri
