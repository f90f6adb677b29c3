"""What the configuration of MAKE refuses."""

import pytest

from models.make.config import MakeConfig
from transforms.input_error import InputError


@pytest.mark.parametrize(
    "values",
    [
        {"attention_units": ()},
        {"attention_units": (8, 0)},
        {"mlp_units": ()},
        {"mlp_units": (-1,)},
        {"projection_dim": 0},
        {"epochs": -1},
        {"batch_size": 0},
        {"learning_rate": 0.0},
    ],
    ids=str,
)
def test_value_out_of_range_is_named(values: dict) -> None:
    name, value = next(iter(values.items()))
    with pytest.raises(InputError) as error:
        MakeConfig(**values)
    assert f"make.{name} must be" in str(error.value)
    assert str(value) in str(error.value)
    assert "\n" not in str(error.value)


def test_no_epoch_of_its_own_is_allowed() -> None:
    assert MakeConfig(epochs=0).epochs == 0


def test_the_mlp_has_the_papers_four_layers() -> None:
    # The logit is the fourth.
    assert len(MakeConfig().mlp_units) == 3
