"""What the configuration refuses, and what its integration means."""

import pytest

from models.ctr.config import CtrConfig
from transforms.input_error import InputError


@pytest.mark.parametrize(
    "values",
    [
        {"integration": "simtear"},
        {"num_tiers": 0},
        {"embedding_dim": 0},
        {"batch_size": 0},
        {"epochs": 0},
        {"attention_units": ()},
        {"mlp_units": (16, 0)},
        {"learning_rate": 0.0},
        {"table_learning_rate": -0.1},
        {"global_clipnorm": 0.0},
    ],
    ids=lambda values: next(iter(values)),
)
def test_value_out_of_range_is_named(values: dict) -> None:
    name, value = next(iter(values.items()))
    with pytest.raises(InputError) as error:
        CtrConfig(**values)
    assert f"ctr.{name} must be" in str(error.value)
    assert str(value) in str(error.value)
    assert "\n" not in str(error.value)


def test_integrations_are_listed() -> None:
    with pytest.raises(InputError, match="one of id, vector, simscore, simtier, make, simtier_make, got din"):
        CtrConfig(integration="din")


@pytest.mark.parametrize(
    "integration, uses_content, uses_make",
    [
        ("id", False, False),
        ("vector", True, False),
        ("simscore", True, False),
        ("simtier", True, False),
        ("make", True, True),
        ("simtier_make", True, True),
    ],
)
def test_what_an_integration_needs(integration: str, uses_content: bool, uses_make: bool) -> None:
    config = CtrConfig(integration=integration)
    assert (config.uses_content, config.uses_make) == (uses_content, uses_make)


def test_the_papers_proposal_is_the_default() -> None:
    assert CtrConfig() == CtrConfig(integration="simtier_make", num_tiers=20, log_counts=False)
