"""A training's checkpoints are found again by what it learns, not by where it runs."""

import dataclasses

from components.encoder_trainer.executor import checkpoint_folder
from models.encoder.config import TextEncoderConfig
from transforms.configuration import to_json


def folder(config: TextEncoderConfig, pairs: str = "/root/pairs/1") -> str:
    parameters = {"modality": "text", "config": to_json(config), "checkpoints": "/root/checkpoints"}
    return checkpoint_folder(parameters, config, pairs)


def test_another_strategy_goes_on() -> None:
    config = TextEncoderConfig()
    alone = folder(config)
    assert alone.startswith("/root/checkpoints/text-")
    assert folder(dataclasses.replace(config, strategy="multi_worker")) == alone


def test_another_recipe_or_other_pairs_begin_anew() -> None:
    config = TextEncoderConfig()
    others = [folder(dataclasses.replace(config, momentum=0.5)), folder(config, "/root/pairs/2")]
    assert len({folder(config), *others}) == 3
