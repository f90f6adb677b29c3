"""What a recall configuration says and refuses."""

import pytest

from models.recall.config import FUSIONS, RecallConfig
from transforms.input_error import InputError


@pytest.mark.parametrize(
    ("fusion", "ids", "content", "expert", "gate", "conditional", "reorders"),
    [
        ("id", True, False, False, False, False, False),
        ("content", False, True, True, False, False, False),
        ("feature", True, True, False, False, False, True),
        ("output", True, True, True, True, False, False),
        ("conditional_output", True, True, True, True, True, False),
        ("feature_conditional_output", True, True, True, True, True, True),
    ],
)
def test_fusions(
    fusion: str, ids: bool, content: bool, expert: bool, gate: bool, conditional: bool, reorders: bool
) -> None:
    config = RecallConfig(fusion=fusion)
    found = (config.uses_ids, config.uses_content, config.has_content_expert, config.has_gate)
    assert found == (ids, content, expert, gate)
    assert (config.is_conditional, config.reorders) == (conditional, reorders)


def test_no_fusion_is_left_out() -> None:
    assert len(FUSIONS) == 6


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"fusion": "feature_output"}, "recall.fusion must be one of id, content"),
        ({"embedding_dim": 0}, "recall.embedding_dim must be at least 1, got 0"),
        ({"user_units": (8, 0)}, "recall.user_units must be widths of at least 1"),
        ({"temperature": 0.0}, "recall.temperature must be above 0"),
        ({"queue_size": -1}, "recall.queue_size must be at least 0"),
        ({"reorder_examples": 1}, "recall.reorder_examples must be at least 2"),
        ({"num_hard_negatives": 0}, "recall.num_hard_negatives must be at least 1 or absent"),
        ({"global_clipnorm": 0.0}, "recall.global_clipnorm must be above 0 or absent"),
    ],
)
def test_what_cannot_be(settings: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        RecallConfig(**settings)


def test_linear_towers_and_no_queue() -> None:
    RecallConfig(user_units=(), item_units=(), queue_size=0, num_hard_negatives=1, global_clipnorm=1.0)
