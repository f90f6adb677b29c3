"""What each method changes of the configuration, and what its result follows from."""

import dataclasses

import pytest

from pipeline.config import RunConfig, override
from pipeline.experiment.table2.methods import METHODS
from pipeline.experiment.table2.trial import Trial

CONFIG = override(
    RunConfig(),
    {
        "image_encoder": {"seed": 10, "queue_size": 512, "triplet_weight": 0.5, "batch_size": 16},
        "text_encoder": {"seed": 20, "queue_size": 256},
    },
)
BY_NAME = {method.name: method for method in METHODS}


def trial(name: str, modality: str = "image", config: RunConfig = CONFIG, index: int = 0) -> Trial:
    return Trial.of(BY_NAME[name], modality, config, index)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("backbone", {"method": "backbone"}),
        ("scl", {"method": "scl", "queue_size": 512, "triplet_weight": 0.5}),
        ("scl_without_triplet", {"method": "scl", "queue_size": 512, "triplet_weight": 0.0}),
        ("scl_without_triplet_and_bank", {"method": "scl", "queue_size": 0, "triplet_weight": 0.0}),
    ],
)
def test_what_a_method_changes(name: str, expected: dict) -> None:
    found = trial(name, index=2).config
    assert found == dataclasses.replace(CONFIG.image_encoder, seed=12, **expected)


def test_scl_is_compared_whatever_the_run_trains() -> None:
    config = override(CONFIG, {"image_encoder": {"method": "backbone"}})
    assert trial("scl", config=config).config.method == "scl"
    assert trial("title_image", config=config).config.embedding_dim == 128


def test_seeds_follow_the_measured_encoders() -> None:
    assert trial("scl", "text", index=1).title == "scl-text-seed21"
    assert trial("title_image", "image", index=1).title == "title_image-image-seed11"


@pytest.mark.parametrize(
    ("name", "values", "matters"),
    [
        ("scl", {"text_encoder": {"num_layers": 1}}, False),
        ("scl", {"ctr": {"batch_size": 7}}, False),
        ("scl", {"image_encoder": {"queue_size": 64}}, True),
        ("scl", {"image_encoder": {"learning_rate": 0.5}}, True),
        ("title_image", {"text_encoder": {"num_layers": 1}}, True),
        # It has neither bank nor triplet loss, so that these may be tuned without training it again.
        ("title_image", {"image_encoder": {"queue_size": 64, "triplet_weight": 2.0}}, False),
        ("scl_without_triplet_and_bank", {"image_encoder": {"queue_size": 64}}, False),
    ],
)
def test_a_result_belongs_to_what_it_follows_from(name: str, values: dict, matters: bool) -> None:
    assert (trial(name).settings != trial(name, config=override(CONFIG, values)).settings) is matters


def test_methods_and_seeds_have_settings_of_their_own() -> None:
    found = [
        trial(m.name, modality, index=i).settings
        for m in METHODS
        for modality in ("image", "text")
        for i in (0, 1)
    ]
    assert all(found.count(settings) == 1 for settings in found)
