"""The call of a training, as the chief leaves it for other workers; trainings themselves are in tests/integration."""

import json
import sys
from pathlib import Path

import pytest
from tfx.types import standard_artifacts

from components import artifacts, worker
from components.training_call import TrainingCall
from transforms.input_error import InputError


def _call() -> TrainingCall:
    examples = standard_artifacts.Examples()
    examples.uri, examples.id, examples.split_names = "/root/examples", 2**40, '["train", "eval"]'
    examples.set_int_custom_property("span", 7)
    model, stats = standard_artifacts.Model(), artifacts.ItemStats()
    model.uri, stats.uri = "/root/model", "/root/stats"
    return TrainingCall(
        "recall_trainer",
        {"examples": [examples], "item_stats": [stats]},
        {"model": [model]},
        {"config": "{}"},
    )


def test_round_trip() -> None:
    call = _call()
    copy = TrainingCall.from_json(call.to_json())
    assert (copy.trainer, copy.parameters) == (call.trainer, call.parameters)
    (examples,), (stats,) = copy.inputs["examples"], copy.inputs["item_stats"]
    assert isinstance(examples, standard_artifacts.Examples)
    assert (examples.uri, examples.id, examples.split_names) == ("/root/examples", 2**40, '["train", "eval"]')
    assert examples.get_int_custom_property("span") == 7
    assert (stats.type_name, stats.uri) == ("AdlensItemStats", "/root/stats")
    assert [each.uri for each in copy.outputs["model"]] == ["/root/model"]


def test_only_trainers_are_called() -> None:
    values = json.loads(_call().to_json())
    with pytest.raises(InputError, match="must be of make_trainer, .* got os"):
        TrainingCall.from_json(json.dumps(values | {"trainer": "os"}))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"trainer": "ctr_trainer", "inputs": {"x": [1]}, "outputs": {}, "parameters": {}}'],
)
def test_what_is_no_call_is_quoted(text: str) -> None:
    with pytest.raises(InputError, match="expected a training as JSON, got"):
        TrainingCall.from_json(text)


def test_worker_names_a_file_that_is_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "training.json"
    path.write_text('{"id": 1}')
    monkeypatch.setattr(sys, "argv", ["worker", "--calls", str(tmp_path)])
    assert worker.main() == 1
    assert capsys.readouterr().err == f"worker: {path}: expected a training as the chief writes it\n"


def test_worker_tells_why_a_training_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    cluster = {"worker": ["localhost:1", "localhost:2"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "ps", "index": 0}}))
    (tmp_path / "training.json").write_text(json.dumps({"id": "1", "call": _call().to_json()}))
    monkeypatch.setattr(sys, "argv", ["worker", "--calls", str(tmp_path), "--trainings", "1"])
    assert worker.main() == 1
    said = capfd.readouterr().err
    assert "a training ended with status 2" in said and "expected TF_CONFIG" in said
