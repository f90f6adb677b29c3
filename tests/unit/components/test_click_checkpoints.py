"""A training's checkpoints are found again by what it learns, not by where it runs or how often it saves."""

import dataclasses
from pathlib import Path

from tfx.types import standard_artifacts

from components.click_checkpoints import end_checkpoints, open_checkpoints
from models.continuation.fit_checkpoints import FitCheckpoints
from models.recall.config import RecallConfig
from transforms.configuration import to_json

CONFIG = RecallConfig(fusion="id", checkpoint_steps=7)


def opened(config: RecallConfig = CONFIG, uri: str = "/examples/1", **parameters: object) -> FitCheckpoints:
    examples = standard_artifacts.Examples()
    examples.uri = uri
    values = {"config": to_json(config), "ingest": "{}", "checkpoints": "/root/checkpoints"} | parameters
    found = open_checkpoints("recall", {"examples": [examples]}, values, config)
    assert found is not None
    return found


def test_another_strategy_goes_on() -> None:
    found = opened()
    assert found.folder.startswith("/root/checkpoints/recall-") and found.every_steps == 7
    for settings in ({"strategy": "multi_worker"}, {"checkpoint_steps": 9}):
        assert opened(dataclasses.replace(CONFIG, **settings)).folder == found.folder


def test_another_recipe_or_other_inputs_begin_anew() -> None:
    others = (
        opened(dataclasses.replace(CONFIG, seed=1)),
        opened(uri="/examples/2"),
        opened(ingest='{"max_behaviors": 3}'),
    )
    assert len({opened().folder, *(each.folder for each in others)}) == 4


def test_none_are_left_where_nobody_wants_any() -> None:
    seldom = dataclasses.replace(CONFIG, checkpoint_steps=0)
    assert open_checkpoints("recall", {}, {"checkpoints": "/root", "config": to_json(seldom)}, seldom) is None
    assert open_checkpoints("recall", {}, {"config": to_json(CONFIG)}, CONFIG) is None
    end_checkpoints(None, "none")


def test_they_end_with_the_training(tmp_path: Path) -> None:
    (tmp_path / "ctr-1").mkdir()
    end_checkpoints(FitCheckpoints(str(tmp_path / "ctr-1"), 1), "none")
    assert list(tmp_path.iterdir()) == []
