"""What the configuration refuses."""

import pytest

from models.ctr.config import CtrConfig
from transforms.input_error import InputError


@pytest.mark.parametrize(
    "values",
    [
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
